//! Sums over all elements: the two stages of docs/numerics.md, which all terms share, and the dispatch to each term.

mod abs_sum;
mod bce;
mod kl;
mod mse;
mod rho_kl;
mod square_sum;
mod sum;

use super::fma::Fma;
use super::level::leveled;
use crate::Level;
use crate::op::{CHUNK, LANES, Term};
use abs_sum::AbsSum;
use bce::Bce;
use kl::Kl;
pub(super) use kl::kl_term;
use mse::Mse;
use rho_kl::RhoKl;
use square_sum::SquareSum;
use sum::Sum;

/// The terms of a sum. Terms of one number get x twice.
trait Terms: Copy {
    /// The lane's sum with one more term.
    fn add<F: Fma>(self, lane: f32, x: f32, other: f32) -> f32;
}

/// Terms whose derivative depends on x.
trait Slopes: Terms {
    /// `s` times the derivative of the term by x, without the factor that is part of the scale; of kl by logvar, which
    /// is passed as x.
    fn grad<F: Fma>(self, x: f32, other: f32, s: f32) -> f32;
}

/// Stage 1: the sum of a chunk for each of `parts`.
pub(super) fn chunks(level: Level, f: Term, x: &[f32], other: &[f32], parts: &mut [f32]) {
    match f {
        Term::Sum => sums(level, Sum, x, other, parts),
        Term::SquareSum => sums(level, SquareSum, x, other, parts),
        Term::AbsSum => sums(level, AbsSum, x, other, parts),
        Term::Mse => sums(level, Mse, x, other, parts),
        Term::Bce => sums(level, Bce, x, other, parts),
        Term::Kl => sums(level, Kl, x, other, parts),
        Term::RhoKl => sums(level, RhoKl, x, other, parts),
    }
}

/// `s` is scale * dy.
pub(super) fn grad(level: Level, f: Term, x: &[f32], other: &[f32], s: f32, dx: &mut [f32]) {
    match f {
        Term::Sum => dx.fill(s),
        Term::SquareSum => grads(level, SquareSum, x, other, s, dx),
        Term::AbsSum => grads(level, AbsSum, x, other, s, dx),
        Term::Mse => grads(level, Mse, x, other, s, dx),
        Term::Bce => grads(level, Bce, x, other, s, dx),
        Term::Kl => grads(level, Kl, x, other, s, dx),
        Term::RhoKl => grads(level, RhoKl, x, other, s, dx),
    }
}

/// Stage 2.
pub(super) fn total(parts: &[f32]) -> f32 {
    let mut lanes = [0f32; LANES];
    for (i, &part) in parts.iter().enumerate() {
        lanes[i % LANES] += part;
    }
    tree(&mut lanes)
}

/// Adds the lanes pairwise: 128 apart, then 64, down to 1. Where the upper half holds 0 it may be left out: the number
/// of lanes is a power of 2.
#[inline(always)]
pub(super) fn tree(lanes: &mut [f32]) -> f32 {
    let mut half = lanes.len() / 2;
    while half > 0 {
        for l in 0..half {
            lanes[l] += lanes[l + half];
        }
        half /= 2;
    }
    lanes[0]
}

#[inline(always)]
fn sums_body<T: Terms, F: Fma>(f: T, x: &[f32], other: &[f32], parts: &mut [f32]) {
    for (c, part) in parts.iter_mut().enumerate() {
        let chunk = (c * CHUNK).min(x.len())..((c + 1) * CHUNK).min(x.len());
        let mut lanes = [0f32; LANES];
        for (x, other) in x[chunk.clone()].chunks(LANES).zip(other[chunk].chunks(LANES)) {
            for ((lane, &x), &other) in lanes.iter_mut().zip(x).zip(other) {
                *lane = f.add::<F>(*lane, x, other);
            }
        }
        *part = tree(&mut lanes);
    }
}

#[inline(always)]
fn grads_body<T: Slopes, F: Fma>(f: T, x: &[f32], other: &[f32], s: f32, dx: &mut [f32]) {
    for ((dx, &x), &other) in dx.iter_mut().zip(x).zip(other) {
        *dx = f.grad::<F>(x, other, s);
    }
}

leveled!(fn sums[T: Terms](f: T, x: &[f32], other: &[f32], parts: &mut [f32]) = sums_body::<T, F>);
leveled!(fn grads[T: Slopes](f: T, x: &[f32], other: &[f32], s: f32, dx: &mut [f32]) = grads_body::<T, F>);
