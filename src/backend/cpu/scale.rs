//! scale, in place too. Bound by memory: 8 bytes an element.

use super::level::leveled;
use super::split;
use crate::Level;

pub(super) fn scale(level: Level, x: &[f32], y: &mut [f32], factor: f32) {
    split::unary(x, y, |x, y| scale_piece(level, x, y, factor));
}

/// `y = y * factor`: what scale does when y is x.
pub(super) fn scale_self(level: Level, y: &mut [f32], factor: f32) {
    split::pieces(y, split::PIECE, |_, y| scale_self_piece(level, y, factor));
}

#[inline(always)]
fn scale_body(x: &[f32], y: &mut [f32], factor: f32) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = x * factor;
    }
}

#[inline(always)]
fn scale_self_body(y: &mut [f32], factor: f32) {
    for y in y {
        *y *= factor;
    }
}

leveled!(fn scale_piece(x: &[f32], y: &mut [f32], factor: f32) = scale_body);
leveled!(fn scale_self_piece(y: &mut [f32], factor: f32) = scale_self_body);
