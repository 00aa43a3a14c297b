// leaky: y = x above 0, else 0.01 x, and its derivative: dx = x <= 0 ? 0.01 dy : dy.
#pragma once
#include "map.cuh"

struct Leaky {
    static __device__ float value(float x) { return x > 0.0f ? x : 0.01f * x; }

    static __device__ float grad(float x, float dy) { return x <= 0.0f ? 0.01f * dy : dy; }
};

extern "C" __global__ void leaky_each(const float* __restrict__ x, float* __restrict__ y, unsigned N) {
    map_each<Leaky>(x, y, N);
}

extern "C" __global__ void leaky_grad_each(const float* __restrict__ x, const float* __restrict__ dy, float* __restrict__ dx,
                                          unsigned N) {
    map_grad_each<Leaky>(x, dy, dx, N);
}
