// Shared text: exp as docs/numerics.md writes it down, 4 ulp. WGSL's own exp is 3 + 2|x| ulp, and lavapipe's 60 ulp off
// at -75.

// By the bits: WGSL may assume that NaN does not occur, so x != x may be folded to false.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// Defined for a NaN too (no shift is out of range), but not NaN everywhere: the caller selects.
fn exponential(argument: f32) -> f32 {
    var x = select(argument, -104.0, argument < -104.0);
    x = select(x, 89.0, x > 89.0);
    let t = fma(x, 0x1.715476p+0f, 0x1.8p+23f);
    let i = bitcast<i32>(t) - 0x4b400000i;
    // Not t - 1.5 * 2^23: WGSL lets a compiler reassociate that into an unrounded x * log2(e), and Mesa's does.
    let n = f32(i);
    var r = fma(n, -0x1.62e400p-1f, x);
    // Changes nothing, as |r| < 0.4, but keeps the two steps apart: joined to x - n * (high + low) they are 67 ulp off
    // at -72 (Mesa 22).
    r = clamp(r, -1.0, 1.0);
    r = fma(n, -0x1.7f7d1cp-20f, r);
    var p = 0x1.6a2352p-10f;
    p = fma(p, r, 0x1.123a6cp-7f);
    p = fma(p, r, 0x1.5558f4p-5f);
    p = fma(p, r, 0x1.555490p-3f);
    p = fma(p, r, 0x1.fffffcp-2f);
    p = fma(p, r, 1.0);
    p = fma(p, r, 1.0);
    let h = i >> 1u;
    let y = (p * power_of_two(h)) * power_of_two(i - h);
    // Subnormals count as 0, on devices that have them too.
    return select(y, 0.0, y < 0x1p-126f);
}

fn power_of_two(k: i32) -> f32 {
    return bitcast<f32>((k + 127) << 23u);
}

