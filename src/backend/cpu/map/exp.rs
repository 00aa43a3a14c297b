//! exp and its gradient. Bound by arithmetic: some 20 operations an element.

use super::super::exp::exp;
use super::{Fma, Function};

#[derive(Clone, Copy)]
pub(super) struct Exp;

impl Function for Exp {
    #[inline(always)]
    fn value<F: Fma>(self, x: f32) -> f32 {
        exp::<F>(x)
    }

    #[inline(always)]
    fn grad<F: Fma>(self, x: f32, dy: f32) -> f32 {
        dy * exp::<F>(x)
    }
}
