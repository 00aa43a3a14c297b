// relu: y = x > 0 ? x : (x is NaN ? x : 0), and its derivative: dx = x <= 0 ? 0 : dy, so relu'(0) = 0.
// fmaxf(x, 0) would lose NaN, and with it the step that diverged. The addition of 0 turns a subnormal x into 0, as a
// comparison takes it: the driver's assembler may make one instruction of comparison and choice, which passes it on.
#pragma once
#include "map.cuh"

struct Relu {
    static __device__ float value(float x) { return x > 0.0f ? x + 0.0f : (x == x ? 0.0f : x); }

    static __device__ float grad(float x, float dy) { return x <= 0.0f ? 0.0f : dy; }
};

extern "C" __global__ void relu_each(const float* __restrict__ x, float* __restrict__ y, unsigned N) {
    map_each<Relu>(x, y, N);
}

extern "C" __global__ void relu_grad_each(const float* __restrict__ x, const float* __restrict__ dy, float* __restrict__ dx,
                                         unsigned N) {
    map_grad_each<Relu>(x, dy, dx, N);
}
