//! uniform: Philox4x32-10 as floats. Bound by integer arithmetic: 20 wide multiplications for four elements.

use super::split;
use crate::rng::philox4x32_10;

pub(super) fn uniform(y: &mut [f32], step: u32, lo: f32, range: f32, seed: u64, purpose: u32) {
    split::pieces(y, split::PIECE, |piece, y| {
        for (block, y) in y.chunks_mut(4).enumerate() {
            let element = (piece * split::PIECE / 4 + block) as u32;
            let words = philox4x32_10([element, step, purpose, 0], [seed as u32, (seed >> 32) as u32]);
            for (y, word) in y.iter_mut().zip(words) {
                let u = (word >> 8) as f32 * (1.0 / 16_777_216.0);
                *y = u.mul_add(range, lo);
            }
        }
    });
}
