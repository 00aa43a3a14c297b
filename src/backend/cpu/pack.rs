//! Packing for the matrix product, before its tiles read: panels of b, NR columns each, and lines of a, MR rows each,
//! term by term. In the matrix, neighbours in a tile are often a power of two apart, so they evict each other from the
//! cache.

use super::gemm::Strided;
use super::memory::Rectangle;
use super::tile::{self, Cut};
use super::transpose::{self, PackLines, Transpose};
use crate::Level;
use std::ops::Range;

/// Packs rows of weights as columns of a panel: column i of `to` gets row i of w, whose length is the panel's.
pub(super) fn turned(level: Level, w: &[f32], to: &mut Rectangle) {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 | Level::Avx2 => turn(transpose::avx2, w, to.rows(), to),
        _ => turn(transpose::portable, w, to.rows(), to),
    }
}

/// Packs columns of rows, `pitch` apart, as rows of a panel of `width` columns: those from `first` on, up to the last.
pub(super) fn straight(rows: &[f32], pitch: usize, first: usize, to: &mut [f32], width: usize) {
    fn of_width<const W: usize>(rows: &[f32], pitch: usize, first: usize, to: &mut [f32]) {
        let n = W.min(pitch - first);
        rows.chunks_exact(pitch).zip(to.as_chunks_mut::<W>().0).for_each(|(row, to)| copy(&row[first..first + n], to));
    }
    match width {
        32 => of_width::<32>(rows, pitch, first, to),
        16 => of_width::<16>(rows, pitch, first, to),
        _ => of_width::<8>(rows, pitch, first, to),
    }
}

/// Lines of w, `pitch` apart, become columns of `to`, which is fetched first: a panel of weights was last read a step
/// ago, and a store waits for its line.
fn turn(transpose: Transpose, w: &[f32], pitch: usize, to: &mut Rectangle) {
    /// Terms of a panel of 32 columns that stay in L1 until all columns are there.
    const TERMS: usize = 64;
    let (depth, columns) = (to.rows(), to.columns());
    let eights = columns.len() / 8 * 8;
    for k in (0..depth).step_by(TERMS) {
        let terms = k..depth.min(k + TERMS);
        for i in (0..eights).step_by(8) {
            let first = columns.start + i;
            // The next terms of all columns, the same number of them.
            let share = |i: usize| depth.min(terms.end + i * TERMS / eights);
            for k in share(i)..share(i + 8) {
                to.row(k, columns.clone()).iter().step_by(tile::LINE).for_each(|x| tile::fetch::<{ tile::NEAR }, f32>(x));
            }
            transpose(&w[i * pitch + k..], pitch, to.part(terms.clone(), first..first + 8));
        }
    }
    for i in eights..columns.len() {
        for (k, w) in w[i * pitch..][..depth].iter().enumerate() {
            to.row(k, columns.start + i..columns.start + i + 1)[0] = *w;
        }
    }
}

/// Packs up to NR columns of b, k by k; columns past the end are 0.
pub(super) fn panel<const NR: usize>(transpose: Transpose, b: Strided, k0: usize, n0: usize, nr: usize, to: &mut [[f32; NR]]) {
    if nr < NR {
        to.fill([0.0; NR]);
    }
    let from = &b.data[k0 * b.row + n0 * b.column..];
    if b.column == 1 {
        for (k, to) in to.iter_mut().enumerate() {
            copy(&from[k * b.row..][..nr], to);
        }
        return;
    }
    assert_eq!(b.row, 1, "a right side has either rows or columns without gaps");
    let rows = to.len();
    turn(transpose, from, b.column, &mut Rectangle::whole(to.as_flattened_mut(), NR).part(0..rows, 0..nr));
}

/// Packs rows of a, tile by tile as [`Cut`] says: MR numbers for each of the terms, of which a lower tile leaves the
/// last as they are.
pub(super) fn lines<const MR: usize>(pack: PackLines, a: Strided, rows: Range<usize>, terms: Range<usize>, to: &mut [f32]) {
    /// Tiles whose numbers for one term are read together: they share cache lines.
    const GROUP: usize = 8;
    let depth = terms.len();
    let cut = Cut::new(rows.len(), MR);
    if a.column != 1 {
        assert!(a.row == 1, "a left side has either rows or columns without gaps");
        for (group, to) in (0..cut.tiles()).step_by(GROUP).zip(to.chunks_mut(GROUP * MR * depth)) {
            for (at, k) in terms.clone().enumerate() {
                let from = &a.data[rows.start * a.row + k * a.column..];
                for (tile, to) in (group..cut.tiles()).zip(to.chunks_mut(MR * depth)) {
                    let tile = cut.rows(tile);
                    copy(
                        &from[tile.start * a.row..][..tile.len()],
                        to[at * MR..].first_chunk_mut::<MR>().expect("MR numbers for each term"),
                    );
                }
            }
        }
        return;
    }
    for (tile, to) in (0..cut.tiles()).zip(to.chunks_mut(MR * depth)) {
        let tile = cut.rows(tile);
        let from = &a.data[(rows.start + tile.start) * a.row + terms.start..];
        pack(from, a.row, tile.len(), &mut to[..MR * depth]);
    }
}

/// As many numbers as `from` has, at most N; all N at once where there are N.
#[inline(always)]
fn copy<const N: usize>(from: &[f32], to: &mut [f32; N]) {
    match <&[f32; N]>::try_from(from) {
        Ok(from) => *to = *from,
        Err(_) => to[..from.len()].copy_from_slice(from),
    }
}
