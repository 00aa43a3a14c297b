//! The absolute value and its gradient. Bound by memory: 8 and 12 bytes an element.

use super::{Fma, Function};

#[derive(Clone, Copy)]
pub(super) struct Abs;

impl Function for Abs {
    #[inline(always)]
    fn value<F: Fma>(self, x: f32) -> f32 {
        x.abs()
    }

    #[inline(always)]
    fn grad<F: Fma>(self, x: f32, dy: f32) -> f32 {
        let slope = if x < 0.0 { -dy } else { dy };
        if x == 0.0 {
            0.0
        } else if x.is_nan() {
            x
        } else {
            slope
        }
    }
}
