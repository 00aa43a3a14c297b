// cut: the k largest numbers of each row, as a threshold: the key of the smallest that is taken, and the index of the
// last one of that key. An element is the pair (key, C - 1 - index), and no two pairs are the same; the k-th largest is
// found eight bits at a time, by counts of integers, whose order does not matter.
// A block for each row. Bound by the latency of shared memory: four passes over the row, which comes from cache after
// the first, and as many more as an index has bytes. One row of a whole batch leaves all but one multiprocessor idle.
#include "key.cuh"

constexpr unsigned BINS = 256, GROUP = 16;

extern "C" __global__ void __launch_bounds__(1024) cut_rows(const unsigned* __restrict__ x, // [R, C], a row per block, as bits
                                                            unsigned* __restrict__ cut,     // [R, 2]
                                                            unsigned C, unsigned k) {
    __shared__ unsigned count[BINS];
    __shared__ unsigned groups[BINS / GROUP];
    __shared__ unsigned chosen[2];
    const unsigned t = threadIdx.x; // the block has at least as many threads as there are bins
    const unsigned* row = x + (unsigned long long)blockIdx.x * C;
    // The upper bits of the pair that are known, as the masks say, and how many of the pairs that have them are taken.
    unsigned least = 0, place = 0, known[2] = {0, 0}, left = k;
    for (unsigned pass = 0; pass < 8; ++pass) {
        const unsigned half = pass / 4, shift = 24 - 8 * (pass % 4);
        // The upper bytes of all indices are 0.
        if (half == 1 && (C - 1) >> shift == 0) {
            known[1] |= 255u << shift;
            continue;
        }
        if (t < BINS) count[t] = 0;
        __syncthreads();
        for (unsigned i = t; i < C; i += blockDim.x) {
            const unsigned mine = key(row[i]), from_end = C - 1 - i;
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
    if (t == 0) {
        cut[2 * blockIdx.x] = least;
        cut[2 * blockIdx.x + 1] = C - 1 - place;
    }
}
