//! The sum of absolute values and its gradient. Bound by memory: 4 and 8 bytes an element.

use super::{Fma, Slopes, Terms};

#[derive(Clone, Copy)]
pub(super) struct AbsSum;

impl Terms for AbsSum {
    #[inline(always)]
    fn add<F: Fma>(self, lane: f32, x: f32, _: f32) -> f32 {
        lane + x.abs()
    }
}

impl Slopes for AbsSum {
    #[inline(always)]
    fn grad<F: Fma>(self, x: f32, _: f32, s: f32) -> f32 {
        let slope = if x < 0.0 { -s } else { s };
        if x == 0.0 {
            0.0
        } else if x.is_nan() {
            x
        } else {
            slope
        }
    }
}
