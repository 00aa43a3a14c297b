//! Adam. Bound by memory: 28 bytes an element.

use super::fma::Fma;
use super::level::leveled;
use crate::op::AdamHyper;

/// `row` is the table's row of this step: learning rate, 1/(1-beta1^t), 1/sqrt(1-beta2^t), 1 - learning rate * weight
/// decay.
#[inline(always)]
fn adam_body<F: Fma>(p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], row: [f32; 4], hyper: AdamHyper) {
    let [lr, c1, c2, keep] = row;
    let rate = lr * c1;
    for (((p, &g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
        *m = F::fma(hyper.w1, g - *m, *m);
        *v = F::fma(hyper.w2 * g, g, hyper.beta2 * *v);
        let d = F::fma(v.sqrt(), c2, hyper.eps);
        *p = *p * keep - rate * *m / d;
    }
}

leveled!(pub(super) fn adam(p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], row: [f32; 4], hyper: AdamHyper) = adam_body::<F>);
