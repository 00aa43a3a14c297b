// The end of a step: numbers of it are stored, each at the clock's entry of its ring, and the clock is advanced.
// One thread. Bound by the latency of a launch.
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
    const unsigned step = clock[1];
#pragma unroll
    for (unsigned n = 0; n < STORES; ++n)
        if (n < stores.count) stores.of[n].ring[step % stores.of[n].T] = stores.of[n].x[0];
    clock[0] = (unsigned)(((unsigned long long)clock[0] + rows) % period);
    clock[1] = step + 1;
}
