//! Binary cross-entropy from logits, and its gradient. Bound by arithmetic: an exp and a polynomial an element, for the gradient an exp and a division.

use super::exp::exp_negative;
use super::fma::Fma;
use super::level::leveled;
use super::sum::tree;
use crate::op::{CHUNK, LANES};

/// `log(1 + e)` for e in [0, 1], within 1.04 ulp: `e + e^2 q(e)`.
#[inline(always)]
fn log1p<F: Fma>(e: f32) -> f32 {
    let q = f32::from_bits(0xBB58FA2F);
    let q = F::fma(q, e, f32::from_bits(0x3CA5398F));
    let q = F::fma(q, e, f32::from_bits(0xBD6BE934));
    let q = F::fma(q, e, f32::from_bits(0x3DDA96C9));
    let q = F::fma(q, e, f32::from_bits(0xBE1D317D));
    let q = F::fma(q, e, f32::from_bits(0x3E49AA03));
    let q = F::fma(q, e, f32::from_bits(0xBE7F928D));
    let q = F::fma(q, e, f32::from_bits(0x3EAAA6EC));
    let q = F::fma(q, e, f32::from_bits(0xBEFFFFE9));
    F::fma(e * e, q, e)
}

/// A chunk for each of `work`.
#[inline(always)]
fn bce_body<F: Fma>(z: &[f32], target: &[f32], work: &mut [f32]) {
    for (c, w) in work.iter_mut().enumerate() {
        let part = (c * CHUNK).min(z.len())..((c + 1) * CHUNK).min(z.len());
        let mut lanes = [0f32; LANES];
        for (z, target) in z[part.clone()].chunks(LANES).zip(target[part].chunks(LANES)) {
            for ((lane, &z), &target) in lanes.iter_mut().zip(z).zip(target) {
                let above = if z > 0.0 { z } else { 0.0 };
                *lane += F::fma(-z, target, above) + log1p::<F>(exp_negative::<F>(-z.abs()));
            }
        }
        *w = tree(&mut lanes);
    }
}

/// `s` is scale * dloss.
#[inline(always)]
fn bce_grad_body<F: Fma>(z: &[f32], target: &[f32], s: f32, dz: &mut [f32]) {
    for ((dz, &z), &target) in dz.iter_mut().zip(z).zip(target) {
        let e = exp_negative::<F>(-z.abs());
        let y = (if z >= 0.0 { 1.0 } else { e }) / (1.0 + e);
        *dz = s * (y - target);
    }
}

leveled!(fn bce_chunks(z: &[f32], target: &[f32], work: &mut [f32]) = bce_body::<F>);
leveled!(fn bce_grad(z: &[f32], target: &[f32], s: f32, dz: &mut [f32]) = bce_grad_body::<F>);
