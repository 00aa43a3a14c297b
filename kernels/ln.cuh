// The natural logarithm, at most 0.92 ulp off: x = m 2^e, m from the root of 1/2 to that of 2; ln m is a polynomial of
// m - 1, which is exact (docs/numerics.md). What counts as 0 gives -infinity, what lies below it NaN; infinity and NaN
// stay. Never call logf or __logf in a kernel: neither has these bits.
#pragma once

__device__ inline float narrows_ln(float x) {
    const unsigned bits = __float_as_uint(x);
    const int exponent = (int)(bits - 0x3F3504F3u) >> 23;
    const float f = __uint_as_float(bits - ((unsigned)exponent << 23)) - 1.0f;
    float p = -0x1.381392p-4f;
    p = fmaf(p, f, 0x1.087506p-3f);
    p = fmaf(p, f, -0x1.0f520ap-3f);
    p = fmaf(p, f, 0x1.226c84p-3f);
    p = fmaf(p, f, -0x1.5423e8p-3f);
    p = fmaf(p, f, 0x1.99a41cp-3f);
    p = fmaf(p, f, -0x1.000438p-2f);
    p = fmaf(p, f, 0x1.555550p-2f);
    p = fmaf(p, f, -0x1.fffff8p-2f);
    const float r = fmaf(f * f, p, f), e = (float)exponent;
    float y = fmaf(e, 0x1.7f7d1cp-20f, r);
    y = fmaf(e, 0x1.62e400p-1f, y);
    if (x <= 0.0f) y = __uint_as_float(x == 0.0f ? 0xFF800000u : 0x7FC00000u);
    return x < __uint_as_float(0x7F800000u) ? y : x;
}
