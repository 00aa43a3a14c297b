//! The norm of all gradients, and what they are scaled by. Bound by memory: 4 bytes an element, and what `scale` moves.

use super::fma::Fma;
use super::level::leveled;
use super::sum::tree;
use crate::op::{CHUNK, LANES};

/// `min(1, most / (norm + 1e-6))`. A norm that is NaN stays one.
pub(super) fn factor(square: f32, most: f32) -> f32 {
    let factor = most / (square.sqrt() + 1e-6);
    if factor > 1.0 { 1.0 } else { factor }
}

/// A chunk for each of `work`.
#[inline(always)]
fn square_body<F: Fma>(x: &[f32], work: &mut [f32]) {
    for (c, w) in work.iter_mut().enumerate() {
        let x = &x[(c * CHUNK).min(x.len())..((c + 1) * CHUNK).min(x.len())];
        let mut lanes = [0f32; LANES];
        for x in x.chunks(LANES) {
            for (lane, &x) in lanes.iter_mut().zip(x) {
                *lane = F::fma(x, x, *lane);
            }
        }
        *w = tree(&mut lanes);
    }
}

leveled!(fn square_chunks(x: &[f32], work: &mut [f32]) = square_body::<F>);
