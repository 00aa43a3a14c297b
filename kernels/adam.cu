// One step of Adam (Kingma and Ba 2015) with decoupled weight decay (Loshchilov and Hutter 2019), and with PyTorch's
// placing of eps. The table's row is {lr, c1, c2, keep} = {learning rate, 1 / (1 - beta1^t), 1 / sqrt(1 - beta2^t),
// 1 - lr * decay} of step clock[1], made in f64 on the host; past its end the last row holds.
//
//   m = fma(w1, g - m, m)        v = fma(w2 g, g, beta2 v)        p = p keep - ((lr c1) m) / fma(sqrt(v), c2, eps)
//
// A thread per parameter. Bound by bytes: 28 per parameter.
#include "ptx.cuh"

extern "C" __global__ void adam_each(float* __restrict__ p,              // [N]
                                     const float* __restrict__ g,        // [N]
                                     float* __restrict__ m,              // [N]
                                     float* __restrict__ v,              // [N]
                                     const float* __restrict__ table,    // [T, 4]
                                     const unsigned* __restrict__ clock, // [2]
                                     unsigned N, unsigned T, float w1, float beta2, float w2, float eps) {
    const unsigned i = thread_number();
    if (i >= N) return;
    const unsigned t = clock[1] < T ? clock[1] : T - 1;
    const float* row = table + 4 * (size_t)t;
    const float lr = row[0], c1 = row[1], c2 = row[2], keep = row[3];
    const float gi = g[i];
    const float mi = fmaf(w1, gi - m[i], m[i]);
    const float vi = fmaf(w2 * gi, gi, beta2 * v[i]);
    m[i] = mi;
    v[i] = vi;
    const float d = fmaf(sqrt_rn(vi), c2, eps);
    p[i] = p[i] * keep - div_rn((lr * c1) * mi, d);
}
