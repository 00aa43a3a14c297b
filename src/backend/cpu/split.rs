//! Work split over threads: pieces of a fixed size, so that no result depends on how many threads there are.

use rayon::prelude::*;

/// Elements of an elementwise op that one thread takes at a time: 64 KiB per operand.
pub(super) const PIECE: usize = 16 * 1024;

/// `f(x, y)` piece by piece.
pub(super) fn unary(x: &[f32], y: &mut [f32], f: impl Fn(&[f32], &mut [f32]) + Sync) {
    if y.len() <= PIECE {
        return f(x, y);
    }
    y.par_chunks_mut(PIECE).zip(x.par_chunks(PIECE)).for_each(|(y, x)| f(x, y));
}

/// `f(a, b, y)` piece by piece.
pub(super) fn binary(a: &[f32], b: &[f32], y: &mut [f32], f: impl Fn(&[f32], &[f32], &mut [f32]) + Sync) {
    if y.len() <= PIECE {
        return f(a, b, y);
    }
    y.par_chunks_mut(PIECE).zip(a.par_chunks(PIECE)).zip(b.par_chunks(PIECE)).for_each(|((y, a), b)| f(a, b, y));
}

/// `f(i, y)` for each piece of `width` elements, i counted in pieces.
pub(super) fn pieces<T: Send>(y: &mut [T], width: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    if y.is_empty() {
        return;
    }
    if y.len() <= width {
        return f(0, y);
    }
    y.par_chunks_mut(width).enumerate().for_each(|(i, y)| f(i, y));
}
