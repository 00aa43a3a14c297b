//! sigmoid and its gradient, both from the input. Bound by arithmetic: one exp and one division an element.

use super::exp::exp_negative;
use super::fma::Fma;
use super::level::leveled;

#[inline(always)]
fn sigmoid_body<F: Fma>(x: &[f32], y: &mut [f32]) {
    for (y, &x) in y.iter_mut().zip(x) {
        let e = exp_negative::<F>(-x.abs());
        *y = (if x >= 0.0 { 1.0 } else { e }) / (1.0 + e);
    }
}

#[inline(always)]
fn sigmoid_grad_body<F: Fma>(x: &[f32], dy: &[f32], dx: &mut [f32]) {
    for ((dx, &x), &dy) in dx.iter_mut().zip(x).zip(dy) {
        let e = exp_negative::<F>(-x.abs());
        let q = 1.0 + e;
        *dx = dy * (e / (q * q));
    }
}

leveled!(fn sigmoid(x: &[f32], y: &mut [f32]) = sigmoid_body::<F>);
leveled!(fn sigmoid_grad(x: &[f32], dy: &[f32], dx: &mut [f32]) = sigmoid_grad_body::<F>);
