// exp(x), the same range reduction and polynomial as in the other two languages (docs/numerics.md): the same bits, at
// most 0.88 ulp off. Never call expf or __expf in a kernel: neither has these bits.
#pragma once

// 2^k for -127 < k < 128. Whatever k is, nothing is undefined: a NaN's exponent arrives here too, and is multiplied by
// NaN.
__device__ inline float power_of_two(int k) { return __uint_as_float((unsigned)(k + 127) << 23); }

__device__ inline float narrows_exp(float x) {
    x = x < -104.0f ? -104.0f : x; // comparisons, not fminf: NaN has to stay NaN
    x = x > 89.0f ? 89.0f : x;
    const float t = fmaf(x, 0x1.715476p+0f, 0x1.8p+23f);
    const int i = (int)__float_as_uint(t) - 0x4B400000;
    const float n = t - 0x1.8p+23f;
    float r = fmaf(n, -0x1.62e400p-1f, x);
    r = fmaf(n, -0x1.7f7d1cp-20f, r);
    float p = 0x1.6a2352p-10f;
    p = fmaf(p, r, 0x1.123a6cp-7f);
    p = fmaf(p, r, 0x1.5558f4p-5f);
    p = fmaf(p, r, 0x1.555490p-3f);
    p = fmaf(p, r, 0x1.fffffcp-2f);
    p = fmaf(p, r, 1.0f);
    p = fmaf(p, r, 1.0f);
    const int h = i >> 1;
    return (p * power_of_two(h)) * power_of_two(i - h);
}
