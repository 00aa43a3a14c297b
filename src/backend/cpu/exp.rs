//! `exp`, `log1p` and `ln` for the ops: the polynomials of docs/numerics.md.

use super::fma::Fma;

/// `exp(x)`, within 0.88 ulp; NaN stays NaN.
#[inline(always)]
pub(super) fn exp<F: Fma>(x: f32) -> f32 {
    let x = if x < -104.0 { -104.0 } else { x };
    let x = if x > 89.0 { 89.0 } else { x };
    let (p, i) = reduced::<F>(x);
    let h = i >> 1;
    (p * power_of_two(h)) * power_of_two(i - h)
}

/// `exp(x)` for x <= 0: the same bits with fewer steps. The power of 2 is one factor here, where the page has two: a
/// result too small for one factor counts as 0 either way.
#[inline(always)]
pub(super) fn exp_negative<F: Fma>(x: f32) -> f32 {
    debug_assert!(x.is_nan() || x <= 0.0);
    let x = if x < -104.0 { -104.0 } else { x };
    let (p, i) = reduced::<F>(x);
    p * power_of_two(i.max(-127))
}

/// The float with the bits `(k + 127) << 23`: `2^k` for k from -126 to 127, and 0 for -127. A NaN's exponent may be any
/// number, and is multiplied by NaN.
#[inline(always)]
fn power_of_two(k: i32) -> f32 {
    f32::from_bits((k.wrapping_add(127) as u32) << 23)
}

/// {p, i}: `exp(x) = p 2^i`.
#[inline(always)]
fn reduced<F: Fma>(x: f32) -> (f32, i32) {
    const SHIFT: f32 = 12582912.0; // 1.5 * 2^23: adding it rounds to an integer
    let t = F::fma(x, f32::from_bits(0x3FB8AA3B), SHIFT);
    let n = t - SHIFT;
    let r = F::fma(n, -f32::from_bits(0x3F317200), x);
    let r = F::fma(n, -f32::from_bits(0x35BFBE8E), r);
    let p = f32::from_bits(0x3AB511A9);
    let p = F::fma(p, r, f32::from_bits(0x3C091D36));
    let p = F::fma(p, r, f32::from_bits(0x3D2AAC7A));
    let p = F::fma(p, r, f32::from_bits(0x3E2AAA48));
    let p = F::fma(p, r, f32::from_bits(0x3EFFFFFE));
    let p = F::fma(p, r, 1.0);
    let p = F::fma(p, r, 1.0);
    (p, (t.to_bits() as i32).wrapping_sub(0x4B400000))
}

/// `log(1 + e)` for e in [0, 1], within 1.04 ulp: `e + e^2 q(e)`.
#[inline(always)]
pub(super) fn log1p<F: Fma>(e: f32) -> f32 {
    let q = f32::from_bits(0xBB58FA2F);
    let q = F::fma(q, e, f32::from_bits(0x3CA5398F));
    let q = F::fma(q, e, f32::from_bits(0xBD6BE934));
    let q = F::fma(q, e, f32::from_bits(0x3DDA96C9));
    let q = F::fma(q, e, f32::from_bits(0xBE1D317D));
    let q = F::fma(q, e, f32::from_bits(0x3E49AA03));
    let q = F::fma(q, e, f32::from_bits(0xBE7F928D));
    let q = F::fma(q, e, f32::from_bits(0x3EAAA6EC));
    let q = F::fma(q, e, f32::from_bits(0xBEFFFFE9));
    F::fma(e * e, q, e)
}

/// The natural logarithm, within 0.92 ulp. What counts as 0 gives -infinity, what lies below it NaN; infinity and NaN
/// stay.
#[inline(always)]
pub(super) fn ln<F: Fma>(x: f32) -> f32 {
    // x = m 2^e, m from the root of 1/2 to that of 2; m - 1 is exact.
    let bits = x.to_bits() as i32;
    let e = bits.wrapping_sub(0x3F35_04F3) >> 23;
    let f = f32::from_bits(bits.wrapping_sub(e << 23) as u32) - 1.0;
    let p = f32::from_bits(0xBD9C09C9);
    let p = F::fma(p, f, f32::from_bits(0x3E043A83));
    let p = F::fma(p, f, f32::from_bits(0xBE07A905));
    let p = F::fma(p, f, f32::from_bits(0x3E113642));
    let p = F::fma(p, f, f32::from_bits(0xBE2A11F4));
    let p = F::fma(p, f, f32::from_bits(0x3E4CD20E));
    let p = F::fma(p, f, f32::from_bits(0xBE80021C));
    let p = F::fma(p, f, f32::from_bits(0x3EAAAAA8));
    let p = F::fma(p, f, f32::from_bits(0xBEFFFFFC));
    let r = F::fma(f * f, p, f);
    let e = e as f32;
    let y = F::fma(e, f32::from_bits(0x3F317200), F::fma(e, f32::from_bits(0x35BFBE8E), r));
    let below = if x == 0.0 { f32::NEG_INFINITY } else { f32::NAN };
    let y = if x <= 0.0 { below } else { y };
    if x < f32::INFINITY { y } else { x }
}

#[cfg(test)]
mod tests {
    use super::super::fma::{Fused, InF64};
    use super::super::subnormal;
    use super::*;
    use crate::verify::contract;

    /// `of` gives exp(x), once for each fma.
    fn has_the_bits_of_the_contract(arguments: impl Iterator<Item = f32>, of: fn(f32) -> [f32; 2]) {
        for x in arguments {
            let (want, got) = (contract::exp(x), of(x));
            assert!(
                got.iter().all(|e| e.to_bits() == want.to_bits() || e.is_nan() && want.is_nan()),
                "exp({x:e}) is {got:?}, not {want:e}"
            );
        }
    }

    #[test]
    fn exp_has_the_bits_of_the_contract() {
        let check = || {
            subnormal::count_as_zero();
            let spread = || (0..=u32::MAX / 2).step_by(97).map(f32::from_bits);
            has_the_bits_of_the_contract(spread().map(|x| -x), |x| [exp_negative::<Fused>(x), exp_negative::<InF64>(x)]);
            // Where the result becomes infinite and where it becomes 0, every number.
            let near = |x: f32| (x.to_bits() - 3000..x.to_bits() + 3000).map(f32::from_bits);
            let ends = near(88.722_84).chain(near(-87.336_55)).chain(near(89.0)).chain(near(-104.0));
            has_the_bits_of_the_contract(spread().chain(spread().map(|x| -x)).chain(ends), |x| [exp::<Fused>(x), exp::<InF64>(x)]);
        };
        // Nothing else runs on a thread whose subnormals count as 0.
        std::thread::spawn(check).join().unwrap();
    }

    #[test]
    fn ln_has_the_bits_of_the_contract() {
        let check = || {
            subnormal::count_as_zero();
            for bits in (0..=u32::MAX).step_by(193) {
                let x = f32::from_bits(bits);
                let (want, got) = (contract::ln(x), [ln::<Fused>(x), ln::<InF64>(x)]);
                assert!(
                    got.iter().all(|y| y.to_bits() == want.to_bits() || y.is_nan() && want.is_nan()),
                    "ln({x:e}) is {got:?}, not {want:e}"
                );
            }
        };
        std::thread::spawn(check).join().unwrap();
    }
}
