// square_sum: y[0] = sum_i x[i]^2, in the two stages of sum.cu. clip: y[i] = x[i] * min(1, most / (sqrt(square[0]) + 1e-6)), a thread per element,
// each of which computes the factor anew: that is cheaper than a launch. A norm that is NaN stays one.
// Bound by bytes: 4 per element for the sum, 8 to clip.
#include "ptx.cuh"
#include "reduce.cuh"

extern "C" __global__ void __launch_bounds__(256) square_sum_chunks(const float* __restrict__ x, // [N]
                                                                    float* __restrict__ work,    // [max(1, ceil(N / 4096))], one per block
                                                                    unsigned N) {
    float lane = 0.0f;
    for (unsigned j = 0; j < CHUNK / LANES; ++j) {
        const unsigned i = blockIdx.x * CHUNK + j * LANES + threadIdx.x; // below 2^31 + 4096
        if (i < N) lane = fmaf(x[i], x[i], lane);
    }
    const float total = tree(lane);
    if (threadIdx.x == 0) work[blockIdx.x] = total;
}

extern "C" __global__ void __launch_bounds__(256) square_sum_total(const float* __restrict__ work, // [P]
                                                                   float* __restrict__ y,          // [1]
                                                                   unsigned P) {
    const float total = tree_of_parts(work, P);
    if (threadIdx.x == 0) y[0] = total;
}

// y may be x, so neither is restricted.
extern "C" __global__ void clip(const float* x,                     // [N]
                                const float* __restrict__ square,   // [1]
                                float* y,                           // [N]
                                unsigned N, float most) {
    const unsigned i = thread_number();
    if (i >= N) return;
    const float factor = div_rn(most, sqrt_rn(square[0]) + 1e-6f);
    y[i] = x[i] * (factor > 1.0f ? 1.0f : factor);
}
