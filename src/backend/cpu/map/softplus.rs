//! softplus and its gradient, the sigmoid. Bound by arithmetic: an exp and a polynomial an element, or a division.

use super::super::exp::{exp_negative, log1p};
use super::{Fma, Function, sigmoid};

#[derive(Clone, Copy)]
pub(super) struct Softplus;

impl Function for Softplus {
    #[inline(always)]
    fn value<F: Fma>(self, x: f32) -> f32 {
        let above = if x > 0.0 { x } else { 0.0 };
        above + log1p::<F>(exp_negative::<F>(-x.abs()))
    }

    #[inline(always)]
    fn grad<F: Fma>(self, x: f32, dy: f32) -> f32 {
        dy * sigmoid::<F>(x)
    }
}
