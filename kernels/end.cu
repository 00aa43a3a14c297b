// The end of a step: numbers of it are stored, each at the clock's entry of its ring, and the clock is advanced.
// One thread. Bound by the latency of a launch.
#include "clock.cuh"
#include "table.cuh"

constexpr unsigned STORES = 8;

struct Stored {
    const float* x; // [1]
    float* ring;    // [T]
    SLOT unsigned T;
};

struct Stores {
    SLOT unsigned slots;
    SLOT unsigned count;
    Stored of[STORES];
};

extern "C" __global__ void end(unsigned* clock, // [2]
                               unsigned rows, unsigned period, const Stores stores) {
    const Clock now(clock);
#pragma unroll
    for (unsigned n = 0; n < STORES; ++n)
        if (n < stores.count) stores.of[n].ring[now.step % stores.of[n].T] = stores.of[n].x[0];
    now.move(clock, rows, period);
}
