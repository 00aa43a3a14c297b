// silu: y = x sigmoid(x), and its derivative: dx = dy (s + x s sigmoid(-x)), s = sigmoid(x).
// Where a sigmoid is 0, x may be infinite. About 35 and 65 operations an element.
#pragma once
#include "map.cuh"
#include "sigmoid.cuh"

struct Silu {
    static __device__ float value(float x) { return (x < -104.0f ? -104.0f : x) * sigmoid(x); }

    static __device__ float grad(float x, float dy) {
        float near = x < -104.0f ? -104.0f : x;
        near = near > 104.0f ? 104.0f : near;
        const float s = sigmoid(x);
        return dy * fmaf(near * sigmoid(-x), s, s);
    }
};

extern "C" __global__ void silu_each(const float* __restrict__ x, float* __restrict__ y, unsigned N) {
    map_each<Silu>(x, y, N);
}

extern "C" __global__ void silu_grad_each(const float* __restrict__ x, const float* __restrict__ dy, float* __restrict__ dx,
                                         unsigned N) {
    map_grad_each<Silu>(x, dy, dx, N);
}
