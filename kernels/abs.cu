// abs: y = |x|, and its derivative: dx = x > 0 ? dy : x < 0 ? -dy : 0; a NaN in x stays.
// Signs are cleared and turned as bits, which leaves subnormal numbers as they are: fabsf and a minus make them 0.
#pragma once
#include "map.cuh"

struct Abs {
    static __device__ float value(float x) { return __uint_as_float(__float_as_uint(x) & 0x7fffffffu); }

    static __device__ float grad(float x, float dy) {
        const float turned = __uint_as_float(__float_as_uint(dy) ^ 0x80000000u);
        return x > 0.0f ? dy : (x < 0.0f ? turned : (x == x ? 0.0f : x));
    }
};

extern "C" __global__ void abs_each(const float* __restrict__ x, float* __restrict__ y, unsigned N) {
    map_each<Abs>(x, y, N);
}

extern "C" __global__ void abs_grad_each(const float* __restrict__ x, const float* __restrict__ dy, float* __restrict__ dx,
                                         unsigned N) {
    map_grad_each<Abs>(x, dy, dx, N);
}
