//! The matrix product behind the three products of a dense layer: `c[m, n] = sum_k a(m, k) b(k, n)`, K in blocks of 256 as docs/numerics.md says.
//!
//! a is read where it lies. b is packed through strides, a block of 256 x 512 at a time, which stays in a core's L2 cache, so that no product needs a
//! transposed copy; the register tile is MR x NR. c is split over the threads by columns where there are enough, since then no number of b is packed
//! twice, else by rows. Bound by arithmetic. Where the compiler may not use fused multiply-add, matrixmultiply computes the same sums in the same order.
#![allow(unsafe_code)]

use super::tile::{self, Lines, Tile, Transpose};
use crate::Level;
use crate::op::BLOCK;
use rayon::prelude::*;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Mutex;

/// Columns of b that are packed at a time.
const NC: usize = 512;
/// The largest MR and NR of any level.
const MR_MAX: usize = 8;
const NR_MAX: usize = 32;
/// Below this many multiply-adds a product is not worth a second thread.
const SMALL: usize = 64 * 1024;

/// A matrix read through strides: element (i, j) is `data[i * row + j * column]`.
#[derive(Clone, Copy)]
pub(super) struct Strided<'a> {
    pub(super) data: &'a [f32],
    pub(super) row: usize,
    pub(super) column: usize,
}

/// Memory for the packed block of one thread.
pub(super) struct Pack(Vec<f32>);

impl Pack {
    pub(super) fn new() -> Pack {
        Pack(vec![0.0; NC * BLOCK])
    }
}

/// What the product needs to know of the device: the level, and a [`Pack`] for each thread.
pub(super) struct Gemm<'a> {
    pub(super) level: Level,
    pub(super) packs: &'a [Mutex<Pack>],
}

/// A product.
pub(super) struct Task<'a> {
    pub(super) a: Strided<'a>,
    pub(super) b: Strided<'a>,
    pub(super) n: usize,
    pub(super) k: usize,
    pub(super) bias: Option<&'a [f32]>,
}

impl Gemm<'_> {
    /// `c[m, n] = sum_k a(m, k) b(k, n) (+ bias[n])`, c row-major with n columns.
    pub(super) fn product(&self, task: &Task, c: &mut [f32]) {
        if c.is_empty() {
            return;
        }
        let (n, threads) = (task.n, self.packs.len());
        let m = c.len() / n;
        let whole = Out { start: c.as_mut_ptr(), n, rows: 0..m, columns: 0..n, of: PhantomData };
        if m * n * task.k <= SMALL || threads == 1 {
            return self.part(task, whole);
        }
        let panels = n.div_ceil(NR_MAX);
        if panels.is_multiple_of(threads) || panels >= 4 * threads {
            let width = panels.div_ceil(threads) * NR_MAX;
            (0..n.div_ceil(width)).into_par_iter().for_each(|i| {
                // SAFETY: the ranges of columns are disjoint, and nobody else reaches c while this call has it.
                self.part(task, unsafe { whole.part(0..m, i * width..((i + 1) * width).min(n)) });
            });
        } else {
            let height = m.div_ceil(threads).next_multiple_of(MR_MAX);
            (0..m.div_ceil(height)).into_par_iter().for_each(|i| {
                // SAFETY: the ranges of rows are disjoint, and nobody else reaches c while this call has it.
                self.part(task, unsafe { whole.part(i * height..((i + 1) * height).min(m), 0..n) });
            });
        }
    }

    fn part(&self, task: &Task, mut c: Out) {
        if task.k == 0 {
            for i in c.rows.clone() {
                c.row(i, c.columns.clone()).fill(0.0);
            }
        } else if self.level == Level::Portable && !FUSED {
            super::matmul::product(task, &mut c);
        } else {
            // Rayon gives each of the pool's threads its own number, so a pack is contended by nobody.
            let mine = rayon::current_thread_index().unwrap_or(0) % self.packs.len();
            let pack = &mut self.packs[mine].lock().unwrap_or_else(|poisoned| poisoned.into_inner()).0;
            match self.level {
                #[cfg(target_arch = "x86_64")]
                Level::Avx512 => blocked(tile::avx512, tile::transpose_avx2, task, &mut c, pack),
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => blocked(tile::avx2, tile::transpose_avx2, task, &mut c, pack),
                _ => blocked(tile::portable, tile::transpose_portable, task, &mut c, pack),
            }
        }
        if let Some(bias) = task.bias {
            let columns = c.columns.clone();
            for i in c.rows.clone() {
                c.row(i, columns.clone()).iter_mut().zip(&bias[columns.clone()]).for_each(|(c, b)| *c += b);
            }
        }
    }
}

/// Whether the compiler may use fused multiply-add at the portable level.
const FUSED: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

/// A rectangle of c that one thread writes.
pub(super) struct Out<'a> {
    start: *mut f32,
    /// Columns of the whole of c.
    n: usize,
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
    of: PhantomData<&'a mut [f32]>,
}

// SAFETY: an `Out` is a mutable borrow of its rectangle, and f32 may cross threads.
unsafe impl Send for Out<'_> {}
// SAFETY: a shared `Out` only makes parts, which is unsafe of itself.
unsafe impl Sync for Out<'_> {}

impl Out<'_> {
    /// # Safety
    /// Parts that live at the same time must not overlap.
    unsafe fn part(&self, rows: Range<usize>, columns: Range<usize>) -> Self {
        debug_assert!(rows.end <= self.rows.end && columns.end <= self.columns.end);
        Out { start: self.start, n: self.n, rows, columns, of: PhantomData }
    }

    /// Some columns of row i.
    pub(super) fn row(&mut self, i: usize, columns: Range<usize>) -> &mut [f32] {
        assert!(self.rows.contains(&i) && self.columns.start <= columns.start && columns.end <= self.columns.end);
        // SAFETY: the row and the columns are this rectangle's, as asserted, and the rectangle is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(i * self.n + columns.start), columns.len()) }
    }

    /// The address and the pitch, for code that writes through pointers.
    pub(super) fn first(&mut self) -> (*mut f32, usize) {
        // SAFETY: the first element of the rectangle lies inside c.
        (unsafe { self.start.add(self.rows.start * self.n + self.columns.start) }, self.n)
    }
}

fn blocked<const MR: usize, const NR: usize>(tile: Tile<MR, NR>, transpose: Transpose<NR>, task: &Task, c: &mut Out, pack: &mut [f32]) {
    let Task { a, b, k, .. } = *task;
    let (rows, columns) = (c.rows.clone(), c.columns.clone());
    let mut sums = [[0f32; NR]; MR];
    for n0 in columns.clone().step_by(NC) {
        let nc = NC.min(columns.end - n0);
        for k0 in (0..k).step_by(BLOCK) {
            let kc = BLOCK.min(k - k0);
            for (panel, j) in (0..nc).step_by(NR).enumerate() {
                let (to, _) = pack[panel * NR * kc..(panel + 1) * NR * kc].as_chunks_mut::<NR>();
                pack_panel(transpose, b, k0, n0 + j, NR.min(nc - j), to);
            }
            for m0 in rows.clone().step_by(MR) {
                let mr = MR.min(rows.end - m0);
                let lines = Lines { data: &a.data[m0 * a.row + k0 * a.column..], row: a.row, column: a.column, rows: mr };
                for (panel, j) in (0..nc).step_by(NR).enumerate() {
                    let (b, _) = pack[panel * NR * kc..(panel + 1) * NR * kc].as_chunks::<NR>();
                    tile(lines, b, &mut sums);
                    let nr = NR.min(nc - j);
                    for (i, sums) in sums.iter().enumerate().take(mr) {
                        let c = c.row(m0 + i, n0 + j..n0 + j + nr);
                        // A whole row is a few vectors; a copy of unknown length would be a call.
                        match <&mut [f32; NR]>::try_from(&mut *c) {
                            Ok(c) if k0 == 0 => *c = *sums,
                            _ if k0 == 0 => c.copy_from_slice(&sums[..nr]),
                            _ => c.iter_mut().zip(sums).for_each(|(c, sum)| *c += sum),
                        }
                    }
                }
            }
        }
    }
}

/// Packs up to NR columns of b, k by k; columns past the end are 0.
fn pack_panel<const NR: usize>(transpose: Transpose<NR>, b: Strided, k0: usize, n0: usize, nr: usize, to: &mut [[f32; NR]]) {
    if nr < NR {
        to.fill([0.0; NR]);
    }
    if b.column == 1 {
        for (k, to) in to.iter_mut().enumerate() {
            let from = &b.data[(k0 + k) * b.row + n0..][..nr];
            match <&[f32; NR]>::try_from(from) {
                Ok(from) => *to = *from,
                Err(_) => to[..nr].copy_from_slice(from),
            }
        }
        return;
    }
    let from = |i: usize, k: usize| &b.data[(k0 + k) * b.row + (n0 + i) * b.column..];
    let (eights, rest) = to.as_chunks_mut::<8>();
    let depth = 8 * eights.len();
    let whole = if b.row == 1 { nr / 8 * 8 } else { 0 };
    for (block, to) in eights.iter_mut().enumerate() {
        for i in (0..whole).step_by(8) {
            transpose(from(i, 8 * block), b.column, to, i);
        }
        for i in whole..nr {
            for (k, to) in to.iter_mut().enumerate() {
                to[i] = from(i, 8 * block + k)[0];
            }
        }
    }
    for (k, to) in rest.iter_mut().enumerate() {
        for (i, to) in to.iter_mut().enumerate().take(nr) {
            *to = from(i, depth + k)[0];
        }
    }
}
