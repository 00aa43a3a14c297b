// abs_sum: y = scale * sum_i |x[i]|, and its derivative: dx = x > 0 ? s : x < 0 ? -s : 0; a NaN in x stays.
#include "reduce.cuh"

struct AbsSum {
    static __device__ float add(float lane, float x, float) { return lane + fabsf(x); }

    static __device__ float grad(float x, float, float s) { return x > 0.0f ? s : (x < 0.0f ? -s : (x == x ? 0.0f : x)); }
};

extern "C" __global__ void __launch_bounds__(256) abs_sum_chunks(const float* __restrict__ x, float* __restrict__ parts, unsigned N) {
    sum_chunk<AbsSum>(x, x, parts, N);
}

extern "C" __global__ void abs_sum_grad_each(const float* __restrict__ x, const float* __restrict__ dy, float* __restrict__ dx,
                                             unsigned N, float scale) {
    sum_grad<AbsSum>(x, x, dy, dx, N, scale);
}
