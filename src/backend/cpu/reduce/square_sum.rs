//! The sum of squares and its gradient: the norm of all gradients. Bound by memory: 4 and 8 bytes an element.

use super::{Fma, Slopes, Terms};

#[derive(Clone, Copy)]
pub(super) struct SquareSum;

impl Terms for SquareSum {
    #[inline(always)]
    fn add<F: Fma>(self, lane: f32, x: f32, _: f32) -> f32 {
        F::fma(x, x, lane)
    }
}

impl Slopes for SquareSum {
    #[inline(always)]
    fn grad<F: Fma>(self, x: f32, _: f32, s: f32) -> f32 {
        s * x
    }
}
