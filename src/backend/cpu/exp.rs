//! `exp` and `log1p` for the ops: the polynomials of docs/numerics.md.

use super::fma::Fma;

/// `exp(x)` for x <= 0, the only arguments that ops pass, within 0.88 ulp; NaN stays NaN. The power of 2 is one factor
/// here, where the page has two: a result too small for one factor counts as 0 either way.
#[inline(always)]
pub(super) fn exp_negative<F: Fma>(x: f32) -> f32 {
    debug_assert!(x.is_nan() || x <= 0.0);
    const SHIFT: f32 = 12582912.0; // 1.5 * 2^23: adding it rounds to an integer
    let x = if x < -104.0 { -104.0 } else { x };
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
    // The integer, with the bias of an exponent: at most 0 for what is 0.
    let i = (t.to_bits() as i32).wrapping_sub(0x4B400000 - 127);
    p * f32::from_bits((i.max(0) as u32) << 23)
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

#[cfg(test)]
mod tests {
    use super::super::fma::{Fused, InF64};
    use super::super::subnormal;
    use super::*;
    use crate::verify::contract;

    #[test]
    fn exp_has_the_bits_of_the_contract_for_all_that_ops_ask_for() {
        let check = || {
            subnormal::count_as_zero();
            for bits in (0..=u32::MAX / 2).step_by(97) {
                let x = -f32::from_bits(bits);
                let (want, got) = (contract::exp(x), [exp_negative::<Fused>(x), exp_negative::<InF64>(x)]);
                assert!(
                    got.iter().all(|e| e.to_bits() == want.to_bits() || e.is_nan() && want.is_nan()),
                    "exp({x:e}) is {got:?}, not {want:e}"
                );
            }
        };
        // Nothing else runs on a thread whose subnormals count as 0.
        std::thread::spawn(check).join().unwrap();
    }
}
