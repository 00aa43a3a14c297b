// The logistic function, for the ops that have it in them.
#pragma once
#include "exp.cuh"
#include "ptx.cuh"

__device__ inline float sigmoid(float x) {
    const float e = narrows_exp(-fabsf(x));
    const float q = 1.0f + e;
    return x >= 0.0f ? div_rn(1.0f, q) : div_rn(e, q);
}
