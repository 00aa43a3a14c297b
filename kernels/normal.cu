// normal: y = fma(z, std, mean), z normal by Box and Muller: a point at a random angle, whose distance from the origin
// has the distribution of two normal numbers'. Words 2j and 2j + 1 of Philox give elements 2j, the cosine, and 2j + 1,
// the sine; the step is clock[1]. A thread for four elements. Bound by bytes: 4 per element; about 25 integer
// operations and 25 others each.
#include "ln.cuh"
#include "philox.cuh"
#include "ptx.cuh"

struct Pair {
    float cosine, sine;
};

// Of 24 bits each.
__device__ inline Pair normal_pair(unsigned length, unsigned turn) {
    const float u = (float)(length + 1u) * 0x1p-24f;
    const float r = sqrt_rn(-2.0f * narrows_ln(u));
    const unsigned quarter = (turn + 0x200000u) >> 22;                    // the nearest
    const float t = (float)((int)turn - (int)(quarter << 22)) * 0x1p-22f; // what is left, in quarters: at most 1/2
    const float w = t * t;
    float s = -0x1.33198cp-8f;
    s = fmaf(s, w, 0x1.4680a4p-4f);
    s = fmaf(s, w, -0x1.4abc24p-1f);
    s = fmaf(s, w, 0x1.921fb6p+0f);
    s = s * t;
    float c = 0x1.d4f7eep-11f;
    c = fmaf(c, w, -0x1.55b2b6p-6f);
    c = fmaf(c, w, 0x1.03c1b0p-2f);
    c = fmaf(c, w, -0x1.3bd3ccp+0f);
    c = fmaf(c, w, 1.0f);
    const float x = quarter & 1u ? s : c, y = quarter & 1u ? c : s;
    return {r * ((quarter + 1u) & 2u ? -x : x), r * (quarter & 2u ? -y : y)};
}

extern "C" __global__ void normal_fours(const unsigned* __restrict__ clock, // [2]
                                        float* __restrict__ y,              // [N]
                                        unsigned N, float mean, float std, unsigned seed_low, unsigned seed_high, unsigned purpose) {
    const unsigned q = thread_number();
    if (q >= (N + 3) / 4) return;
    const Words w = philox({{q, clock[1], purpose, 0u}}, seed_low, seed_high);
#pragma unroll
    for (unsigned j = 0; j < 4; j += 2) {
        const Pair z = normal_pair(w.v[j] >> 8, w.v[j + 1] >> 8);
        if (4 * q + j < N) y[4 * q + j] = fmaf(z.cosine, std, mean);
        if (4 * q + j + 1 < N) y[4 * q + j + 1] = fmaf(z.sine, std, mean);
    }
}
