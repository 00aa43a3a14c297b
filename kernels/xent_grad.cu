// xent_grad: dz[r, c] = dy[r] (exp(z[r, c] - lse[r]) - (c == label[r])): the softmax of each row, less 1 at its label.
// A label past the last class counts as it. A thread per element. Bound by bytes, 8 per element, and an exp.
#include "exp.cuh"
#include "ptx.cuh"

extern "C" __global__ void xent_grad_each(const float* __restrict__ z,        // [R, C], N elements
                                          const unsigned* __restrict__ label, // [R]
                                          const float* __restrict__ lse,      // [R]
                                          const float* __restrict__ dy,       // [R]
                                          float* __restrict__ dz,             // [R, C]
                                          unsigned N, unsigned C) {
    const unsigned i = thread_number();
    if (i >= N) return;
    const unsigned r = i / C, at = label[r] < C ? label[r] : C - 1;
    dz[i] = dy[r] * (narrows_exp(z[i] - lse[r]) - (i - r * C == at ? 1.0f : 0.0f));
}
