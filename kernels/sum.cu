// sum: y[0] = sum_i x[i], and its derivative, broadcast: y[i] = x[0].
// Two stages as in mse.cu: sum_chunks, a block of 256 threads for each 4096 elements; sum_total, one block for all their sums.
// broadcast is a thread per element.
// Bound by bytes: 4 per element; sum_total by latency.
#include "ptx.cuh"
#include "reduce.cuh"

extern "C" __global__ void __launch_bounds__(256) sum_chunks(const float* __restrict__ x, // [N]
                                                             float* __restrict__ work,    // [max(1, ceil(N / 4096))], one per block
                                                             unsigned N) {
    float lane = 0.0f;
    for (unsigned j = 0; j < CHUNK / LANES; ++j) {
        const unsigned i = blockIdx.x * CHUNK + j * LANES + threadIdx.x; // below 2^31 + 4096
        if (i < N) lane = lane + x[i];
    }
    const float total = tree(lane);
    if (threadIdx.x == 0) work[blockIdx.x] = total;
}

extern "C" __global__ void __launch_bounds__(256) sum_total(const float* __restrict__ work, // [P]
                                                            float* __restrict__ y,          // [1]
                                                            unsigned P) {
    const float total = tree_of_parts(work, P);
    if (threadIdx.x == 0) y[0] = total;
}

extern "C" __global__ void broadcast(const float* __restrict__ x, // [1]
                                     float* __restrict__ y,       // [N]
                                     unsigned N) {
    const unsigned i = thread_number();
    if (i < N) y[i] = x[0];
}
