// merge_topk: the K largest numbers of a row so far, and where they stood: of those that are kept and of C new ones the
// K largest, in the order in which they came.
// A block for each row. Bound by bytes where nothing new is large enough, which one pass tells: 4 per element. Else the
// K-th largest is found as in cut, and what is taken moves up, old numbers first.
#include "key.cuh"
#include "kth.cuh"

constexpr unsigned MOST_THREADS = 1024;

// How many elements the threads before this one have, of which this one has `mine`; `sums[blockDim.x - 1]` becomes the
// number of all.
__device__ inline unsigned earlier(unsigned mine, unsigned* sums) {
    const unsigned t = threadIdx.x;
    sums[t] = mine;
    __syncthreads();
    for (unsigned step = 1; step < blockDim.x; step *= 2) {
        const unsigned more = t >= step ? sums[t - step] : 0;
        __syncthreads(); // everybody has read
        sums[t] += more;
        __syncthreads(); // the sums are whole
    }
    return sums[t] - mine;
}

extern "C" __global__ void __launch_bounds__(1024, 1) merge_topk_rows(const unsigned* __restrict__ x, // [R, C], a row per block, as bits
                                                                   const unsigned* __restrict__ clock, // [2]
                                                                   unsigned* __restrict__ values,      // [R, K], as bits
                                                                   unsigned* __restrict__ index,       // [R, K]
                                                                   unsigned C, unsigned K) {
    __shared__ unsigned least, most;
    __shared__ unsigned sums[MOST_THREADS];
    const unsigned t = threadIdx.x, threads = blockDim.x;
    const unsigned* row = x + (unsigned long long)blockIdx.x * C;
    unsigned* kept = values + (unsigned long long)blockIdx.x * K;
    unsigned* from = index + (unsigned long long)blockIdx.x * K;

    if (t == 0) {
        least = 0xffffffffu;
        most = 0;
    }
    __syncthreads(); // the bounds are set
    unsigned low = 0xffffffffu, high = 0;
    for (unsigned i = t; i < K; i += threads) {
        const unsigned mine = key(kept[i]);
        low = mine < low ? mine : low;
    }
    for (unsigned i = t; i < C; i += threads) {
        const unsigned mine = key(row[i]);
        high = mine > high ? mine : high;
    }
    atomicMin(&least, low);
    atomicMax(&most, high);
    __syncthreads(); // the bounds are whole
    if (most <= least) return;

    const Kth kth = kth_largest(K + C, K, [=](unsigned i) { return key(i < K ? kept[i] : row[i - K]); });
    unsigned done = 0;
    for (unsigned start = 0; start < K; start += threads) {
        const unsigned i = start + t, value = i < K ? kept[i] : 0, place = i < K ? from[i] : 0;
        const bool stays = i < K && kth.takes(key(value), i);
        const unsigned to = done + earlier(stays, sums);
        if (stays) {
            kept[to] = value;
            from[to] = place;
        }
        done += sums[threads - 1];
        __syncthreads(); // everybody has read the sum
    }
    // Each thread has some neighbours of the new numbers.
    const unsigned each = (C + threads - 1) / threads, begin = t * each, end = begin + each < C ? begin + each : C;
    unsigned mine = 0;
    for (unsigned i = begin; i < end; ++i) mine += kth.takes(key(row[i]), K + i);
    unsigned to = done + earlier(mine, sums);
    for (unsigned i = begin; i < end && to < K; ++i) {
        if (!kth.takes(key(row[i]), K + i)) continue;
        kept[to] = row[i];
        from[to] = clock[0] + i;
        ++to;
    }
}
