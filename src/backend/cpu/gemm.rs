//! The matrix product behind the three products of a dense layer: `c[m, n] = sum_k a(m, k) b(k, n)`, K in blocks of 256 as docs/numerics.md says.
//!
//! One thread computes a rectangle of c. a is read where it lies. b comes packed in panels of NR columns, or is packed here through strides, a block of
//! 256 x 512 at a time, which stays in a core's L2 cache; a panel of b stays in L1 while all rows of a go past it. Rows of b that a register tile can
//! read where they lie are not packed at all. Bound by arithmetic. Where the compiler may not use fused multiply-add, matrixmultiply computes the same
//! sums in the same order.

use super::memory::Rectangle;
use super::pack;
use super::tile::{self, Finish, Lines, Panel, Tile, Transpose};
use crate::Level;
use crate::op::BLOCK;

/// Columns of b that are packed at a time.
const NC: usize = 1024;
/// Rows of a that go past a block of b, so that they stay in L2: whole tiles of every level.
const MC: usize = 264;
/// The largest MR of any level.
const MR_MAX: usize = 8;
/// The largest NR of any level.
pub(super) const NR_MAX: usize = 32;
/// Rows of a for which it pays to pack a b whose rows could be read where they lie.
const MANY: usize = 96;

/// Panels of b for which it does not pay to pack a.
const FEW: usize = 8;
/// How far ahead of what a tile reads of a packed a it is fetched, in numbers.
const NEXT: usize = 1024;

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
pub(super) const PACK: usize = (NC + MC + MR_MAX) * BLOCK;

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
                let packed = nc > FEW * NR;
                // A panel is fetched in as many tiles as that: all at once it would wait for memory.
                let tiles = 1 << (m1 / MR).clamp(1, NR / 4).ilog2();
                if packed {
                    pack::lines::<MR>(transpose, p.a, m0..m1, k0..k0 + kc, lines);
                }
                for j in (n0..n0 + nc).step_by(NR) {
                    let nr = NR.min(n0 + nc - j);
                    let panel = match p.b {
                        Right::Packed(b) => Panel::new(&b[j * k + k0 * NR..][..kc * NR], NR, kc),
                        Right::Strided(b) if b.column == 1 && nr == NR && rows < MANY => Panel::new(&b.data[k0 * b.row + j..], b.row, kc),
                        Right::Strided(b) => {
                            // Where all rows of a go past it at once, the panels take turns in one place, which stays in L1.
                            let place = if rows <= MC { 0 } else { (j - n0) * kc };
                            let to = &mut scratch[place..][..NR * kc];
                            if m0 == 0 {
                                pack::panel(transpose, b, k0, j, nr, to.as_chunks_mut::<NR>().0);
                            }
                            Panel::new(to, NR, kc)
                        }
                    };
                    // The columns and the terms of the panel that comes next.
                    let (j1, k1) = match (j + NR < n0 + nc, k0 + BLOCK < k) {
                        (true, _) => (j + NR, k0),
                        (false, true) => (n0, k0 + BLOCK),
                        (false, false) => (n0 + nc, 0),
                    };
                    // Where it lies, how much of it is fetched at each term, and in how many tiles.
                    let next = match p.b {
                        _ if m0 > 0 => None,
                        Right::Packed(b) => b.get(j1 * k + k1 * NR..).map(|b| (b, NR / tiles, tiles)),
                        Right::Strided(b) if b.column == 1 => b.data.get(k1 * b.row + j1..).map(|data| (data, b.row, 1)),
                        Right::Strided(_) => None,
                    };
                    let bias = p.bias.filter(|_| k0 + kc == k).map(|bias| &bias[j..j + nr]);
                    let finish = Finish { add: k0 > 0, bias };
                    for (at, m) in (m0..m1).step_by(MR).enumerate() {
                        let ahead = next.filter(|next| at < next.2).and_then(|(data, step, _)| Some((data.get(at * kc * step..)?, step)));
                        let panel = Panel { ahead, ..panel };
                        let mr = MR.min(m1 - m);
                        let lines = match packed {
                            true => Lines { data: &lines[(m - m0) * kc..], row: 1, column: MR, rows: mr, next: NEXT },
                            false => {
                                // Along rows the processor itself sees what comes next.
                                let next = if p.a.column == 1 { 0 } else { MR * p.a.row };
                                let data = &p.a.data[m * p.a.row + k0 * p.a.column..];
                                Lines { data, row: p.a.row, column: p.a.column, rows: mr, next }
                            }
                        };
                        if mr == MR && nr == NR {
                            tile(lines, panel, c.corner(m, j), finish);
                        } else {
                            tile(
                                lines,
                                panel,
                                Rectangle::whole(edge.as_flattened_mut(), NR).corner(0, 0),
                                Finish { add: false, bias: None },
                            );
                            for (i, sums) in edge.iter().enumerate().take(mr) {
                                finish.row(&sums[..nr], c.row(m + i, j..j + nr));
                            }
                        }
                    }
                }
            }
        }
    }
}
