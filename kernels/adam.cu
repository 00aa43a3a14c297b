// adam: one step of Adam for a list of parameters. A thread per parameter. Bound by bytes: 28 per parameter.
#include "adam.cuh"

extern "C" __global__ void adam_each(float* __restrict__ p,              // [N]
                                     const float* __restrict__ g,        // [N]
                                     float* __restrict__ m,              // [N]
                                     float* __restrict__ v,              // [N]
                                     const float* __restrict__ table,    // [T, 4]
                                     const unsigned* __restrict__ clock, // [2]
                                     unsigned N, unsigned T, float w1, float beta2, float w2, float eps) {
    const unsigned i = thread_number();
    if (i >= N) return;
    AdamStep(table, clock, T, w1, beta2, w2, eps).update(p[i], g[i], m[i], v[i]);
}
