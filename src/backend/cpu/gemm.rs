//! The matrix product behind the three products of a dense layer: `c[m, n] = sum_k a(m, k) b(k, n)`, K in blocks of 256 as docs/numerics.md says.
//!
//! a and b are read through strides while they are packed, so that no product needs a transposed copy. The rows of c are split over the threads; each
//! thread packs one block of b (256 x up to 512, which stays in its L2 cache) and, strip by strip, MR rows of a; the register tile is MR x NR.
//! Bound by arithmetic. Where a processor has no fused multiply-add that the compiler may use, matrixmultiply computes the same sums in the same order.

use super::tile::{self, Tile};
use crate::Level;
use crate::op::BLOCK;
use rayon::prelude::*;
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

/// Memory for the packed blocks of one thread.
pub(super) struct Pack {
    a: Vec<f32>,
    b: Vec<f32>,
}

impl Pack {
    pub(super) fn new() -> Pack {
        Pack { a: vec![0.0; MR_MAX * BLOCK], b: vec![0.0; NC.next_multiple_of(NR_MAX) * BLOCK] }
    }
}

/// What the product needs to know of the device: the level, and a [`Pack`] for each thread.
pub(super) struct Gemm<'a> {
    pub(super) level: Level,
    pub(super) packs: &'a [Mutex<Pack>],
}

impl Gemm<'_> {
    /// `c[m, n] = sum_k a(m, k) b(k, n) (+ bias[n])`, c row-major with n columns.
    pub(super) fn product(&self, a: Strided, b: Strided, c: &mut [f32], n: usize, k: usize, bias: Option<&[f32]>) {
        if c.is_empty() {
            return;
        }
        let m = c.len() / n;
        let threads = self.packs.len();
        let strip = if m * n * k <= SMALL { m } else { m.div_ceil(threads).next_multiple_of(MR_MAX).max(MR_MAX) };
        let part = |i: usize, c: &mut [f32]| {
            let a = Strided { data: &a.data[(i * strip * a.row).min(a.data.len())..], ..a };
            let task = Task { a, b, n, k, bias };
            if self.level == Level::Portable && !FUSED {
                super::matmul::product(&task, c);
            } else {
                let mine = rayon::current_thread_index().unwrap_or(0) % threads;
                let mut pack = self.packs[mine].lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                product_piece(self.level, &task, c, &mut pack);
            }
        };
        if strip >= m {
            return part(0, c);
        }
        c.par_chunks_mut(strip * n).enumerate().for_each(|(i, c)| part(i, c));
    }
}

/// Whether the compiler may use fused multiply-add at the portable level.
const FUSED: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

/// A product, or some rows of one.
pub(super) struct Task<'a> {
    pub(super) a: Strided<'a>,
    pub(super) b: Strided<'a>,
    pub(super) n: usize,
    pub(super) k: usize,
    pub(super) bias: Option<&'a [f32]>,
}

/// Adds the bias to every row.
pub(super) fn add_bias(c: &mut [f32], bias: &[f32]) {
    for row in c.chunks_exact_mut(bias.len()) {
        for (c, b) in row.iter_mut().zip(bias) {
            *c += b;
        }
    }
}

fn product_piece(level: Level, task: &Task, c: &mut [f32], pack: &mut Pack) {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => blocked(tile::avx512, task, c, pack),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => blocked(tile::avx2, task, c, pack),
        _ => blocked(tile::portable, task, c, pack),
    }
}

fn blocked<const MR: usize, const NR: usize>(tile: Tile<MR, NR>, task: &Task, c: &mut [f32], pack: &mut Pack) {
    let Task { n, k, .. } = *task;
    let m = c.len() / n;
    if k == 0 {
        c.fill(0.0);
    }
    let mut sums = [[0f32; NR]; MR];
    for n0 in (0..n).step_by(NC) {
        let nc = NC.min(n - n0);
        for k0 in (0..k).step_by(BLOCK) {
            let kc = BLOCK.min(k - k0);
            pack_b::<NR>(task.b, k0, kc, n0, nc, &mut pack.b);
            for m0 in (0..m).step_by(MR) {
                let mr = MR.min(m - m0);
                pack_a::<MR>(task.a, m0, mr, k0, kc, &mut pack.a);
                let (a, _) = pack.a[..kc * MR].as_chunks::<MR>();
                for (panel, j) in (0..nc).step_by(NR).enumerate() {
                    let (b, _) = pack.b[panel * NR * kc..(panel + 1) * NR * kc].as_chunks::<NR>();
                    tile(a, b, &mut sums);
                    let nr = NR.min(nc - j);
                    for (i, sums) in sums.iter().enumerate().take(mr) {
                        let at = (m0 + i) * n + n0 + j;
                        let c = &mut c[at..at + nr];
                        if k0 == 0 {
                            c.copy_from_slice(&sums[..nr]);
                        } else {
                            c.iter_mut().zip(sums).for_each(|(c, sum)| *c += sum);
                        }
                    }
                }
            }
        }
    }
    if let Some(bias) = task.bias {
        add_bias(c, bias);
    }
}

/// Packs MR rows of a, k by k; rows past the end are 0.
fn pack_a<const MR: usize>(a: Strided, m0: usize, mr: usize, k0: usize, kc: usize, to: &mut [f32]) {
    let (to, _) = to[..kc * MR].as_chunks_mut::<MR>();
    if mr < MR {
        to.fill([0.0; MR]);
    }
    if a.row == 1 {
        for (k, to) in to.iter_mut().enumerate() {
            let start = m0 + (k0 + k) * a.column;
            to[..mr].copy_from_slice(&a.data[start..start + mr]);
        }
        return;
    }
    for i in 0..mr {
        let from = a.data[(m0 + i) * a.row + k0 * a.column..].iter().step_by(a.column);
        for (to, &x) in to.iter_mut().zip(from) {
            to[i] = x;
        }
    }
}

/// Packs a block of b in panels of NR columns, k by k; columns past the end are 0.
fn pack_b<const NR: usize>(b: Strided, k0: usize, kc: usize, n0: usize, nc: usize, to: &mut [f32]) {
    for (panel, j) in (0..nc).step_by(NR).enumerate() {
        let nr = NR.min(nc - j);
        let (to, _) = to[panel * NR * kc..(panel + 1) * NR * kc].as_chunks_mut::<NR>();
        if nr < NR {
            to.fill([0.0; NR]);
        }
        if b.column == 1 {
            for (k, to) in to.iter_mut().enumerate() {
                let start = (k0 + k) * b.row + n0 + j;
                to[..nr].copy_from_slice(&b.data[start..start + nr]);
            }
            continue;
        }
        for i in 0..nr {
            let from = b.data[k0 * b.row + (n0 + j + i) * b.column..].iter().step_by(b.row);
            for (to, &x) in to.iter_mut().zip(from) {
                to[i] = x;
            }
        }
    }
}
