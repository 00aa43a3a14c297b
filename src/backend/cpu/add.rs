//! add, in place too. Bound by memory: 12 bytes an element.

use super::level::leveled;

#[inline(always)]
fn add_body(a: &[f32], b: &[f32], y: &mut [f32]) {
    for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
        *y = a + b;
    }
}

/// `y = y + b`: what add does when y is one of its operands.
#[inline(always)]
fn add_to_body(b: &[f32], y: &mut [f32]) {
    for (y, &b) in y.iter_mut().zip(b) {
        *y += b;
    }
}

/// `y = y + y`: what add does when y is both.
#[inline(always)]
fn double_body(y: &mut [f32]) {
    for y in y {
        *y += *y;
    }
}

leveled!(fn add(a: &[f32], b: &[f32], y: &mut [f32]) = add_body);
leveled!(fn add_to(b: &[f32], y: &mut [f32]) = add_to_body);
leveled!(fn double(y: &mut [f32]) = double_body);
