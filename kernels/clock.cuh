// The clock: the cursor into the order, and the step. One thread moves it.
#pragma once

struct Clock {
    unsigned cursor, step;

    __device__ Clock(const unsigned* at) : cursor(at[0]), step(at[1]) {}

    // `rows` further, in an order of `period`.
    __device__ void move(unsigned* at, unsigned rows, unsigned period) const {
        at[0] = (unsigned)(((unsigned long long)cursor + rows) % period);
        at[1] = step + 1;
    }
};
