//! scale, in place too. Bound by memory: 8 bytes an element.

use super::level::leveled;

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

leveled!(pub(super) fn scale(x: &[f32], y: &mut [f32], factor: f32) = scale_body);
leveled!(
    /// `y = y * factor`: what scale does when y is x.
    pub(super) fn scale_self(y: &mut [f32], factor: f32) = scale_self_body
);
