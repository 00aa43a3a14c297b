// cut: the k largest numbers of each row, as a threshold: the key of the smallest that is taken, and the index of the
// last one of that key.
// A block for each row. Bound by the latency of shared memory: four passes over the row, which comes from cache after
// the first, and as many more as an index has bytes. One row of a whole batch leaves all but one multiprocessor idle.
#include "key.cuh"
#include "kth.cuh"

extern "C" __global__ void __launch_bounds__(1024) cut_rows(const unsigned* __restrict__ x, // [R, C], a row per block, as bits
                                                            unsigned* __restrict__ cut,     // [R, 2]
                                                            unsigned C, unsigned k) {
    const unsigned* row = x + (unsigned long long)blockIdx.x * C;
    const Kth kth = kth_largest(C, k, [=](unsigned i) { return key(row[i]); });
    if (threadIdx.x == 0) {
        cut[2 * blockIdx.x] = kth.key;
        cut[2 * blockIdx.x + 1] = kth.index;
    }
}
