// The loop of a function of two numbers. y may be a or b, so none of them is __restrict__.
// A thread per element. Bound by bytes: 12 per element.
#pragma once
#include "ptx.cuh"

template <typename F>
__device__ inline void zip_each(const float* a, // [N]
                                const float* b, // [N]
                                float* y,       // [N]
                                unsigned N) {
    const unsigned i = thread_number();
    if (i < N) y[i] = F::value(a[i], b[i]);
}
