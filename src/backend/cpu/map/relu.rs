//! relu and its gradient. Bound by memory: 8 and 12 bytes an element.

use super::{Fma, Function};

#[derive(Clone, Copy)]
pub(super) struct Relu;

impl Function for Relu {
    #[inline(always)]
    fn value<F: Fma>(self, x: f32) -> f32 {
        // Not `x.max(0.0)`: that loses NaN.
        if x > 0.0 || x.is_nan() { x } else { 0.0 }
    }

    #[inline(always)]
    fn grad<F: Fma>(self, x: f32, dy: f32) -> f32 {
        if x <= 0.0 { 0.0 } else { dy }
    }
}
