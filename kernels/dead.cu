// dead: y[r, c] = idle[c] >= least ? x[r, c] : other: what units that have been idle for long make of their rows.
// A thread per element. Bound by bytes: 8 per element.
#include "ptx.cuh"

extern "C" __global__ void dead_each(const unsigned* __restrict__ x,    // [R, C], N elements, as bits
                                     const float* __restrict__ idle,    // [C]
                                     unsigned* __restrict__ y,          // [R, C]
                                     unsigned N, unsigned C, float least, float other) {
    const unsigned i = thread_number();
    if (i < N) y[i] = idle[i % C] >= least ? x[i] : __float_as_uint(other);
}
