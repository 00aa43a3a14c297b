// rho_kl: y = scale * sum_i rho ln(rho / q) + (1 - rho) ln((1 - rho) / (1 - q)), how far mean activities q are from the
// wanted rho, q kept 2^-20 away from 0 and 1; and its derivative at the kept q: dq = s ((1 - rho) / (1 - q) - rho / q).
// Two logarithms and two divisions an element, for the derivative two divisions.
#include "ln.cuh"
#include "reduce.cuh"

struct RhoKl {
    static __device__ float away(float q) {
        q = q < 0x1p-20f ? 0x1p-20f : q; // comparisons: NaN has to stay NaN
        return q > 1.0f - 0x1p-20f ? 1.0f - 0x1p-20f : q;
    }

    static __device__ float add(float lane, float x, float rho) {
        const float q = away(x), rest = 1.0f - rho;
        return lane + fmaf(rho, narrows_ln(div_rn(rho, q)), rest * narrows_ln(div_rn(rest, 1.0f - q)));
    }

    static __device__ float grad(float x, float rho, float s) {
        const float q = away(x);
        return s * (div_rn(1.0f - rho, 1.0f - q) - div_rn(rho, q));
    }
};

extern "C" __global__ void __launch_bounds__(256) rho_kl_chunks(const float* __restrict__ q, const float* __restrict__ rho,
                                                                float* __restrict__ parts, unsigned N) {
    sum_chunk<RhoKl>(q, rho, parts, N);
}

extern "C" __global__ void rho_kl_grad_each(const float* __restrict__ q, const float* __restrict__ rho,
                                            const float* __restrict__ dy, float* __restrict__ dq, unsigned N, float scale) {
    sum_grad<RhoKl>(q, rho, dy, dq, N, scale);
}
