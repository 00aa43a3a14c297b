// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). Key: the seed. Counter: (i / 4,
// step, purpose, 0); element i takes output word i mod 4. A thread computes one counter, and so serves four elements.
#pragma once

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
