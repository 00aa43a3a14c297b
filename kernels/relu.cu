// relu: y = x > 0 ? x : (x is NaN ? x : 0), and its derivative: dx = x <= 0 ? 0 : dy, so relu'(0) = 0.
// A thread per element. Bound by bytes: 8 per element, 12 for the derivative.
// fmaxf(x, 0) would lose NaN, and with it the step that diverged.
#include "ptx.cuh"

extern "C" __global__ void relu(const float* __restrict__ x, // [N]
                                float* __restrict__ y,       // [N]
                                unsigned N) {
    const unsigned i = thread_number();
    if (i >= N) return;
    const float v = x[i];
    y[i] = v > 0.0f ? v : (v == v ? 0.0f : v);
}

extern "C" __global__ void relu_grad(const float* __restrict__ x,  // [N]
                                     const float* __restrict__ dy, // [N]
                                     float* __restrict__ dx,       // [N]
                                     unsigned N) {
    const unsigned i = thread_number();
    if (i >= N) return;
    dx[i] = x[i] <= 0.0f ? 0.0f : dy[i];
}
