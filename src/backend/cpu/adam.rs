//! Adam. Bound by memory: 28 bytes an element.

use super::level::leveled;
use super::split::PIECE;
use crate::Level;
use crate::op::AdamHyper;
use rayon::prelude::*;

/// `row` is the table's row of this step: learning rate, 1/(1-beta1^t), 1/sqrt(1-beta2^t), 1 - learning rate * weight decay.
pub(super) fn adam(level: Level, p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], row: [f32; 4], hyper: AdamHyper) {
    if p.len() <= PIECE {
        return adam_piece(level, p, g, m, v, row, hyper);
    }
    p.par_chunks_mut(PIECE)
        .zip(g.par_chunks(PIECE))
        .zip(m.par_chunks_mut(PIECE).zip(v.par_chunks_mut(PIECE)))
        .for_each(|((p, g), (m, v))| adam_piece(level, p, g, m, v, row, hyper));
}

#[inline(always)]
fn adam_body(p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], row: [f32; 4], hyper: AdamHyper) {
    let [lr, c1, c2, keep] = row;
    let rate = lr * c1;
    for (((p, &g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
        *m = hyper.w1.mul_add(g - *m, *m);
        *v = (hyper.w2 * g).mul_add(g, hyper.beta2 * *v);
        let d = v.sqrt().mul_add(c2, hyper.eps);
        *p = *p * keep - rate * *m / d;
    }
}

leveled!(fn adam_piece(p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], row: [f32; 4], hyper: AdamHyper) = adam_body);
