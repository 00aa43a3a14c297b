// bce: loss = scale * sum_i max(z, 0) - z t + log1p(exp(-|z|)), the binary cross-entropy of sigmoid(z) taken from z itself, where nothing overflows
// and no logarithm meets a 0; and its derivative: dz = (scale * dloss) * (sigmoid(z) - t). The sum has two stages, as in mse.cu.
// The derivative is a thread per element. Bound by bytes: 8 per element, 12 for the derivative; about 35 operations each.
#include "exp.cuh"
#include "ptx.cuh"
#include "reduce.cuh"

// log(1 + e) for e in [0, 1], at most 1.04 ulp off: e + e^2 q(e).
__device__ inline float narrows_log1p(float e) {
    float q = -0x1.b1f45ep-9f;
    q = fmaf(q, e, 0x1.4a731ep-6f);
    q = fmaf(q, e, -0x1.d7d268p-5f);
    q = fmaf(q, e, 0x1.b52d92p-4f);
    q = fmaf(q, e, -0x1.3a62fap-3f);
    q = fmaf(q, e, 0x1.935406p-3f);
    q = fmaf(q, e, -0x1.ff251ap-3f);
    q = fmaf(q, e, 0x1.554dd8p-2f);
    q = fmaf(q, e, -0x1.ffffd2p-2f);
    return fmaf(e * e, q, e);
}

extern "C" __global__ void __launch_bounds__(256) bce_chunks(const float* __restrict__ z,      // [N]
                                                             const float* __restrict__ target, // [N]
                                                             float* __restrict__ work,         // [ceil(N / 4096)], one per block
                                                             unsigned N) {
    float lane = 0.0f;
    for (unsigned j = 0; j < CHUNK / LANES; ++j) {
        const unsigned i = blockIdx.x * CHUNK + j * LANES + threadIdx.x; // below 2^31 + 4096
        if (i < N) {
            const float v = z[i];
            const float above = v > 0.0f ? v : 0.0f;
            lane = lane + (fmaf(-v, target[i], above) + narrows_log1p(narrows_exp(-fabsf(v))));
        }
    }
    const float total = tree(lane);
    if (threadIdx.x == 0) work[blockIdx.x] = total;
}

extern "C" __global__ void __launch_bounds__(256) bce_total(const float* __restrict__ work, // [P]
                                                            float* __restrict__ loss,       // [1]
                                                            unsigned P, float scale) {
    const float total = tree_of_parts(work, P);
    if (threadIdx.x == 0) loss[0] = total * scale;
}

extern "C" __global__ void bce_grad(const float* __restrict__ z,      // [N]
                                    const float* __restrict__ target, // [N]
                                    const float* __restrict__ dloss,  // [1]
                                    float* __restrict__ dz,           // [N]
                                    unsigned N, float scale) {
    const unsigned i = thread_number();
    if (i >= N) return;
    const float v = z[i];
    const float e = narrows_exp(-fabsf(v));
    const float q = 1.0f + e;
    const float y = v >= 0.0f ? div_rn(1.0f, q) : div_rn(e, q);
    const float s = scale * dloss[0];
    dz[i] = s * (y - target[i]);
}
