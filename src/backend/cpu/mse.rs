//! Mean squared error and its gradient. Bound by memory: 8 and 12 bytes an element.

use super::level::leveled;
use super::split;
use super::sum::{total, tree};
use crate::Level;
use crate::op::{CHUNK, LANES};

/// Chunks that one thread takes at a time.
const CHUNKS: usize = 4;

pub(super) fn mse(level: Level, y: &[f32], target: &[f32], work: &mut [f32], loss: &mut [f32], scale: f32) {
    split::pieces(work, CHUNKS, |i, work| {
        let start = i * CHUNKS * CHUNK;
        mse_piece(level, &y[start..], &target[start..], work);
    });
    loss[0] = total(work) * scale;
}

pub(super) fn mse_grad(level: Level, y: &[f32], target: &[f32], dloss: &[f32], dy: &mut [f32], scale: f32) {
    let s = scale * dloss[0];
    split::binary(y, target, dy, |y, target, dy| mse_grad_piece(level, y, target, s, dy));
}

#[inline(always)]
fn mse_body(y: &[f32], target: &[f32], work: &mut [f32]) {
    for (c, w) in work.iter_mut().enumerate() {
        let part = (c * CHUNK).min(y.len())..((c + 1) * CHUNK).min(y.len());
        let mut lanes = [0f32; LANES];
        for (y, target) in y[part.clone()].chunks(LANES).zip(target[part].chunks(LANES)) {
            for ((lane, &y), &target) in lanes.iter_mut().zip(y).zip(target) {
                let d = y - target;
                *lane = d.mul_add(d, *lane);
            }
        }
        *w = tree(&mut lanes);
    }
}

#[inline(always)]
fn mse_grad_body(y: &[f32], target: &[f32], s: f32, dy: &mut [f32]) {
    for ((dy, &y), &target) in dy.iter_mut().zip(y).zip(target) {
        *dy = s * (y - target);
    }
}

leveled!(fn mse_piece(y: &[f32], target: &[f32], work: &mut [f32]) = mse_body);
leveled!(fn mse_grad_piece(y: &[f32], target: &[f32], s: f32, dy: &mut [f32]) = mse_grad_body);
