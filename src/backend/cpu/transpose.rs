//! The transpositions that packing needs, by intrinsics on x86: from loops over arrays the compiler moves number by
//! number.
#![allow(unsafe_code)]

use super::memory::Rectangle;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;
use std::ops::Range;

/// `to[k][i] = from[i * pitch + k]` for eight lines i, which become the eight columns of `to`, and for as many
/// terms k as `to` has rows.
pub(super) type Transpose = fn(&[f32], usize, Rectangle);

/// Number by number.
pub(super) fn portable(from: &[f32], pitch: usize, mut to: Rectangle) {
    terms(from, pitch, 0..to.rows(), &mut to);
}

/// Some of the terms.
fn terms(from: &[f32], pitch: usize, terms: Range<usize>, to: &mut Rectangle) {
    for k in terms {
        let columns = to.columns();
        to.row(k, columns).iter_mut().enumerate().for_each(|(i, to)| *to = from[i * pitch + k]);
    }
}

/// Four terms of eight lines, term by term. The halves of each vector are terms of lines i and i + 4, and two rounds of
/// shuffles within the halves do the rest.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn four_terms(line: impl Fn(usize) -> __m128) -> [__m256; 4] {
    let pair = |i: usize| _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(line(i)), line(i + 4));
    let (a, b, c, d) = (pair(0), pair(1), pair(2), pair(3));
    let low = [_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d)];
    let high = [_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d)];
    [
        _mm256_shuffle_ps::<0x44>(low[0], low[1]),
        _mm256_shuffle_ps::<0xEE>(low[0], low[1]),
        _mm256_shuffle_ps::<0x44>(high[0], high[1]),
        _mm256_shuffle_ps::<0xEE>(high[0], high[1]),
    ]
}

/// Four terms at a time.
#[cfg(target_arch = "x86_64")]
pub(super) fn avx2(from: &[f32], pitch: usize, to: Rectangle) {
    #[target_feature(enable = "avx2")]
    fn body(from: &[f32], pitch: usize, mut to: Rectangle) {
        let (depth, first) = (to.rows(), to.columns().start);
        assert!(to.columns().len() == 8 && 7 * pitch + depth <= from.len());
        let fours = depth / 4 * 4;
        for k in (0..fours).step_by(4) {
            // SAFETY: eight lines of `depth` terms lie inside, as just asserted.
            let line = |i: usize| unsafe { _mm_loadu_ps(from.as_ptr().add(i * pitch + k)) };
            let rows = four_terms(line);
            let mut to = to.corner::<4, 8>(k, first);
            for (i, row) in rows.into_iter().enumerate() {
                // SAFETY: a row of the corner is eight floats.
                unsafe { _mm256_storeu_ps(to.row(i).as_mut_ptr(), row) };
            }
        }
        terms(from, pitch, fours..depth, &mut to);
    }
    // SAFETY: only a device at the level avx2 or above takes this, and `Level::require` found the features before it
    // was opened.
    unsafe { body(from, pitch, to) }
}

/// Packs some lines, `pitch` apart, as a tile reads them: MR numbers for each term of `to`, of which a lower tile
/// leaves the last as they are, or not.
pub(super) type PackLines = fn(&[f32], usize, usize, &mut [f32]);

/// Number by number.
pub(super) fn lines_portable<const MR: usize>(from: &[f32], pitch: usize, lines: usize, to: &mut [f32]) {
    for i in 0..lines {
        to.iter_mut().skip(i).step_by(MR).zip(&from[i * pitch..]).for_each(|(to, x)| *to = *x);
    }
}

/// Up to six lines, four terms at a time, as in [`avx2`]: each term is stored as four numbers and two.
#[cfg(target_arch = "x86_64")]
pub(super) fn lines_avx2(from: &[f32], pitch: usize, lines: usize, to: &mut [f32]) {
    #[target_feature(enable = "avx2")]
    fn body(from: &[f32], pitch: usize, lines: usize, to: &mut [f32]) {
        const MR: usize = 6;
        let depth = to.len() / MR;
        assert!((1..=MR).contains(&lines) && (lines - 1) * pitch + depth <= from.len());
        let fours = depth / 4 * 4;
        let (vectors, rest) = to.split_at_mut(fours * MR);
        for (k, to) in vectors.as_chunks_mut::<{ 4 * MR }>().0.iter_mut().enumerate() {
            // Missing lines repeat the last.
            // SAFETY: this many lines of `depth` terms lie inside, as just asserted.
            let line = |i: usize| unsafe { _mm_loadu_ps(from.as_ptr().add(i.min(lines - 1) * pitch + 4 * k)) };
            let rows = four_terms(line);
            for (row, to) in rows.into_iter().zip(to.as_chunks_mut::<MR>().0) {
                // SAFETY: six floats, of which four and then two are stored; neither store asks for alignment.
                unsafe {
                    _mm_storeu_ps(to.as_mut_ptr(), _mm256_castps256_ps128(row));
                    _mm_storel_epi64(to.as_mut_ptr().add(4).cast(), _mm_castps_si128(_mm256_extractf128_ps::<1>(row)));
                }
            }
        }
        lines_portable::<MR>(&from[fours..], pitch, lines, rest);
    }
    // SAFETY: only a device at the level avx2 or above takes this, and `Level::require` found the features before it
    // was opened.
    unsafe { body(from, pitch, lines, to) }
}

/// Eight lines by [`avx2`].
#[cfg(target_arch = "x86_64")]
pub(super) fn lines_avx512(from: &[f32], pitch: usize, lines: usize, to: &mut [f32]) {
    match lines {
        8 => avx2(from, pitch, Rectangle::whole(to, 8)),
        _ => lines_portable::<8>(from, pitch, lines, to),
    }
}
