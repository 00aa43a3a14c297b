//! Ops on random numbers: uniform, mask. Philox4x32-10 gives 24 bits for each element. Bound by integer arithmetic: 20
//! wide multiplications for four elements.

use super::fma::Fma;
use super::level::leveled;
use crate::op::{FOUR, Stream};
use crate::rng::philox4x32_10;

/// The random numbers of a stream at one step.
#[derive(Clone, Copy)]
pub(super) struct Draw {
    pub(super) stream: Stream,
    pub(super) step: u32,
}

impl Draw {
    /// The upper 24 bits of the words of a block of four elements.
    #[inline(always)]
    fn words(self, block: usize) -> [u32; FOUR] {
        let Stream { seed, purpose } = self.stream;
        philox4x32_10([block as u32, self.step, purpose, 0], [seed as u32, (seed >> 32) as u32]).map(|word| word >> 8)
    }
}

/// Element 0 of y is the first of block `first`.
#[inline(always)]
fn uniform_body<F: Fma>(y: &mut [f32], first: usize, draw: Draw, lo: f32, range: f32) {
    for (block, y) in y.chunks_mut(FOUR).enumerate() {
        for (y, word) in y.iter_mut().zip(draw.words(first + block)) {
            *y = F::fma(word as f32 * (1.0 / 16_777_216.0), range, lo);
        }
    }
}

/// As [`uniform`]; keeps x where its word is below `keep`.
#[inline(always)]
fn mask_body(x: &[f32], y: &mut [f32], first: usize, draw: Draw, keep: u32, factor: f32) {
    for (block, (y, x)) in y.chunks_mut(FOUR).zip(x.chunks(FOUR)).enumerate() {
        for ((y, x), word) in y.iter_mut().zip(x).zip(draw.words(first + block)) {
            *y = if word < keep { x * factor } else { 0.0 };
        }
    }
}

leveled!(pub(super) fn uniform(y: &mut [f32], first: usize, draw: Draw, lo: f32, range: f32) = uniform_body::<F>);
leveled!(pub(super) fn mask(x: &[f32], y: &mut [f32], first: usize, draw: Draw, keep: u32, factor: f32) = mask_body);
