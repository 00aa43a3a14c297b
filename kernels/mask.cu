// mask: y[i] = (philox(i) >> 8) < keep ? x[i] * factor : 0, the step being clock[1]: dropout and masking noise. The
// gradient draws the same mask again. A thread for four elements. Bound by bytes: 8 per element; about 25 integer
// operations each.
#include "philox.cuh"
#include "ptx.cuh"

extern "C" __global__ void mask_fours(const float* __restrict__ x,        // [N]
                                      const unsigned* __restrict__ clock, // [2]
                                      float* __restrict__ y,              // [N]
                                      unsigned N, unsigned keep, float factor, unsigned seed_low, unsigned seed_high, unsigned purpose) {
    const unsigned q = thread_number();
    if (q >= (N + 3) / 4) return;
    const Words w = philox({{q, clock[1], purpose, 0u}}, seed_low, seed_high);
#pragma unroll
    for (unsigned j = 0; j < 4; ++j) {
        const unsigned i = 4 * q + j;
        if (i < N) y[i] = (w.v[j] >> 8) < keep ? x[i] * factor : 0.0f;
    }
}
