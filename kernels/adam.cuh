// One step of Adam for one parameter (Kingma and Ba 2015), with decoupled weight decay (Loshchilov and Hutter 2019) and
// with PyTorch's placing of eps.
//
//   m = fma(w1, g - m, m)        v = fma(w2 g, g, beta2 v)        p = p keep - ((lr c1) m) / fma(sqrt(v), c2, eps)
#pragma once
#include "ptx.cuh"

// The table's row is {lr, c1, c2, keep} = {learning rate, 1 / (1 - beta1^t), 1 / sqrt(1 - beta2^t), 1 - lr * decay} of
// step clock[1], made in f64 on the host; past its end the last row holds.
struct AdamStep {
    float lr, c1, c2, keep, w1, beta2, w2, eps;

    __device__ AdamStep() : lr(0), c1(0), c2(0), keep(0), w1(0), beta2(0), w2(0), eps(0) {}

    __device__ AdamStep(const float* table, const unsigned* clock, unsigned T, float w1, float beta2, float w2, float eps)
        : w1(w1), beta2(beta2), w2(w2), eps(eps) {
        const unsigned t = clock[1] < T ? clock[1] : T - 1;
        const float* row = table + 4 * (size_t)t;
        lr = row[0], c1 = row[1], c2 = row[2], keep = row[3];
    }

    __device__ void update(float& p, float g, float& m, float& v) const {
        m = fmaf(w1, g - m, m);
        v = fmaf(w2 * g, g, beta2 * v);
        const float d = fmaf(sqrt_rn(v), c2, eps);
        p = p * keep - div_rn((lr * c1) * m, d);
    }
};
