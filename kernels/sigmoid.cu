// sigmoid: with e = exp(-|x|) and q = 1 + e, y = x >= 0 ? 1 / q : e / q, which overflows nowhere.
// Its derivative is taken from x, not from y: dx = dy * (e / (q * q)). Above x = 17 y rounds to 1, and y (1 - y) would be 0 for ever.
// A thread per element. Bound by bytes: 8 per element, 12 for the derivative; about 30 operations each.
#include "exp.cuh"
#include "ptx.cuh"

extern "C" __global__ void sigmoid(const float* __restrict__ x, // [N]
                                   float* __restrict__ y,       // [N]
                                   unsigned N) {
    const unsigned i = thread_number();
    if (i >= N) return;
    const float v = x[i];
    const float e = narrows_exp(-fabsf(v));
    const float q = 1.0f + e;
    y[i] = v >= 0.0f ? div_rn(1.0f, q) : div_rn(e, q);
}

extern "C" __global__ void sigmoid_grad(const float* __restrict__ x,  // [N]
                                        const float* __restrict__ dy, // [N]
                                        float* __restrict__ dx,       // [N]
                                        unsigned N) {
    const unsigned i = thread_number();
    if (i >= N) return;
    const float e = narrows_exp(-fabsf(x[i]));
    const float q = 1.0f + e;
    dx[i] = dy[i] * div_rn(e, q * q);
}
