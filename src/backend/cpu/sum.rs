//! sum: the two-stage reduction of docs/numerics.md. Bound by memory: 4 bytes an element.

use super::level::leveled;
use crate::op::{CHUNK, LANES};

/// Stage 2 of every reduction.
pub(super) fn total(work: &[f32]) -> f32 {
    let mut lanes = [0f32; LANES];
    for (i, &w) in work.iter().enumerate() {
        lanes[i % LANES] += w;
    }
    tree(&mut lanes)
}

/// Adds the lanes pairwise: 128 apart, then 64, down to 1.
#[inline(always)]
pub(super) fn tree(lanes: &mut [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for l in 0..half {
            lanes[l] += lanes[l + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// A chunk for each of `work`.
#[inline(always)]
fn sum_body(x: &[f32], work: &mut [f32]) {
    for (c, w) in work.iter_mut().enumerate() {
        let x = &x[(c * CHUNK).min(x.len())..((c + 1) * CHUNK).min(x.len())];
        let mut lanes = [0f32; LANES];
        for x in x.chunks(LANES) {
            for (lane, &x) in lanes.iter_mut().zip(x) {
                *lane += x;
            }
        }
        *w = tree(&mut lanes);
    }
}

leveled!(fn sum_chunks(x: &[f32], work: &mut [f32]) = sum_body);
