// The k-th largest of some keys, of equal ones the first first. An element is the pair (key, N - 1 - index), and no two
// pairs are the same; the k-th largest is found eight bits at a time, by counts of integers, whose order does not
// matter.
#pragma once

constexpr unsigned BINS = 256, GROUP = 16;

struct Kth {
    unsigned key, index;
    // Whether an element is among the k largest.
    __device__ bool takes(unsigned mine, unsigned i) const { return mine > key || (mine == key && i <= index); }
};

// For a whole block, of at least as many threads as there are bins. `key_of(i)` for i below N, which is not below k.
template <class Key> __device__ inline Kth kth_largest(unsigned N, unsigned k, Key key_of) {
    __shared__ unsigned count[BINS];
    __shared__ unsigned groups[BINS / GROUP];
    __shared__ unsigned chosen[2];
    const unsigned t = threadIdx.x;
    // The upper bits of the pair that are known, as the masks say, and how many of the pairs that have them are taken.
    unsigned least = 0, place = 0, known[2] = {0, 0}, left = k;
    for (unsigned pass = 0; pass < 8; ++pass) {
        const unsigned half = pass / 4, shift = 24 - 8 * (pass % 4);
        // The upper bytes of all indices are 0.
        if (half == 1 && (N - 1) >> shift == 0) {
            known[1] |= 255u << shift;
            continue;
        }
        if (t < BINS) count[t] = 0;
        __syncthreads();
        for (unsigned i = t; i < N; i += blockDim.x) {
            const unsigned mine = key_of(i), from_end = N - 1 - i;
            if (((mine ^ least) & known[0]) == 0 && ((from_end ^ place) & known[1]) == 0)
                atomicAdd(&count[(half == 0 ? mine : from_end) >> shift & 255u], 1u);
        }
        __syncthreads();
        if (t < BINS / GROUP) {
            unsigned sum = 0;
            for (unsigned b = 0; b < GROUP; ++b) sum += count[GROUP * t + b];
            groups[t] = sum;
        }
        __syncthreads();
        if (t < BINS) {
            unsigned above = 0; // the pairs in later bins
            for (unsigned g = t / GROUP + 1; g < BINS / GROUP; ++g) above += groups[g];
            for (unsigned b = t + 1; b % GROUP != 0; ++b) above += count[b];
            if (above < left && left <= above + count[t]) {
                chosen[0] = t;
                chosen[1] = left - above;
            }
        }
        __syncthreads();
        (half == 0 ? least : place) |= chosen[0] << shift;
        left = chosen[1];
        known[half] |= 255u << shift;
    }
    return {least, N - 1 - place};
}
