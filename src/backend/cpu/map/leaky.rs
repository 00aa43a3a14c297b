//! leaky relu and its gradient. Bound by memory: 8 and 12 bytes an element.

use super::{Fma, Function};

#[derive(Clone, Copy)]
pub(super) struct Leaky;

impl Function for Leaky {
    #[inline(always)]
    fn value<F: Fma>(self, x: f32) -> f32 {
        if x > 0.0 { x } else { 0.01 * x }
    }

    #[inline(always)]
    fn grad<F: Fma>(self, x: f32, dy: f32) -> f32 {
        if x <= 0.0 { 0.01 * dy } else { dy }
    }
}
