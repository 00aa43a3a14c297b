//! Ops on random numbers: uniform, normal, mask. Philox4x32-10 gives 24 bits for each element. Bound by integer
//! arithmetic: 20 wide multiplications for four elements. Two normal numbers take a logarithm, a root, a sine and a
//! cosine besides.

use super::exp::ln;
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
        let [a, b, c, d] = philox4x32_10([block as u32, self.step, purpose, 0], [seed as u32, (seed >> 32) as u32]);
        [a >> 8, b >> 8, c >> 8, d >> 8]
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

/// Pairs of normal numbers that are made at once: each step is done for all of them, which any compiler can turn into
/// vectors.
const PAIRS: usize = 32;

/// As [`uniform`].
#[inline(always)]
fn normal_body<F: Fma>(y: &mut [f32], first: usize, draw: Draw, mean: f32, std: f32) {
    for (at, y) in y.chunks_mut(2 * PAIRS).enumerate() {
        let (mut lengths, mut turns) = ([0; PAIRS], [0; PAIRS]);
        for (block, (length, turn)) in lengths.chunks_exact_mut(2).zip(turns.chunks_exact_mut(2)).enumerate() {
            [length[0], turn[0], length[1], turn[1]] = draw.words(first + at * (2 * PAIRS / FOUR) + block);
        }
        let mut z = [[0.0; 2]; PAIRS];
        for ((z, &length), &turn) in z.iter_mut().zip(&lengths).zip(&turns) {
            *z = pair::<F>(length, turn);
        }
        for (y, &z) in y.iter_mut().zip(z.as_flattened()) {
            *y = F::fma(z, std, mean);
        }
    }
}

/// Two independent normal numbers from two times 24 bits: a point at a random angle, whose distance from the origin
/// has the distribution of two such numbers'.
#[inline(always)]
fn pair<F: Fma>(length: u32, turn: u32) -> [f32; 2] {
    let u = (length + 1) as i32 as f32 * (1.0 / 16_777_216.0);
    let r = (-2.0 * ln::<F>(u)).sqrt();
    // The nearest quarter of a turn, and what is left of it: at most an eighth of a turn either way.
    let quarter = (turn + (1 << 21)) >> 22;
    let t = (turn as i32 - (quarter << 22) as i32) as f32 * (1.0 / 4_194_304.0);
    let w = t * t;
    let s = f32::from_bits(0xBB998CC6);
    let s = F::fma(s, w, f32::from_bits(0x3DA34052));
    let s = F::fma(s, w, f32::from_bits(0xBF255E12));
    let s = F::fma(s, w, f32::from_bits(0x3FC90FDB)) * t;
    let c = f32::from_bits(0x3A6A7BF7);
    let c = F::fma(c, w, f32::from_bits(0xBCAAD95B));
    let c = F::fma(c, w, f32::from_bits(0x3E81E0D8));
    let c = F::fma(c, w, f32::from_bits(0xBF9DE9E6));
    let c = F::fma(c, w, 1.0);
    let (x, y) = if quarter & 1 == 1 { (s, c) } else { (c, s) };
    let signed = |x: f32, negative: u32| f32::from_bits(x.to_bits() ^ (negative & 2) << 30);
    [r * signed(x, quarter + 1), r * signed(y, quarter)]
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
leveled!(pub(super) fn normal(y: &mut [f32], first: usize, draw: Draw, mean: f32, std: f32) = normal_body::<F>);
leveled!(pub(super) fn mask(x: &[f32], y: &mut [f32], first: usize, draw: Draw, keep: u32, factor: f32) = mask_body);
