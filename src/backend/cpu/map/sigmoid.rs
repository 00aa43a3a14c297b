//! sigmoid and its gradient. Bound by arithmetic: one exp and one division an element.

use super::super::exp::exp_negative;
use super::{Fma, Function};

#[derive(Clone, Copy)]
pub(super) struct Sigmoid;

impl Function for Sigmoid {
    #[inline(always)]
    fn value<F: Fma>(self, x: f32) -> f32 {
        sigmoid::<F>(x)
    }

    #[inline(always)]
    fn grad<F: Fma>(self, x: f32, dy: f32) -> f32 {
        let e = exp_negative::<F>(-x.abs());
        let q = 1.0 + e;
        dy * (e / (q * q))
    }
}

#[inline(always)]
pub(in super::super) fn sigmoid<F: Fma>(x: f32) -> f32 {
    let e = exp_negative::<F>(-x.abs());
    (if x >= 0.0 { 1.0 } else { e }) / (1.0 + e)
}
