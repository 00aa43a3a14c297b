// scale: y = x * factor. y may be x, so neither is __restrict__.
// A thread per element. Bound by bytes: 8 per element.
#include "ptx.cuh"

extern "C" __global__ void scale_each(const float* x, // [N]
                                      float* y,       // [N]
                                      unsigned N, float factor) {
    const unsigned i = thread_number();
    if (i < N) y[i] = x[i] * factor;
}
