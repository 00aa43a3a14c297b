//! clamp and its gradient. Bound by memory: 8 and 12 bytes an element.

use super::{Fma, Function};

#[derive(Clone, Copy)]
pub(super) struct Clamp {
    pub(super) lo: f32,
    pub(super) hi: f32,
}

impl Function for Clamp {
    #[inline(always)]
    fn value<F: Fma>(self, x: f32) -> f32 {
        let x = if x < self.lo { self.lo } else { x };
        let x = if x > self.hi { self.hi } else { x };
        // A processor's min and max may pass a subnormal number on or make it 0. The sum makes it 0.
        x + 0.0
    }

    #[inline(always)]
    fn grad<F: Fma>(self, x: f32, dy: f32) -> f32 {
        if x < self.lo || x > self.hi { 0.0 } else { dy }
    }
}
