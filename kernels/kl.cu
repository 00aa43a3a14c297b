// kl: loss = scale * sum_i (mu^2 + exp(logvar) - logvar - 1), and its derivative by logvar:
// dx = s (exp(logvar) - 1). That by mu is square_sum_grad. About 25 operations an element.
#include "kl.cuh"
#include "reduce.cuh"

struct Kl {
    static __device__ float add(float lane, float mu, float logvar) { return lane + kl_term(mu, logvar); }

    static __device__ float grad(float logvar, float, float s) { return s * (narrows_exp(logvar) - 1.0f); }
};

extern "C" __global__ void __launch_bounds__(256) kl_chunks(const float* __restrict__ mu, const float* __restrict__ logvar,
                                                            float* __restrict__ parts, unsigned N) {
    sum_chunk<Kl>(mu, logvar, parts, N);
}

extern "C" __global__ void kl_grad_each(const float* __restrict__ logvar, const float* __restrict__ dy, float* __restrict__ dx,
                                        unsigned N, float scale) {
    sum_grad<Kl>(logvar, logvar, dy, dx, N, scale);
}
