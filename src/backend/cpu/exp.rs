//! The one `exp`: range reduction and polynomial of docs/numerics.md.

/// `exp(x)`, within 0.88 ulp; NaN stays NaN.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const SHIFT: f32 = 12582912.0; // 1.5 * 2^23: adding it rounds to an integer
    let x = if x < -104.0 { -104.0 } else { x };
    let x = if x > 89.0 { 89.0 } else { x };
    let t = x.mul_add(f32::from_bits(0x3FB8AA3B), SHIFT);
    let i = (t.to_bits() as i32).wrapping_sub(0x4B400000);
    let n = t - SHIFT;
    let r = n.mul_add(-f32::from_bits(0x3F317200), x);
    let r = n.mul_add(-f32::from_bits(0x35BFBE8E), r);
    let p = f32::from_bits(0x3AB511A9);
    let p = p.mul_add(r, f32::from_bits(0x3C091D36));
    let p = p.mul_add(r, f32::from_bits(0x3D2AAC7A));
    let p = p.mul_add(r, f32::from_bits(0x3E2AAA48));
    let p = p.mul_add(r, f32::from_bits(0x3EFFFFFE));
    let p = p.mul_add(r, 1.0);
    let p = p.mul_add(r, 1.0);
    let h = i >> 1;
    p * power(h) * power(i.wrapping_sub(h))
}

/// 2^k for k in -126..=127; for NaN's nonsense k, some number.
#[inline(always)]
fn power(k: i32) -> f32 {
    f32::from_bits((k.wrapping_add(127) as u32) << 23)
}
