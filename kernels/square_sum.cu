// square_sum: y = sum_i x[i]^2, and its derivative: dx[i] = s x[i], s with a factor of 2 in it.
#pragma once
#include "reduce.cuh"

struct SquareSum {
    static __device__ float add(float lane, float x, float) { return fmaf(x, x, lane); }

    static __device__ float grad(float x, float, float s) { return s * x; }
};

extern "C" __global__ void __launch_bounds__(256) square_sum_chunks(const float* __restrict__ x, float* __restrict__ parts, unsigned N) {
    sum_chunk<SquareSum>(x, x, parts, N);
}

extern "C" __global__ void square_sum_grad_each(const float* __restrict__ x, const float* __restrict__ dy, float* __restrict__ dx, unsigned N, float scale) {
    sum_grad<SquareSum>(x, x, dy, dx, N, scale);
}
