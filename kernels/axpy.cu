// axpy: y = fma(b, factor, a). y may be a or b, so none of them is __restrict__.
// A thread per element. Bound by bytes: 12 per element.
#include "ptx.cuh"

extern "C" __global__ void axpy_each(const float* a, // [N]
                                     const float* b, // [N]
                                     float* y,       // [N]
                                     unsigned N, float factor) {
    const unsigned i = thread_number();
    if (i < N) y[i] = fmaf(b[i], factor, a[i]);
}
