//! uniform: Philox4x32-10 as floats. Bound by integer arithmetic: 20 wide multiplications for four elements.

use super::fma::Fma;
use super::level::leveled;
use crate::rng::philox4x32_10;

/// The scalars of the op, and the step.
#[derive(Clone, Copy)]
pub(super) struct Stream {
    pub(super) step: u32,
    pub(super) lo: f32,
    pub(super) range: f32,
    pub(super) seed: u64,
    pub(super) purpose: u32,
}

/// Element 0 of y is the first of Philox's block `first`; a block is four elements.
#[inline(always)]
fn uniform_body<F: Fma>(y: &mut [f32], first: usize, s: Stream) {
    for (block, y) in y.chunks_mut(4).enumerate() {
        let words = philox4x32_10([(first + block) as u32, s.step, s.purpose, 0], [s.seed as u32, (s.seed >> 32) as u32]);
        for (y, word) in y.iter_mut().zip(words) {
            let u = (word >> 8) as f32 * (1.0 / 16_777_216.0);
            *y = F::fma(u, s.range, s.lo);
        }
    }
}

leveled!(fn uniform(y: &mut [f32], first: usize, s: Stream) = uniform_body::<F>);
