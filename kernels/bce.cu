// bce: y = scale * sum_i max(x, 0) - x t + log1p(exp(-|x|)), the binary cross-entropy of sigmoid(x) taken from x
// itself, where nothing overflows and no logarithm meets a 0; and its derivative: dx = s (sigmoid(x) - t). About 35
// operations an element.
#pragma once
#include "reduce.cuh"
#include "log1p.cuh"
#include "sigmoid.cuh"

struct Bce {
    static __device__ float add(float lane, float x, float target) {
        const float above = x > 0.0f ? x : 0.0f;
        return lane + (fmaf(-x, target, above) + narrows_log1p(narrows_exp(-fabsf(x))));
    }

    static __device__ float grad(float x, float target, float s) { return s * (sigmoid(x) - target); }
};

extern "C" __global__ void __launch_bounds__(256) bce_chunks(const float* __restrict__ x, const float* __restrict__ target,
                                                             float* __restrict__ parts, unsigned N) {
    sum_chunk<Bce>(x, target, parts, N);
}

extern "C" __global__ void bce_grad_each(const float* __restrict__ x, const float* __restrict__ target,
                                         const float* __restrict__ dy, float* __restrict__ dx, unsigned N, float scale) {
    sum_grad<Bce>(x, target, dy, dx, N, scale);
}
