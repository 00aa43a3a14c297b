// add: y = a + b. y may be a or b, so none of them is __restrict__.
// A thread per element. Bound by bytes: 12 per element.
#include "ptx.cuh"

extern "C" __global__ void add(const float* a, // [N]
                               const float* b, // [N]
                               float* y,       // [N]
                               unsigned N) {
    const unsigned i = thread_number();
    if (i < N) y[i] = a[i] + b[i];
}
