//! Mean squared error and its gradient. Bound by memory: 8 and 12 bytes an element.

use super::{Fma, Slopes, Terms};

#[derive(Clone, Copy)]
pub(super) struct Mse;

impl Terms for Mse {
    #[inline(always)]
    fn add<F: Fma>(self, lane: f32, x: f32, target: f32) -> f32 {
        let d = x - target;
        F::fma(d, d, lane)
    }
}

impl Slopes for Mse {
    #[inline(always)]
    fn grad<F: Fma>(self, x: f32, target: f32, s: f32) -> f32 {
        s * (x - target)
    }
}
