// scale_by: y = x * table[min(step, T - 1), column], step = clock[1]: a factor that changes with the step.
// A thread per element; the factor comes from cache. Bound by bytes: 8 per element.
#include "ptx.cuh"

extern "C" __global__ void scale_by_each(const float* __restrict__ x,        // [N]
                                         const float* __restrict__ table,    // [T, C]
                                         const unsigned* __restrict__ clock, // [2]
                                         float* __restrict__ y,              // [N]
                                         unsigned N, unsigned T, unsigned C, unsigned column) {
    const unsigned i = thread_number();
    if (i >= N) return;
    const unsigned row = clock[1] < T ? clock[1] : T - 1;
    y[i] = x[i] * table[(size_t)row * C + column];
}
