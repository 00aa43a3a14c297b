//! The matrix product behind the three products of a dense layer: `c[m, n] = sum_k a(m, k) b(k, n)`, K in blocks of 256 as docs/numerics.md says.
//!
//! One thread computes a rectangle of c. a is read where it lies. b comes packed in panels of NR columns, or is packed here through strides, a block of
//! 256 x 512 at a time, which stays in a core's L2 cache; a panel of b stays in L1 while all rows of a go past it. Rows of b that a register tile can
//! read where they lie are not packed at all. Bound by arithmetic. Where the compiler may not use fused multiply-add, matrixmultiply computes the same
//! sums in the same order.

use super::memory::Rectangle;
use super::tile::{self, Finish, Lines, Panel, Tile, Transpose};
use crate::Level;
use crate::op::BLOCK;
use std::ops::Range;

/// Columns of b that are packed at a time.
const NC: usize = 512;
/// Rows of a that go past a block of b, so that they stay in L2.
const MC: usize = 192;
/// The largest NR of any level.
pub(super) const NR_MAX: usize = 32;
/// Rows of a for which it pays to pack a b whose rows could be read where they lie.
const MANY: usize = 96;

/// Panels of b for which it pays to pack an a that is turned.
const TURN: usize = 8;

/// A matrix read through strides: element (i, j) is `data[i * row + j * column]`.
#[derive(Clone, Copy)]
pub(super) struct Strided<'a> {
    pub(super) data: &'a [f32],
    pub(super) row: usize,
    pub(super) column: usize,
}

/// The right side of a product.
#[derive(Clone, Copy)]
pub(super) enum Right<'a> {
    Strided(Strided<'a>),
    /// All of it by [`pack`].
    Packed(&'a [f32]),
}

/// A product. The rows of a are those of the rectangle of c, the columns of b those of the whole of c.
pub(super) struct Product<'a> {
    pub(super) a: Strided<'a>,
    pub(super) b: Right<'a>,
    pub(super) k: usize,
    pub(super) bias: Option<&'a [f32]>,
}

/// Floats that a thread needs to pack into.
pub(super) const PACK: usize = (NC + MC) * BLOCK;

/// Whether the compiler may use fused multiply-add at the portable level.
const FUSED: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

/// Columns of a panel, where this level takes a packed b.
pub(super) fn panel(level: Level) -> Option<usize> {
    match level {
        Level::Avx512 => Some(32),
        Level::Avx2 => Some(16),
        Level::Portable => FUSED.then_some(8),
    }
}

/// The rectangle c of a product; `scratch` has [`PACK`] floats.
pub(super) fn product(level: Level, p: &Product, c: &mut Rectangle, scratch: &mut [f32]) {
    if p.k == 0 {
        for i in 0..c.rows() {
            let columns = c.columns();
            let row = c.row(i, columns.clone());
            row.fill(0.0);
            if let Some(bias) = p.bias {
                row.iter_mut().zip(&bias[columns]).for_each(|(c, b)| *c += b);
            }
        }
        return;
    }
    match (level, &p.b) {
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512, _) => blocked(tile::avx512, tile::transpose_avx2, p, c, scratch),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx2, _) => blocked(tile::avx2, tile::transpose_avx2, p, c, scratch),
        (_, Right::Strided(b)) if !FUSED => {
            super::matmul::product(p.a, *b, p.k, c);
            let columns = c.columns();
            if let Some(bias) = p.bias.map(|b| &b[columns.clone()]) {
                for i in 0..c.rows() {
                    c.row(i, columns.clone()).iter_mut().zip(bias).for_each(|(c, b)| *c += b);
                }
            }
        }
        _ => blocked(tile::portable, tile::transpose_portable, p, c, scratch),
    }
}

fn blocked<const MR: usize, const NR: usize>(
    tile: Tile<MR, NR>,
    transpose: Transpose,
    p: &Product,
    c: &mut Rectangle,
    scratch: &mut [f32],
) {
    let (rows, columns, k) = (c.rows(), c.columns(), p.k);
    let (scratch, lines) = scratch.split_at_mut(NC * BLOCK);
    let mut edge = [[0f32; NR]; MR];
    for n0 in columns.clone().step_by(NC) {
        let nc = NC.min(columns.end - n0);
        for k0 in (0..k).step_by(BLOCK) {
            let kc = BLOCK.min(k - k0);
            for m0 in (0..rows).step_by(MC) {
                let m1 = rows.min(m0 + MC);
                let turned = p.a.column != 1 && nc > TURN * NR;
                if turned {
                    pack_lines::<MR>(&p.a, m0..m1, k0..k0 + kc, lines);
                }
                for j in (n0..n0 + nc).step_by(NR) {
                    let nr = NR.min(n0 + nc - j);
                    let panel = match p.b {
                        Right::Packed(b) => Panel { data: &b[j * k + k0 * NR..][..kc * NR], pitch: NR, depth: kc, next: 0 },
                        Right::Strided(b) if b.column == 1 && nr == NR && rows < MANY => {
                            Panel { data: &b.data[k0 * b.row + j..], pitch: b.row, depth: kc, next: NR }
                        }
                        Right::Strided(b) => {
                            let to = &mut scratch[(j - n0) * kc..][..NR * kc];
                            if m0 == 0 {
                                pack_panel(transpose, b, k0, j, nr, to.as_chunks_mut::<NR>().0);
                            }
                            Panel { data: to, pitch: NR, depth: kc, next: 0 }
                        }
                    };
                    let bias = p.bias.filter(|_| k0 + kc == k).map(|bias| &bias[j..j + nr]);
                    let finish = Finish { add: k0 > 0, bias };
                    for m in (m0..m1).step_by(MR) {
                        let mr = MR.min(rows - m);
                        let (a, from, next) = match turned {
                            true => (Strided { data: lines, row: 1, column: MR }, (m - m0) * kc, MR * kc),
                            // Along rows the processor itself sees what comes next.
                            false => (p.a, m * p.a.row + k0 * p.a.column, if p.a.column == 1 { 0 } else { MR * p.a.row }),
                        };
                        let lines = Lines { data: &a.data[from..], row: a.row, column: a.column, rows: mr, next };
                        if mr == MR && nr == NR {
                            tile(lines, panel, c.corner(m, j), finish);
                            continue;
                        }
                        tile(lines, panel, Rectangle::whole(edge.as_flattened_mut(), NR).corner(0, 0), Finish { add: false, bias: None });
                        for (i, sums) in edge.iter().enumerate().take(mr) {
                            let c = c.row(m + i, j..j + nr);
                            match finish.add {
                                true => c.iter_mut().zip(sums).for_each(|(c, sum)| *c += sum),
                                false => c.copy_from_slice(&sums[..nr]),
                            }
                            if let Some(bias) = bias {
                                c.iter_mut().zip(bias).for_each(|(c, b)| *c += b);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Packs rows of an a whose columns have no gaps, MR at a time: MR numbers for each k. Where they lie they are half a cache line, far from the next.
fn pack_lines<const MR: usize>(a: &Strided, rows: Range<usize>, terms: Range<usize>, to: &mut [f32]) {
    for (m, to) in rows.clone().step_by(MR).zip(to.chunks_mut(MR * terms.len())) {
        let n = MR.min(rows.end - m);
        for (k, to) in terms.clone().zip(to.as_chunks_mut::<MR>().0) {
            let from = &a.data[m + k * a.column..][..n];
            match <&[f32; MR]>::try_from(from) {
                Ok(from) => *to = *from,
                Err(_) => to[..n].copy_from_slice(from),
            }
        }
    }
}

/// Packs rows of weights as columns of a panel: column i of `to` gets row i of w, whose length is the panel's.
pub(super) fn pack(level: Level, w: &[f32], to: &mut Rectangle) {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 | Level::Avx2 => turn(tile::transpose_avx2, w, to.rows(), to),
        _ => turn(tile::transpose_portable, w, to.rows(), to),
    }
}

/// Lines of w, `pitch` apart, become columns of `to`.
fn turn(transpose: Transpose, w: &[f32], pitch: usize, to: &mut Rectangle) {
    let (depth, columns) = (to.rows(), to.columns());
    let (n, whole) = (columns.len(), depth / 8 * 8);
    let eights = n / 8 * 8;
    for k in (0..whole).step_by(8) {
        for i in (0..eights).step_by(8) {
            transpose(&w[i * pitch + k..], pitch, to.corner(k, columns.start + i));
        }
    }
    for i in 0..n {
        for k in if i < eights { whole..depth } else { 0..depth } {
            to.row(k, columns.start + i..columns.start + i + 1)[0] = w[i * pitch + k];
        }
    }
}

/// Packs up to NR columns of b, k by k; columns past the end are 0.
fn pack_panel<const NR: usize>(transpose: Transpose, b: Strided, k0: usize, n0: usize, nr: usize, to: &mut [[f32; NR]]) {
    if nr < NR {
        to.fill([0.0; NR]);
    }
    let from = &b.data[k0 * b.row + n0 * b.column..];
    if b.column == 1 {
        for (k, to) in to.iter_mut().enumerate() {
            let from = &from[k * b.row..][..nr];
            match <&[f32; NR]>::try_from(from) {
                Ok(from) => *to = *from,
                Err(_) => to[..nr].copy_from_slice(from),
            }
        }
        return;
    }
    assert_eq!(b.row, 1, "a right side has either rows or columns without gaps");
    turn(transpose, from, b.column, &mut Rectangle::whole(to.as_flattened_mut(), NR).left(nr));
}
