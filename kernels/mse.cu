// mse: y = scale * sum_i (x[i] - target[i])^2, and its derivative: dx[i] = s (x[i] - target[i]), s with a factor of 2
// in it.
#pragma once
#include "reduce.cuh"

struct Mse {
    static __device__ float add(float lane, float x, float target) {
        const float d = x - target;
        return fmaf(d, d, lane);
    }

    static __device__ float grad(float x, float target, float s) { return s * (x - target); }
};

extern "C" __global__ void __launch_bounds__(256) mse_chunks(const float* __restrict__ x, const float* __restrict__ target,
                                                             float* __restrict__ parts, unsigned N) {
    sum_chunk<Mse>(x, target, parts, N);
}

extern "C" __global__ void mse_grad_each(const float* __restrict__ x, const float* __restrict__ target,
                                         const float* __restrict__ dy, float* __restrict__ dx, unsigned N, float scale) {
    sum_grad<Mse>(x, target, dy, dx, N, scale);
}
