// uniform: y[i] = fma(u, range, lo), u = (philox(i) >> 8) * 2^-24 in [0, 1), the step being clock[1].
// A thread for four elements. Bound by bytes: 4 per element; about 25 integer operations each.
#include "philox.cuh"
#include "ptx.cuh"

extern "C" __global__ void uniform_fours(const unsigned* __restrict__ clock, // [2]
                                         float* __restrict__ y,              // [N]
                                         unsigned N, float lo, float range, unsigned seed_low, unsigned seed_high, unsigned purpose) {
    const unsigned q = thread_number();
    if (q >= (N + 3) / 4) return;
    const Words w = philox({{q, clock[1], purpose, 0u}}, seed_low, seed_high);
#pragma unroll
    for (unsigned j = 0; j < 4; ++j) {
        const float u = (float)(w.v[j] >> 8) * 0x1p-24f; // 24 bits: exact
        if (4 * q + j < N) y[4 * q + j] = fmaf(u, range, lo);
    }
}
