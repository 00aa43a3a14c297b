// Shared text: the natural logarithm of positive normal numbers, all that ops ask for, as docs/numerics.md writes it
// down. WGSL's own log is good to 3 ulp, but near 1 only to 2^-21.

fn logarithm(x: f32) -> f32 {
    let bits = bitcast<i32>(x);
    let exponent = (bits - 0x3f3504f3i) >> 23u;
    let f = bitcast<f32>(bits - (exponent << 23u)) - 1.0;
    var p = -0x1.381392p-4f;
    p = fma(p, f, 0x1.087506p-3f);
    p = fma(p, f, -0x1.0f520ap-3f);
    p = fma(p, f, 0x1.226c84p-3f);
    p = fma(p, f, -0x1.5423e8p-3f);
    p = fma(p, f, 0x1.99a41cp-3f);
    p = fma(p, f, -0x1.000438p-2f);
    p = fma(p, f, 0x1.555550p-2f);
    p = fma(p, f, -0x1.fffff8p-2f);
    let r = fma(f * f, p, f);
    let e = f32(exponent);
    return fma(e, 0x1.62e400p-1f, fma(e, 0x1.7f7d1cp-20f, r));
}
