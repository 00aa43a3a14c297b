// mse: loss = scale * sum_i (y[i] - target[i])^2, and its derivative: dy[i] = (scale * dloss) * (y[i] - target[i]).
// The sum has two stages: mse_chunks, a block of 256 threads for each 4096 elements; mse_total, one block for all their sums. A thread of the
// first stage takes elements 256 apart, so that neighbours read neighbours. The derivative is a thread per element.
// Bound by bytes: 8 per element, 12 for the derivative; mse_total by latency.
#include "ptx.cuh"
#include "reduce.cuh"

extern "C" __global__ void __launch_bounds__(256) mse_chunks(const float* __restrict__ y,      // [N]
                                                             const float* __restrict__ target, // [N]
                                                             float* __restrict__ work,         // [ceil(N / 4096)], one per block
                                                             unsigned N) {
    float lane = 0.0f;
    for (unsigned j = 0; j < CHUNK / LANES; ++j) {
        const unsigned i = blockIdx.x * CHUNK + j * LANES + threadIdx.x; // below 2^31 + 4096
        if (i < N) {
            const float d = y[i] - target[i];
            lane = fmaf(d, d, lane);
        }
    }
    const float total = tree(lane);
    if (threadIdx.x == 0) work[blockIdx.x] = total;
}

extern "C" __global__ void __launch_bounds__(256) mse_total(const float* __restrict__ work, // [P]
                                                            float* __restrict__ loss,       // [1]
                                                            unsigned P, float scale) {
    const float total = tree_of_parts(work, P);
    if (threadIdx.x == 0) loss[0] = total * scale;
}

extern "C" __global__ void mse_grad(const float* __restrict__ y,      // [N]
                                    const float* __restrict__ target, // [N]
                                    const float* __restrict__ dloss,  // [1]
                                    float* __restrict__ dy,           // [N]
                                    unsigned N, float scale) {
    const unsigned i = thread_number();
    if (i >= N) return;
    const float s = scale * dloss[0];
    dy[i] = s * (y[i] - target[i]);
}
