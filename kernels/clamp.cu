// clamp: y = (x < lo ? lo : x > hi ? hi : x) + 0, and its derivative: dx = x < lo or x > hi ? 0 : dy. Comparisons, not
// fminf and fmaxf: NaN has to stay NaN. The addition of 0 makes what is subnormal 0.
// A thread per element. Bound by bytes: 8 per element and 12 for the derivative.
#include "ptx.cuh"

extern "C" __global__ void clamp_each(const float* __restrict__ x, // [N]
                                      float* __restrict__ y,       // [N]
                                      unsigned N, float lo, float hi) {
    const unsigned i = thread_number();
    if (i >= N) return;
    const float near = x[i] < lo ? lo : x[i] > hi ? hi : x[i];
    y[i] = near + 0.0f;
}

extern "C" __global__ void clamp_grad_each(const float* __restrict__ x,  // [N]
                                           const float* __restrict__ dy, // [N]
                                           float* __restrict__ dx,       // [N]
                                           unsigned N, float lo, float hi) {
    const unsigned i = thread_number();
    if (i < N) dx[i] = x[i] < lo || x[i] > hi ? 0.0f : dy[i];
}
