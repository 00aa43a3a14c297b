// log(1 + e) for e in [0, 1], at most 1.04 ulp off: e + e^2 q(e) (docs/numerics.md).
#pragma once

__device__ inline float narrows_log1p(float e) {
    float q = -0x1.b1f45ep-9f;
    q = fmaf(q, e, 0x1.4a731ep-6f);
    q = fmaf(q, e, -0x1.d7d268p-5f);
    q = fmaf(q, e, 0x1.b52d92p-4f);
    q = fmaf(q, e, -0x1.3a62fap-3f);
    q = fmaf(q, e, 0x1.935406p-3f);
    q = fmaf(q, e, -0x1.ff251ap-3f);
    q = fmaf(q, e, 0x1.554dd8p-2f);
    q = fmaf(q, e, -0x1.ffffd2p-2f);
    return fmaf(e * e, q, e);
}
