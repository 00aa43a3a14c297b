//! Mean squared error and its gradient. Bound by memory: 8 and 12 bytes an element.

use super::fma::Fma;
use super::level::leveled;
use super::sum::tree;
use crate::op::{CHUNK, LANES};

/// A chunk for each of `work`.
#[inline(always)]
fn mse_body<F: Fma>(y: &[f32], target: &[f32], work: &mut [f32]) {
    for (c, w) in work.iter_mut().enumerate() {
        let part = (c * CHUNK).min(y.len())..((c + 1) * CHUNK).min(y.len());
        let mut lanes = [0f32; LANES];
        for (y, target) in y[part.clone()].chunks(LANES).zip(target[part].chunks(LANES)) {
            for ((lane, &y), &target) in lanes.iter_mut().zip(y).zip(target) {
                let d = y - target;
                *lane = F::fma(d, d, *lane);
            }
        }
        *w = tree(&mut lanes);
    }
}

/// `s` is scale * dloss.
#[inline(always)]
fn mse_grad_body(y: &[f32], target: &[f32], s: f32, dy: &mut [f32]) {
    for ((dy, &y), &target) in dy.iter_mut().zip(y).zip(target) {
        *dy = s * (y - target);
    }
}

leveled!(fn mse_chunks(y: &[f32], target: &[f32], work: &mut [f32]) = mse_body::<F>);
leveled!(fn mse_grad(y: &[f32], target: &[f32], s: f32, dy: &mut [f32]) = mse_grad_body);
