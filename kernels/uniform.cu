// uniform: y[i] = fma(u, range, lo), u = (philox(i) >> 8) * 2^-24 in [0, 1).
// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). Key: the seed. Counter: (i / 4, step, purpose, 0), step =
// clock[1]; element i takes output word i mod 4. A thread computes one counter, and so four elements.
// Bound by bytes: 4 per element; about 25 integer operations each.
#include "ptx.cuh"

struct Words {
    unsigned v[4];
};

__device__ inline Words philox(Words c, unsigned k0, unsigned k1) {
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        const unsigned long long p0 = 0xD2511F53ull * c.v[0], p1 = 0xCD9E8D57ull * c.v[2];
        c = {{(unsigned)(p1 >> 32) ^ c.v[1] ^ k0, (unsigned)p1, (unsigned)(p0 >> 32) ^ c.v[3] ^ k1, (unsigned)p0}};
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

extern "C" __global__ void uniform(const unsigned* __restrict__ clock, // [2]
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
