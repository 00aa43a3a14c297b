//! silu and its gradient. Bound by arithmetic: one exp and one division an element, two of each for the gradient.

use super::{Fma, Function, sigmoid};

#[derive(Clone, Copy)]
pub(super) struct Silu;

impl Function for Silu {
    #[inline(always)]
    fn value<F: Fma>(self, x: f32) -> f32 {
        // Where the sigmoid is 0, x may be infinite.
        (if x < -104.0 { -104.0 } else { x }) * sigmoid::<F>(x)
    }

    #[inline(always)]
    fn grad<F: Fma>(self, x: f32, dy: f32) -> f32 {
        let near = if x < -104.0 { -104.0 } else { x };
        let near = if near > 104.0 { 104.0 } else { near };
        let s = sigmoid::<F>(x);
        dy * F::fma(near * sigmoid::<F>(-x), s, s)
    }
}
