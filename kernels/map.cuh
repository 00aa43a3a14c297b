// The loops of a function of one number and of its derivative, which is taken from x and not from y.
// A thread per element. Bound by bytes, 8 per element and 12 for the derivative, unless the function takes many
// operations.
#pragma once
#include "ptx.cuh"

template <typename F>
__device__ inline void map_each(const float* __restrict__ x, // [N]
                                float* __restrict__ y,       // [N]
                                unsigned N) {
    const unsigned i = thread_number();
    if (i < N) y[i] = F::value(x[i]);
}

template <typename F>
__device__ inline void map_grad_each(const float* __restrict__ x,  // [N]
                                     const float* __restrict__ dy, // [N]
                                     float* __restrict__ dx,       // [N]
                                     unsigned N) {
    const unsigned i = thread_number();
    if (i < N) dx[i] = F::grad(x[i], dy[i]);
}
