//! add, in place too. Bound by memory: 12 bytes an element.

use super::level::leveled;
use super::split;
use crate::Level;
use rayon::prelude::*;

pub(super) fn add(level: Level, a: &[f32], b: &[f32], y: &mut [f32]) {
    split::binary(a, b, y, |a, b, y| add_piece(level, a, b, y));
}

/// `y = y + b`: what add does when y is one of its operands.
pub(super) fn add_to(level: Level, b: &[f32], y: &mut [f32]) {
    split::unary(b, y, |b, y| add_to_piece(level, b, y));
}

/// `y = y + y`: what add does when y is both.
pub(super) fn double(y: &mut [f32]) {
    y.par_chunks_mut(split::PIECE).for_each(|y| y.iter_mut().for_each(|y| *y += *y));
}

#[inline(always)]
fn add_body(a: &[f32], b: &[f32], y: &mut [f32]) {
    for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
        *y = a + b;
    }
}

#[inline(always)]
fn add_to_body(b: &[f32], y: &mut [f32]) {
    for (y, &b) in y.iter_mut().zip(b) {
        *y += b;
    }
}

leveled!(fn add_piece(a: &[f32], b: &[f32], y: &mut [f32]) = add_body);
leveled!(fn add_to_piece(b: &[f32], y: &mut [f32]) = add_to_body);
