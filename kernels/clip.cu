// clip: y[i] = x[i] * min(1, most / (sqrt(square[0]) + 1e-6)), a thread per element, each of which computes the factor
// anew: that is cheaper than a launch. A norm that is NaN stays one. Bound by bytes: 8 per element.
#include "ptx.cuh"

// y may be x, so neither is restricted.
extern "C" __global__ void clip_each(const float* x,                     // [N]
                                     const float* __restrict__ square,   // [1]
                                     float* y,                           // [N]
                                     unsigned N, float most) {
    const unsigned i = thread_number();
    if (i >= N) return;
    const float factor = div_rn(most, sqrt_rn(square[0]) + 1e-6f);
    y[i] = x[i] * (factor > 1.0f ? 1.0f : factor);
}
