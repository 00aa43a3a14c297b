//! How far mean activities are from a wanted one, and its gradient. Bound by arithmetic: two logarithms and two
//! divisions an element, for the gradient two divisions.

use super::super::exp::ln;
use super::{Fma, Slopes, Terms};

#[derive(Clone, Copy)]
pub(super) struct RhoKl;

/// 2^-20: how near to 0 and to 1 an activity may come.
const NEAREST: f32 = 1.0 / 1_048_576.0;

#[inline(always)]
fn away(q: f32) -> f32 {
    // Not `clamp`, which some levels would compile to what loses NaN.
    let q = if q < NEAREST { NEAREST } else { q };
    if q > 1.0 - NEAREST { 1.0 - NEAREST } else { q }
}

impl Terms for RhoKl {
    #[inline(always)]
    fn add<F: Fma>(self, lane: f32, q: f32, rho: f32) -> f32 {
        let q = away(q);
        let (on, off) = (ln::<F>(rho / q), ln::<F>((1.0 - rho) / (1.0 - q)));
        lane + F::fma(rho, on, (1.0 - rho) * off)
    }
}

impl Slopes for RhoKl {
    #[inline(always)]
    fn grad<F: Fma>(self, q: f32, rho: f32, s: f32) -> f32 {
        let q = away(q);
        s * ((1.0 - rho) / (1.0 - q) - rho / q)
    }
}
