//! The matrix product behind the three products of a dense layer: `c[m, n] = sum_k a(m, k) b(k, n)`, K in blocks of
//! 256, as in docs/numerics.md.
//!
//! One thread computes a rectangle of c. a is read where it lies, or, if many panels of b read it, packed here, 264
//! rows at a time. b comes packed in panels of NR columns, or is packed here through strides, a block of 256 x 1024 at
//! a time, which stays in a core's L2 cache; a panel of b stays in L1 while all rows of a go past it. Rows of b that a
//! register tile can read where they lie are not packed. Bound by arithmetic.

use super::memory::Rectangle;
use super::pack;
use super::tile::{self, Ahead, Cut, Finish, Lines, Panel, Tile};
use crate::Level;
use crate::op::BLOCK;
use std::ops::Range;

/// Columns of b that are packed at a time.
const NC: usize = 1024;
/// Rows of a that go past a block of b, so that they stay in L2: whole tiles of every level.
const MC: usize = 264;
/// The largest MR of any level.
const MR_MAX: usize = 8;
/// The largest NR of any level.
pub(super) const NR_MAX: usize = 32;
/// From this number of rows of a, it pays to pack a b whose rows could be read where they lie.
const MANY: usize = 96;
/// The same (rows, numbers from one row of b to the next) where the rows of b lie so far apart that they share few sets
/// of the L1 cache, or that each lies on another page. With AVX-512, where fewer tiles read a panel, packing x for dw
/// was slower (docs/experiments.md).
const MANY_APART: (usize, usize) = (32, 128);
/// Up to this number of panels of b, it does not pay to pack a.
const FEW: usize = 8;

/// A matrix read through strides: element (i, j) is `data[i * row + j * column]`.
#[derive(Clone, Copy)]
pub(super) struct Strided<'a> {
    pub(super) data: &'a [f32],
    pub(super) row: usize,
    pub(super) column: usize,
}

impl<'a> Strided<'a> {
    /// Some rows and terms, as something to fetch: a line in each tile.
    fn ahead(self, rows: Range<usize>, terms: Range<usize>) -> Ahead<'a> {
        let data = self.data.get(rows.start * self.row + terms.start * self.column..).unwrap_or_default();
        match self.column {
            1 => Ahead { data, step: 4, pitch: self.row, tiles: rows.len() },
            _ => Ahead { data, step: 4, pitch: self.column, tiles: terms.len() },
        }
    }
}

/// The right side of a product.
#[derive(Clone, Copy)]
pub(super) enum Right<'a> {
    Strided(Strided<'a>),
    /// All of it, packed by [`pack`].
    Packed(&'a [f32]),
}

impl<'a> Right<'a> {
    /// NR columns from j on, in the terms from k0 on of all k, as something that four tiles fetch, each every fourth
    /// term.
    fn ahead<const NR: usize>(self, j: usize, k0: usize, k: usize) -> Ahead<'a> {
        let (data, pitch) = match self {
            Right::Packed(b) => (&b[j * k + k0 * NR..], NR),
            Right::Strided(b) if b.column == 1 => (&b.data[k0 * b.row + j..], b.row),
            Right::Strided(_) => return Ahead::default(),
        };
        Ahead { data, step: 4 * pitch, pitch, tiles: 4 }
    }
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

/// Columns of a panel.
pub(super) fn panel(level: Level) -> usize {
    match level {
        Level::Avx512 => 32,
        Level::Avx2 => 16,
        Level::Portable => 8,
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
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => blocked(tile::AVX512, p, c, scratch),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => blocked(tile::AVX2, p, c, scratch),
        _ => blocked(tile::PORTABLE, p, c, scratch),
    }
}

/// Whether tiles read rows of b where they lie, given this number of rows of a.
fn lies_well<const NR: usize>(b: Strided, rows: usize) -> bool {
    let (many, apart) = MANY_APART;
    b.column == 1 && rows < if NR == NR_MAX || b.row < apart { MANY } else { many }
}

fn blocked<const MR: usize, const NR: usize>(tile: Tile<MR, NR>, p: &Product, c: &mut Rectangle, scratch: &mut [f32]) {
    let (rows, columns, k) = (c.rows(), c.columns(), p.k);
    let (scratch, lines) = scratch.split_at_mut(NC * BLOCK);
    for n0 in columns.clone().step_by(NC) {
        let n1 = columns.end.min(n0 + NC);
        for k0 in (0..k).step_by(BLOCK) {
            let kc = BLOCK.min(k - k0);
            for m0 in (0..rows).step_by(MC) {
                let m1 = rows.min(m0 + MC);
                let cut = Cut::new(m1 - m0, MR);
                // If many panels read these rows of a, they are packed, and the next ones are fetched meanwhile.
                let packed = n1 - n0 > FEW * NR;
                if packed {
                    pack::lines::<MR>(tile.lines, p.a, m0..m1, k0..k0 + kc, lines);
                }
                let a = match packed {
                    true => Lines::Packed(lines),
                    false => Lines::Strided(Strided { data: &p.a.data[m0 * p.a.row + k0 * p.a.column..], ..p.a }),
                };
                // The part of a that comes next.
                let (m2, k2) = if m1 < rows { (m1, k0) } else { (0, k0 + kc) };
                let later = if packed { p.a.ahead(m2..rows.min(m2 + MC), k2..k.min(k2 + BLOCK)) } else { Ahead::default() };
                for j in (n0..n1).step_by(NR) {
                    let nr = NR.min(n1 - j);
                    let panel = match p.b {
                        Right::Packed(b) => Panel::new(&b[j * k + k0 * NR..][..kc * NR], NR, kc),
                        Right::Strided(b) if nr == NR && lies_well::<NR>(b, rows) => Panel::new(&b.data[k0 * b.row + j..], b.row, kc),
                        Right::Strided(b) => {
                            // If all rows of a go past a panel at once, the panels take turns in one place, which stays
                            // in L1.
                            let place = if rows <= MC { 0 } else { (j - n0) * kc };
                            let to = &mut scratch[place..][..NR * kc];
                            if m0 == 0 {
                                pack::panel(tile.transpose, b, k0, j, nr, to.as_chunks_mut::<NR>().0);
                            }
                            Panel::new(to, NR, kc)
                        }
                    };
                    // The part of b that comes next.
                    let (j1, k1) = match (j + NR < n1, m1 < rows) {
                        (true, _) => (j + NR, k0),
                        (false, true) => (n0, k0),
                        (false, false) => (n0, k0 + kc),
                    };
                    let tiles = cut.tiles();
                    let lies_there = matches!(p.b, Right::Packed(_)) || m0 == 0;
                    let next = if k1 < k && lies_there { p.b.ahead::<NR>(j1, k1, k) } else { Ahead::default() };
                    let left = tiles.saturating_sub(next.tiles);
                    let later = later.last(left * (n1 - j).div_ceil(NR), left);
                    let bias = p.bias.filter(|_| k0 + kc == k).map(|bias| &bias[j..j + nr]);
                    (tile.strip)(a, cut, Panel { ahead: [next, later], ..panel }, c.part(m0..m1, j..j + nr), Finish { add: k0 > 0, bias });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "x86_64")]
    use super::super::transpose::{self, PackLines};
    use super::*;
    use crate::verify::contract;

    /// A tile of AVX-512's size, by arrays, so that the work of that level is tested on processors without it.
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code)]
    fn arrays(lines: PackLines) -> Tile<8, 32> {
        Tile {
            // SAFETY: arrays need no instructions that a processor could lack.
            strip: |a, cut, b, c, finish| unsafe { tile::strip::<[f32; 16], 8, 32>(a, cut, b, c, finish) },
            transpose: transpose::portable,
            lines,
        }
    }

    /// Products of many shapes, of rows and of columns of a, of rows, columns and panels of b, with a bias and without.
    fn check<const MR: usize, const NR: usize>(name: &str, tile: Tile<MR, NR>) {
        let mut state = 7u64;
        let mut below = |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % n
        };
        let mut scratch = vec![f32::NAN; PACK];
        // Few rows, some tiles of them, two blocks; few columns, some panels, more than a packed a needs, two blocks;
        // few terms, some, two blocks.
        for round in 0..36 {
            let m = [1 + below(20), 60 + below(8), MC - 2 + below(12)][round % 3];
            let n = [1 + below(9), NR * (1 + below(3)), FEW * NR + 1 + below(40), NC + 1 + below(40)][round / 3 % 4];
            let k = [1 + below(9), 1 + below(100), BLOCK + 1 + below(3)][round / 12];
            let m = if m * n * k > 25_000_000 { 13 } else { m };
            let mut numbers = |n: usize| -> Vec<f32> { (0..n).map(|_| below(2001) as f32 / 1000.0 - 1.0).collect() };
            let (a, b, bias) = (numbers(m * k), numbers(k * n), numbers(n));
            let turned = |x: &[f32], rows: usize, columns: usize| -> Vec<f32> {
                (0..rows * columns).map(|i| x[i % rows * columns + i / rows]).collect()
            };
            let (a_turned, b_turned) = (turned(&a, m, k), turned(&b, k, n));
            let panels: Vec<f32> = (0..n.div_ceil(NR) * k * NR)
                .map(|i| (i / (k * NR) * NR + i % NR, i / NR % k))
                .map(|(column, term)| if column < n { b[term * n + column] } else { f32::NAN })
                .collect();
            // Large ones in fewer ways.
            let large = m * n * k > 2_000_000;
            let want = match round % 2 {
                0 => contract::dense(&a, &b_turned, Some(&bias), [m, k, n]),
                _ => contract::dense_dx(&a, &b, [m, n, k]),
            };
            let bias = (round % 2 == 0).then_some(&bias[..]);
            // All columns, and, as threads that share a product have them, only those of some panels.
            let first = if round % 4 < 2 && n > NR { NR } else { 0 };
            let lefts = [Strided { data: &a, row: k, column: 1 }, Strided { data: &a_turned, row: 1, column: m }];
            let strided = [Strided { data: &b, row: n, column: 1 }, Strided { data: &b_turned, row: 1, column: k }];
            let rights: Vec<_> = strided.map(Right::Strided).into_iter().chain([Right::Packed(&panels)]).collect();
            let ways =
                (0..6).map(|i| (lefts[i % 2], rights[i / 2])).skip(if large { round % 5 } else { 0 }).step_by(if large { 5 } else { 1 });
            for (a, b) in ways {
                let mut c = vec![f32::NAN; m * n];
                blocked(Tile { ..tile }, &Product { a, b, k, bias }, &mut Rectangle::whole(&mut c, n).part(0..m, first..n), &mut scratch);
                let right = |i: usize| if i % n < first { c[i].is_nan() } else { c[i].to_bits() == want[i].to_bits() };
                assert!((0..m * n).all(right), "{name}: {m} x {k} x {n} from column {first}, {:?}", (a.row, a.column, bias.is_some()));
            }
        }
    }

    #[test]
    fn products_of_every_tile_have_the_bits_of_the_contract() {
        check("the portable tile", tile::PORTABLE);
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = Level::Avx2.is_available();
            if avx2 {
                check("AVX2's", tile::AVX2);
            }
            match Level::Avx512.is_available() {
                true => check("AVX-512's", tile::AVX512),
                false => {
                    check("one of AVX-512's size", arrays(if avx2 { transpose::lines_avx512 } else { transpose::lines_portable::<8> }))
                }
            }
        }
    }
}
