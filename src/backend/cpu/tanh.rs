//! tanh and its gradient, both from the input. Bound by arithmetic: one exp and one division an element.

use super::exp::exp_negative;
use super::fma::Fma;
use super::level::leveled;

#[inline(always)]
fn tanh_body<F: Fma>(x: &[f32], y: &mut [f32]) {
    for (y, &x) in y.iter_mut().zip(x) {
        // Near 0, 1 - exp(-2 |x|) would have lost what is asked for.
        let s = x * x;
        let p = f32::from_bits(0xBBBAF0E6);
        let p = F::fma(p, s, f32::from_bits(0x3CA9134E));
        let p = F::fma(p, s, f32::from_bits(0xBD5C1E2D));
        let p = F::fma(p, s, f32::from_bits(0x3E088393));
        let p = F::fma(p, s, f32::from_bits(0xBEAAAA99));
        let small = F::fma(x * s, p, x);
        let e = exp_negative::<F>(-2.0 * x.abs());
        let big = (1.0 - e) / (1.0 + e);
        *y = if x.abs() < 0.625 { small } else { big.copysign(x) };
    }
}

#[inline(always)]
fn tanh_grad_body<F: Fma>(x: &[f32], dy: &[f32], dx: &mut [f32]) {
    for ((dx, &x), &dy) in dx.iter_mut().zip(x).zip(dy) {
        let e = exp_negative::<F>(-2.0 * x.abs());
        let q = 1.0 + e;
        *dx = dy * ((4.0 * e) / (q * q));
    }
}

leveled!(fn tanh(x: &[f32], y: &mut [f32]) = tanh_body::<F>);
leveled!(fn tanh_grad(x: &[f32], dy: &[f32], dx: &mut [f32]) = tanh_grad_body::<F>);
