//! The kernel of the matrix product, a strip of register tiles. It is written once for all vectors. On x86 these are
//! intrinsics, because from loops over arrays the compiler spills the accumulators (2.7 GFLOP/s for 8 x 32, where this
//! reaches 100 to 170 on one core).
#![allow(unsafe_code)]

use super::fma::{Fma, Portable};
use super::gemm::Strided;
use super::memory::Rectangle;
use super::transpose::{self, PackLines, Transpose};
use super::vector::Vector;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;
use std::ops::Range;

/// How a level computes: MR rows and NR columns of c at a time.
pub(super) struct Tile<const MR: usize, const NR: usize> {
    /// `c[i][j] = sum_k a(i, k) b[k][j]`, k ascending, one fused multiply-add each; then as `Finish` says. For at most
    /// NR columns and any number of rows, a tile at a time, so that the panel of b is read from L1 each time.
    pub(super) strip: fn(Lines, Cut, Panel, Rectangle, Finish),
    pub(super) transpose: Transpose,
    pub(super) lines: PackLines,
}

/// Rows of a.
#[derive(Clone, Copy)]
pub(super) enum Lines<'a> {
    /// Tile after tile, MR numbers for each term of each; those for rows that a lower tile lacks may hold anything.
    Packed(&'a [f32]),
    Strided(Strided<'a>),
}

/// Rows of b that a strip reads: NR numbers for each of `depth` terms, at least one, `pitch` apart.
#[derive(Clone, Copy)]
pub(super) struct Panel<'a> {
    pub(super) data: &'a [f32],
    pub(super) pitch: usize,
    pub(super) depth: usize,
    /// What the first tiles fetch into L2, and what the later ones do.
    pub(super) ahead: [Ahead<'a>; 2],
}

/// What later strips read. It is fetched line by line while this one is computed: fetching all at once would wait for
/// memory, and fetching a line more than once takes time from the multiplications.
#[derive(Clone, Copy, Default)]
pub(super) struct Ahead<'a> {
    pub(super) data: &'a [f32],
    /// How much further at every fourth term: as many lines are fetched there as a panel is wide.
    pub(super) step: usize,
    /// How much further at each tile, and how many tiles there are.
    pub(super) pitch: usize,
    pub(super) tiles: usize,
}

impl Ahead<'_> {
    /// What the next `now` of the last `left` tiles fetch of it, so that all of it is there afterwards.
    pub(super) fn last(self, left: usize, now: usize) -> Self {
        let start = self.tiles.checked_sub(left);
        let of =
            start.and_then(|start| Some(Ahead { data: self.data.get(start * self.pitch..)?, tiles: now.min(self.tiles - start), ..self }));
        of.unwrap_or_default()
    }
}

impl<'a> Panel<'a> {
    pub(super) fn new(data: &'a [f32], pitch: usize, depth: usize) -> Panel<'a> {
        Panel { data, pitch, depth, ahead: Default::default() }
    }

    /// Where a tile fetches from at its first term, and how much further at every fourth. If nothing is ahead, it
    /// fetches something already in cache.
    #[inline(always)]
    fn ahead(&self, tile: usize) -> (*const f32, usize) {
        let [first, then] = &self.ahead;
        let at = |ahead: &Ahead, tile: usize| (ahead.data.as_ptr().wrapping_add(tile * ahead.pitch), ahead.step);
        match tile {
            _ if tile < first.tiles => at(first, tile),
            _ if tile < first.tiles + then.tiles => at(then, tile - first.tiles),
            _ => (self.data.as_ptr(), 0),
        }
    }
}

/// What happens to the sums: they are added to c, or replace it; then the bias is added, one number for each column.
#[derive(Clone, Copy)]
pub(super) struct Finish<'a> {
    pub(super) add: bool,
    pub(super) bias: Option<&'a [f32]>,
}

impl Finish<'_> {
    fn row(&self, sums: &[f32], c: &mut [f32]) {
        match self.add {
            true => c.iter_mut().zip(sums).for_each(|(c, sum)| *c += sum),
            false => c.copy_from_slice(sums),
        }
        if let Some(bias) = self.bias {
            c.iter_mut().zip(bias).for_each(|(c, b)| *c += b);
        }
    }
}

/// 4 x 8 by arrays.
pub(super) const PORTABLE: Tile<4, 8> = Tile {
    // SAFETY: arrays need no instructions that a processor could lack.
    strip: |a, cut, b, c, finish| unsafe { strip::<<Portable as Fma>::Four, 4, 8>(a, cut, b, c, finish) },
    transpose: transpose::portable,
    lines: transpose::lines_portable::<4>,
};

/// 6 x 16: twelve accumulators of eight.
#[cfg(target_arch = "x86_64")]
pub(super) const AVX2: Tile<6, 16> = {
    #[target_feature(enable = "avx2,fma")]
    fn body(a: Lines, cut: Cut, b: Panel, c: Rectangle, finish: Finish) {
        // SAFETY: this is compiled for, and called on, a processor that has the vectors.
        unsafe { strip::<__m256, 6, 16>(a, cut, b, c, finish) }
    }
    // SAFETY: only a device at the level avx2 or above takes this tile, and `Level::require` found the features before
    // it was opened.
    Tile { strip: |a, cut, b, c, finish| unsafe { body(a, cut, b, c, finish) }, transpose: transpose::avx2, lines: transpose::lines_avx2 }
};

/// 8 x 32: sixteen accumulators of sixteen.
#[cfg(target_arch = "x86_64")]
pub(super) const AVX512: Tile<8, 32> = {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    fn body(a: Lines, cut: Cut, b: Panel, c: Rectangle, finish: Finish) {
        // SAFETY: this is compiled for, and called on, a processor that has the vectors.
        unsafe { strip::<__m512, 8, 32>(a, cut, b, c, finish) }
    }
    // SAFETY: only a device at the level avx512 takes this tile, and `Level::require` found the features before it was
    // opened.
    Tile { strip: |a, cut, b, c, finish| unsafe { body(a, cut, b, c, finish) }, transpose: transpose::avx2, lines: transpose::lines_avx512 }
};

/// How rows are cut into register tiles: as few as possible, with heights that differ by at most one. A low tile has
/// too few sums to keep the processor busy: sixteen rows as six, five and five take less time than as six, six
/// and four.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cut {
    /// Tiles with one row more than the others; they come first.
    pub(super) tall: usize,
    /// The others, and their height.
    pub(super) low: usize,
    pub(super) height: usize,
}

impl Cut {
    /// Cuts into tiles of at most `most` rows.
    pub(super) fn new(rows: usize, most: usize) -> Cut {
        let tiles = rows.div_ceil(most);
        let height = rows.checked_div(tiles).unwrap_or(0);
        let tall = rows - tiles * height;
        Cut { tall, low: tiles - tall, height }
    }

    /// The number of tiles.
    pub(super) fn tiles(self) -> usize {
        self.tall + self.low
    }

    /// The rows of a tile.
    pub(super) fn rows(self, tile: usize) -> Range<usize> {
        let start = |tile: usize| tile * self.height + tile.min(self.tall);
        start(tile)..start(tile + 1)
    }
}

/// The kernel, once for each way in which rows lie, so that the compiler knows one of their strides: with two unknown
/// ones it has too few registers for addresses, and keeps a sum in memory.
///
/// # Safety
/// As for the methods of the vector.
#[inline(always)]
pub(super) unsafe fn strip<V: Vector, const MR: usize, const NR: usize>(a: Lines, cut: Cut, b: Panel, mut c: Rectangle, finish: Finish) {
    /// How far ahead of a tile's reads packed rows are fetched, in numbers.
    const NEXT: usize = 1024;
    const { assert!(2 * V::N == NR && MR <= 8) };
    assert!(cut.tall * (cut.height + 1) + cut.low * cut.height == c.rows(), "tiles are not all rows");
    assert!(cut.height + usize::from(cut.tall > 0) <= MR, "a tile is too high");
    assert!(b.depth > 0 && (b.depth - 1) * b.pitch + NR <= b.data.len(), "a panel reaches past its data");
    assert!(c.columns().len() <= NR && finish.bias.is_none_or(|bias| bias.len() == c.columns().len()), "a strip is at most one panel wide");
    // SAFETY: the caller knows that the processor has the vectors.
    unsafe {
        match a {
            Lines::Packed(data) => {
                heights::<V, MR, NR>(Strided { data, row: 1, column: MR }, Some(MR * b.depth), NEXT, cut, b, &mut c, finish);
            }
            Lines::Strided(a) if a.row == 1 => heights::<V, MR, NR>(Strided { row: 1, ..a }, None, MR, cut, b, &mut c, finish),
            Lines::Strided(a) => {
                assert!(a.column == 1, "a left side has either rows or columns without gaps");
                // Along rows the processor prefetches by itself.
                heights::<V, MR, NR>(Strided { column: 1, ..a }, None, 0, cut, b, &mut c, finish);
            }
        }
    }
}

/// All tiles, by a kernel for each height. A packed tile starts `packed` numbers after the previous one. A tile fetches
/// what lies `next` numbers after its reads.
///
/// # Safety
/// As for the methods of the vector.
#[inline(always)]
unsafe fn heights<V: Vector, const MR: usize, const NR: usize>(
    a: Strided,
    packed: Option<usize>,
    next: usize,
    cut: Cut,
    b: Panel,
    c: &mut Rectangle,
    finish: Finish,
) {
    let (mut tile, mut row) = (0, 0);
    for (count, height) in [(cut.tall, cut.height + 1), (cut.low, cut.height)] {
        let of = Run { a, packed, next, tiles: tile..tile + count, row };
        // SAFETY: the caller knows that the processor has the vectors.
        unsafe {
            match height {
                1 => tiles::<V, 1, NR>(of, b, c, finish),
                2 if MR >= 2 => tiles::<V, 2, NR>(of, b, c, finish),
                3 if MR >= 3 => tiles::<V, 3, NR>(of, b, c, finish),
                4 if MR >= 4 => tiles::<V, 4, NR>(of, b, c, finish),
                5 if MR >= 5 => tiles::<V, 5, NR>(of, b, c, finish),
                6 if MR >= 6 => tiles::<V, 6, NR>(of, b, c, finish),
                7 if MR >= 7 => tiles::<V, 7, NR>(of, b, c, finish),
                8 if MR >= 8 => tiles::<V, 8, NR>(of, b, c, finish),
                _ => {}
            }
        }
        (tile, row) = (tile + count, row + count * height);
    }
}

/// Some tiles of the same height, the first of which starts at `row` of c. See [`heights`].
struct Run<'a> {
    a: Strided<'a>,
    packed: Option<usize>,
    next: usize,
    tiles: Range<usize>,
    row: usize,
}

/// Tiles of H rows. The code between two tiles is kept short: the processor runs it while it still multiplies.
///
/// # Safety
/// As for the methods of the vector.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "through iterators the compiler keeps the sums in memory, which takes 2.4 times as long")]
unsafe fn tiles<V: Vector, const H: usize, const NR: usize>(of: Run, b: Panel, c: &mut Rectangle, finish: Finish) {
    let Run { a, packed, next, tiles, row: mut first } = of;
    let (columns, depth) = (c.columns(), b.depth);
    let full = columns.len() == NR;
    for at in tiles {
        let data = &a.data[packed.map_or(first * a.row, |packed| at * packed)..];
        assert!((H - 1) * a.row + (depth - 1) * a.column < data.len(), "rows reach past their data");
        // Long sums leave time to fetch c.
        if full && depth >= 64 {
            let mut c = c.corner::<H, NR>(first, columns.start);
            for i in 0..H {
                (0..NR).step_by(LINE).for_each(|j| fetch::<NEAR, f32>(c.row(i)[j..].as_ptr()));
            }
        }
        let (mut ahead, step) = b.ahead(at);
        let (mut a_at, mut b_at) = (data.as_ptr(), b.data.as_ptr());
        // SAFETY: the caller knows that the processor has the vectors. That the rows lie inside for every term, and NR
        // numbers of the panel, was just asserted.
        let mut sums = unsafe { [[V::splat(0.0); 2]; H] };
        for _ in 0..depth / 4 {
            // SAFETY: as above.
            unsafe {
                term(&mut sums, a_at, a.row, b_at);
                term(&mut sums, a_at.add(a.column), a.row, b_at.add(b.pitch));
                term(&mut sums, a_at.add(2 * a.column), a.row, b_at.add(2 * b.pitch));
                term(&mut sums, a_at.add(3 * a.column), a.row, b_at.add(3 * b.pitch));
            }
            // A packed term is at most half a line long, so every other term reaches all lines.
            for k in (0..4).step_by(if packed.is_some() { 2 } else { 1 }).filter(|_| next > 0) {
                fetch::<NEAR, f32>(a_at.wrapping_add(k * a.column + next));
            }
            (0..NR.div_ceil(LINE)).for_each(|line| fetch::<FAR, f32>(ahead.wrapping_add(line * LINE)));
            ahead = ahead.wrapping_add(step);
            (a_at, b_at) = (a_at.wrapping_add(4 * a.column), b_at.wrapping_add(4 * b.pitch));
        }
        for _ in 0..depth % 4 {
            // SAFETY: as above.
            unsafe { term(&mut sums, a_at, a.row, b_at) };
            (a_at, b_at) = (a_at.wrapping_add(a.column), b_at.wrapping_add(b.pitch));
        }
        if full {
            let mut c = c.corner::<H, NR>(first, columns.start);
            for i in 0..H {
                let c = c.row(i).as_mut_ptr();
                for half in 0..2 {
                    // SAFETY: a row of the corner is NR numbers, and so is the bias, as asserted.
                    unsafe {
                        let (mut sum, c) = (sums[i][half], c.add(half * V::N));
                        if finish.add {
                            sum = V::load(c).add(sum);
                        }
                        if let Some(bias) = finish.bias {
                            sum = sum.add(V::load(bias.as_ptr().add(half * V::N)));
                        }
                        sum.store(c);
                    }
                }
            }
        } else {
            let mut edge = [[0f32; NR]; H];
            for i in 0..H {
                // SAFETY: a row of the edge is NR numbers.
                unsafe {
                    sums[i][0].store(edge[i].as_mut_ptr());
                    sums[i][1].store(edge[i].as_mut_ptr().add(V::N));
                }
            }
            for (i, edge) in edge.iter().enumerate() {
                finish.row(&edge[..columns.len()], c.row(first + i, columns.clone()));
            }
        }
        first += H;
    }
}

/// One term of all sums.
///
/// # Safety
/// As for the methods of the vector; `a` points to the term in the first row, each of the lines lies so far from it,
/// and `b` to two vectors.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "as in `tiles`")]
unsafe fn term<V: Vector, const MR: usize>(sums: &mut [[V; 2]; MR], a: *const f32, row: usize, b: *const f32) {
    // SAFETY: as the caller says.
    unsafe {
        let b = [V::load(b), V::load(b.add(V::N))];
        for i in 0..MR {
            let a = V::splat(*a.add(i * row));
            sums[i] = [a.mul_add(b[0], sums[i][0]), a.mul_add(b[1], sums[i][1])];
        }
    }
}

/// Floats of a cache line.
pub(super) const LINE: usize = 16;
/// Into L1.
pub(super) const NEAR: bool = true;
/// Into L2.
const FAR: bool = false;

/// Brings the cache line of an address, which may be any, nearer.
#[inline(always)]
pub(super) fn fetch<const NEAR: bool, T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch of an address that is not there does nothing.
    unsafe {
        match NEAR {
            true => _mm_prefetch::<_MM_HINT_T0>(address.cast()),
            false => _mm_prefetch::<_MM_HINT_T1>(address.cast()),
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
