// sigmoid: with e = exp(-|x|) and q = 1 + e, y = x >= 0 ? 1 / q : e / q, which overflows nowhere.
// Its derivative is taken from x: dx = dy * (e / (q * q)). Above x = 17 y rounds to 1, and y (1 - y) would be 0 for
// ever. About 30 operations an element each.
#pragma once
#include "map.cuh"
#include "sigmoid.cuh"

struct Sigmoid {
    static __device__ float value(float x) { return sigmoid(x); }

    static __device__ float grad(float x, float dy) {
        const float e = narrows_exp(-fabsf(x));
        const float q = 1.0f + e;
        return dy * div_rn(e, q * q);
    }
};

extern "C" __global__ void sigmoid_each(const float* __restrict__ x, float* __restrict__ y, unsigned N) {
    map_each<Sigmoid>(x, y, N);
}

extern "C" __global__ void sigmoid_grad_each(const float* __restrict__ x, const float* __restrict__ dy, float* __restrict__ dx,
                                         unsigned N) {
    map_grad_each<Sigmoid>(x, dy, dx, N);
}
