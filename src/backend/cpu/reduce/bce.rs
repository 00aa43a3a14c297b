//! Binary cross-entropy from logits, and its gradient. Bound by arithmetic: an exp and a polynomial an element, for the
//! gradient an exp and a division.

use super::super::exp::{exp_negative, log1p};
use super::super::map::sigmoid;
use super::{Fma, Slopes, Terms};

#[derive(Clone, Copy)]
pub(super) struct Bce;

impl Terms for Bce {
    #[inline(always)]
    fn add<F: Fma>(self, lane: f32, z: f32, target: f32) -> f32 {
        let above = if z > 0.0 { z } else { 0.0 };
        lane + (F::fma(-z, target, above) + log1p::<F>(exp_negative::<F>(-z.abs())))
    }
}

impl Slopes for Bce {
    #[inline(always)]
    fn grad<F: Fma>(self, z: f32, target: f32, s: f32) -> f32 {
        s * (sigmoid::<F>(z) - target)
    }
}
