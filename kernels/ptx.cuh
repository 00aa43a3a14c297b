// Every instruction that we ask for by name, with a host twin, so that g++ can compile the kernels for the tests.
// The rounding is part of each name: no compiler flag can change what these compute.
#pragma once

// a / b, correctly rounded.
__device__ inline float div_rn(float a, float b) {
#ifdef __CUDA_ARCH__
    return __fdiv_rn(a, b);
#else
    return a / b;
#endif
}

// The square root of a, correctly rounded.
__device__ inline float sqrt_rn(float a) {
#ifdef __CUDA_ARCH__
    return __fsqrt_rn(a);
#else
    return __builtin_sqrtf(a);
#endif
}

// The number of this thread in a one-dimensional grid. A grid covers at most 2^31 - 1 elements, rounded up to whole
// blocks, so 32 bits hold it.
__device__ inline unsigned thread_number() { return blockIdx.x * blockDim.x + threadIdx.x; }
