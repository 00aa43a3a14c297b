//! tanh and its gradient. Bound by arithmetic: one exp and one division an element.

use super::super::exp::exp_negative;
use super::{Fma, Function};

#[derive(Clone, Copy)]
pub(super) struct Tanh;

impl Function for Tanh {
    #[inline(always)]
    fn value<F: Fma>(self, x: f32) -> f32 {
        // Near 0, 1 - exp(-2 |x|) would cancel.
        let s = x * x;
        let p = f32::from_bits(0xBBBAF0E6);
        let p = F::fma(p, s, f32::from_bits(0x3CA9134E));
        let p = F::fma(p, s, f32::from_bits(0xBD5C1E2D));
        let p = F::fma(p, s, f32::from_bits(0x3E088393));
        let p = F::fma(p, s, f32::from_bits(0xBEAAAA99));
        let small = F::fma(x * s, p, x);
        let e = exp_negative::<F>(-2.0 * x.abs());
        let big = (1.0 - e) / (1.0 + e);
        if x.abs() < 0.625 { small } else { big.copysign(x) }
    }

    #[inline(always)]
    fn grad<F: Fma>(self, x: f32, dy: f32) -> f32 {
        let e = exp_negative::<F>(-2.0 * x.abs());
        let q = 1.0 + e;
        dy * ((4.0 * e) / (q * q))
    }
}
