//! The divergence of a normal distribution from the standard one, and its gradient by logvar. Bound by arithmetic: an
//! exp an element.

use super::super::exp::exp;
use super::{Fma, Slopes, Terms};

#[derive(Clone, Copy)]
pub(super) struct Kl;

/// The term that is added.
#[inline(always)]
pub(in super::super) fn kl_term<F: Fma>(mu: f32, logvar: f32) -> f32 {
    (F::fma(mu, mu, exp::<F>(logvar)) - logvar) - 1.0
}

impl Terms for Kl {
    #[inline(always)]
    fn add<F: Fma>(self, lane: f32, mu: f32, logvar: f32) -> f32 {
        lane + kl_term::<F>(mu, logvar)
    }
}

impl Slopes for Kl {
    #[inline(always)]
    fn grad<F: Fma>(self, logvar: f32, _: f32, s: f32) -> f32 {
        s * (exp::<F>(logvar) - 1.0)
    }
}
