// softplus: y = log(1 + exp(x)), as max(x, 0) + log1p(exp(-|x|)), so that nothing overflows; its derivative:
// dx = dy sigmoid(x). About 35 and 30 operations an element.
#pragma once
#include "log1p.cuh"
#include "map.cuh"
#include "sigmoid.cuh"

struct Softplus {
    static __device__ float value(float x) {
        const float above = x > 0.0f ? x : 0.0f;
        return above + narrows_log1p(narrows_exp(-fabsf(x)));
    }

    static __device__ float grad(float x, float dy) { return dy * sigmoid(x); }
};

extern "C" __global__ void softplus_each(const float* __restrict__ x, float* __restrict__ y, unsigned N) {
    map_each<Softplus>(x, y, N);
}

extern "C" __global__ void softplus_grad_each(const float* __restrict__ x, const float* __restrict__ dy, float* __restrict__ dx,
                                             unsigned N) {
    map_grad_each<Softplus>(x, dy, dx, N);
}
