//! relu and its gradient. Bound by memory: 8 and 12 bytes an element.

use super::level::leveled;

#[inline(always)]
fn relu_body(x: &[f32], y: &mut [f32]) {
    for (y, &x) in y.iter_mut().zip(x) {
        // Not `x.max(0.0)`: that loses NaN.
        *y = if x > 0.0 || x.is_nan() { x } else { 0.0 };
    }
}

#[inline(always)]
fn relu_grad_body(x: &[f32], dy: &[f32], dx: &mut [f32]) {
    for ((dx, &x), &dy) in dx.iter_mut().zip(x).zip(dy) {
        *dx = if x <= 0.0 { 0.0 } else { dy };
    }
}

leveled!(fn relu(x: &[f32], y: &mut [f32]) = relu_body);
leveled!(fn relu_grad(x: &[f32], dy: &[f32], dx: &mut [f32]) = relu_grad_body);
