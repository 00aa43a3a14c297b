//! sigmoid and its gradient, both from the input. Bound by arithmetic: one exp and one division an element.

use super::exp::exp;
use super::level::leveled;
use super::split;
use crate::Level;

pub(super) fn sigmoid(level: Level, x: &[f32], y: &mut [f32]) {
    split::unary(x, y, |x, y| sigmoid_piece(level, x, y));
}

pub(super) fn sigmoid_grad(level: Level, x: &[f32], dy: &[f32], dx: &mut [f32]) {
    split::binary(x, dy, dx, |x, dy, dx| sigmoid_grad_piece(level, x, dy, dx));
}

#[inline(always)]
fn sigmoid_body(x: &[f32], y: &mut [f32]) {
    for (y, &x) in y.iter_mut().zip(x) {
        let e = exp(-x.abs());
        *y = (if x >= 0.0 { 1.0 } else { e }) / (1.0 + e);
    }
}

#[inline(always)]
fn sigmoid_grad_body(x: &[f32], dy: &[f32], dx: &mut [f32]) {
    for ((dx, &x), &dy) in dx.iter_mut().zip(x).zip(dy) {
        let e = exp(-x.abs());
        let q = 1.0 + e;
        *dx = dy * (e / (q * q));
    }
}

leveled!(fn sigmoid_piece(x: &[f32], y: &mut [f32]) = sigmoid_body);
leveled!(fn sigmoid_grad_piece(x: &[f32], dy: &[f32], dx: &mut [f32]) = sigmoid_grad_body);
