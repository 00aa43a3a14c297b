//! The register tile of the matrix product, and the transposition that packing needs. Both by intrinsics: given the same loops over arrays the
//! compiler spills the accumulators (2.7 GFLOP/s for 8 x 32 where this reaches 100 to 120 on one core), and moves a transposition number by number.
#![allow(unsafe_code)]

use super::memory::Corner;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Some rows of a, read where they lie: element (i, k) is `data[i * row + k * column]`. A tile that has fewer rows repeats the last.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    pub(super) data: &'a [f32],
    pub(super) row: usize,
    pub(super) column: usize,
    pub(super) rows: usize,
    /// How far ahead of each number lies what the next tile reads: it is fetched into the cache meanwhile.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only the tiles by intrinsics fetch ahead"))]
    pub(super) next: usize,
}

impl Lines<'_> {
    /// Where each of MR rows begins. Asserts that `depth` terms of each lie inside, which is what the tiles rely on.
    #[inline(always)]
    fn starts<const MR: usize>(&self, depth: usize) -> [usize; MR] {
        assert!(self.rows > 0 && depth > 0 && (self.rows - 1) * self.row + (depth - 1) * self.column < self.data.len());
        std::array::from_fn(|i| i.min(self.rows - 1) * self.row)
    }
}

/// Rows of b that a tile reads: NR numbers for each of `depth` terms, at least one, `pitch` apart.
#[derive(Clone, Copy)]
pub(super) struct Panel<'a> {
    pub(super) data: &'a [f32],
    pub(super) pitch: usize,
    pub(super) depth: usize,
    /// What the next panel is made of, and its pitch: it is fetched into L2 meanwhile.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only the tiles by intrinsics fetch ahead"))]
    pub(super) ahead: Option<(&'a [f32], usize)>,
}

impl<'a> Panel<'a> {
    pub(super) fn new(data: &'a [f32], pitch: usize, depth: usize) -> Panel<'a> {
        Panel { data, pitch, depth, ahead: None }
    }

    /// Where to fetch from at the first term, and how much further at each: something that is there already, if nothing is ahead.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn ahead(&self) -> (*const f32, usize) {
        self.ahead.map_or((self.data.as_ptr(), 0), |(data, pitch)| (data.as_ptr(), pitch))
    }

    /// The first row. Asserts that all lie inside, which is what the tiles rely on.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn first<const NR: usize>(&self) -> *const f32 {
        assert!(self.depth > 0 && (self.depth - 1) * self.pitch + NR <= self.data.len());
        self.data.as_ptr()
    }
}

/// What becomes of the sums: they are added to what c holds, or replace it; then the bias is added, NR numbers.
#[derive(Clone, Copy)]
pub(super) struct Finish<'a> {
    pub(super) add: bool,
    pub(super) bias: Option<&'a [f32]>,
}

impl Finish<'_> {
    #[inline(always)]
    fn bias<const NR: usize>(&self) -> Option<&[f32; NR]> {
        self.bias.map(|b| b.try_into().expect("a bias for each column of the tile"))
    }

    /// The same for part of a row of sums.
    pub(super) fn row(&self, sums: &[f32], c: &mut [f32]) {
        match self.add {
            true => c.iter_mut().zip(sums).for_each(|(c, sum)| *c += sum),
            false => c.copy_from_slice(sums),
        }
        if let Some(bias) = self.bias {
            c.iter_mut().zip(bias).for_each(|(c, b)| *c += b);
        }
    }
}

/// `c[i][j] = sum_k a(i, k) b[k][j]`, k ascending, one fused multiply-add each; then what `Finish` says.
pub(super) type Tile<const MR: usize, const NR: usize> = fn(Lines, Panel, Corner<MR, NR>, Finish);

/// What every compiler can turn into its own vectors: 4 x 8.
pub(super) fn portable(a: Lines, b: Panel, mut c: Corner<4, 8>, finish: Finish) {
    let starts: [usize; 4] = a.starts(b.depth);
    let mut acc = [[0f32; 8]; 4];
    for k in 0..b.depth {
        let b = &b.data[k * b.pitch..][..8];
        for (acc, start) in acc.iter_mut().zip(starts) {
            let a = a.data[start + k * a.column];
            for (acc, &b) in acc.iter_mut().zip(b) {
                *acc = a.mul_add(b, *acc);
            }
        }
    }
    let bias = finish.bias::<8>();
    for (i, acc) in acc.iter().enumerate() {
        for (j, (c, acc)) in c.row(i).iter_mut().zip(acc).enumerate() {
            let sum = if finish.add { *c + acc } else { *acc };
            *c = bias.map_or(sum, |b| sum + b[j]);
        }
    }
}

/// Brings the cache line of an address into L1 or L2. The address may be any.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn fetch<const HINT: i32>(address: *const f32) {
    // SAFETY: a prefetch of an address that is not there does nothing.
    unsafe { _mm_prefetch::<HINT>(address.cast()) }
}

/// 6 x 16: twelve accumulators of eight.
#[cfg(target_arch = "x86_64")]
pub(super) fn avx2(a: Lines, b: Panel, c: Corner<6, 16>, finish: Finish) {
    #[target_feature(enable = "avx2,fma")]
    fn body(a: Lines, b: Panel, mut c: Corner<6, 16>, finish: Finish) {
        let starts: [usize; 6] = a.starts(b.depth);
        let bias = finish.bias::<16>();
        let mut acc = [[_mm256_setzero_ps(); 2]; 6];
        // Long sums leave time to bring c here.
        if b.depth >= 64 {
            for i in 0..6 {
                fetch::<_MM_HINT_T0>(c.row(i).as_ptr());
            }
        }
        let (mut at, mut from) = (a.data.as_ptr(), b.first::<16>());
        let (mut ahead, pitch) = b.ahead();
        for _ in 0..b.depth {
            // SAFETY: `first` asserted that 16 floats of every k lie inside.
            let row = unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] };
            for (acc, start) in acc.iter_mut().zip(starts) {
                // SAFETY: `starts` asserted that the row's element of every k lies inside the data.
                let a = unsafe { _mm256_broadcast_ss(&*at.add(start)) };
                acc[0] = _mm256_fmadd_ps(a, row[0], acc[0]);
                acc[1] = _mm256_fmadd_ps(a, row[1], acc[1]);
            }
            fetch::<_MM_HINT_T0>(at.wrapping_add(a.next));
            fetch::<_MM_HINT_T1>(ahead);
            ahead = ahead.wrapping_add(pitch);
            (at, from) = (at.wrapping_add(a.column), from.wrapping_add(b.pitch));
        }
        if finish.add {
            for (i, acc) in acc.iter_mut().enumerate() {
                let c = c.row(i);
                // SAFETY: the row is 16 floats.
                let old = unsafe { [_mm256_loadu_ps(c.as_ptr()), _mm256_loadu_ps(c.as_ptr().add(8))] };
                *acc = [_mm256_add_ps(old[0], acc[0]), _mm256_add_ps(old[1], acc[1])];
            }
        }
        if let Some(bias) = bias {
            // SAFETY: the bias is 16 floats.
            let bias = unsafe { [_mm256_loadu_ps(bias.as_ptr()), _mm256_loadu_ps(bias.as_ptr().add(8))] };
            for acc in &mut acc {
                *acc = [_mm256_add_ps(acc[0], bias[0]), _mm256_add_ps(acc[1], bias[1])];
            }
        }
        for (i, acc) in acc.iter().enumerate() {
            let c = c.row(i);
            // SAFETY: the row is 16 floats.
            unsafe {
                _mm256_storeu_ps(c.as_mut_ptr(), acc[0]);
                _mm256_storeu_ps(c.as_mut_ptr().add(8), acc[1]);
            }
        }
    }
    // SAFETY: only a device at the level avx2 or above takes this tile, and `Level::require` found the features before it was opened.
    unsafe { body(a, b, c, finish) }
}

/// 8 x 32: sixteen accumulators of sixteen.
#[cfg(target_arch = "x86_64")]
pub(super) fn avx512(a: Lines, b: Panel, c: Corner<8, 32>, finish: Finish) {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    fn body(a: Lines, b: Panel, mut c: Corner<8, 32>, finish: Finish) {
        let starts: [usize; 8] = a.starts(b.depth);
        let bias = finish.bias::<32>();
        let mut acc = [[_mm512_setzero_ps(); 2]; 8];
        // Long sums leave time to bring c here.
        if b.depth >= 64 {
            for i in 0..8 {
                fetch::<_MM_HINT_T0>(c.row(i).as_ptr());
                fetch::<_MM_HINT_T0>(c.row(i)[16..].as_ptr());
            }
        }
        let (mut at, mut from) = (a.data.as_ptr(), b.first::<32>());
        let (mut ahead, pitch) = b.ahead();
        for _ in 0..b.depth {
            // SAFETY: `first` asserted that 32 floats of every k lie inside.
            let row = unsafe { [_mm512_loadu_ps(from), _mm512_loadu_ps(from.add(16))] };
            for (acc, start) in acc.iter_mut().zip(starts) {
                // SAFETY: `starts` asserted that the row's element of every k lies inside the data.
                let a = _mm512_set1_ps(unsafe { *at.add(start) });
                acc[0] = _mm512_fmadd_ps(a, row[0], acc[0]);
                acc[1] = _mm512_fmadd_ps(a, row[1], acc[1]);
            }
            fetch::<_MM_HINT_T0>(at.wrapping_add(a.next));
            fetch::<_MM_HINT_T1>(ahead);
            fetch::<_MM_HINT_T1>(ahead.wrapping_add(16));
            ahead = ahead.wrapping_add(pitch);
            (at, from) = (at.wrapping_add(a.column), from.wrapping_add(b.pitch));
        }
        if finish.add {
            for (i, acc) in acc.iter_mut().enumerate() {
                let c = c.row(i);
                // SAFETY: the row is 32 floats.
                let old = unsafe { [_mm512_loadu_ps(c.as_ptr()), _mm512_loadu_ps(c.as_ptr().add(16))] };
                *acc = [_mm512_add_ps(old[0], acc[0]), _mm512_add_ps(old[1], acc[1])];
            }
        }
        if let Some(bias) = bias {
            // SAFETY: the bias is 32 floats.
            let bias = unsafe { [_mm512_loadu_ps(bias.as_ptr()), _mm512_loadu_ps(bias.as_ptr().add(16))] };
            for acc in &mut acc {
                *acc = [_mm512_add_ps(acc[0], bias[0]), _mm512_add_ps(acc[1], bias[1])];
            }
        }
        for (i, acc) in acc.iter().enumerate() {
            let c = c.row(i);
            // SAFETY: the row is 32 floats.
            unsafe {
                _mm512_storeu_ps(c.as_mut_ptr(), acc[0]);
                _mm512_storeu_ps(c.as_mut_ptr().add(16), acc[1]);
            }
        }
    }
    // SAFETY: only a device at the level avx512 takes this tile, and `Level::require` found the features before it was opened.
    unsafe { body(a, b, c, finish) }
}

/// `to[k][i] = from[i * pitch + k]` for 8 lines i of 8 terms k.
pub(super) type Transpose = fn(&[f32], usize, Corner<8, 8>);

/// Number by number.
pub(super) fn transpose_portable(from: &[f32], pitch: usize, mut to: Corner<8, 8>) {
    for i in 0..8 {
        for (k, &x) in from[i * pitch..i * pitch + 8].iter().enumerate() {
            to.row(k)[i] = x;
        }
    }
}

/// Eight vectors of eight, in three rounds of shuffles.
#[cfg(target_arch = "x86_64")]
pub(super) fn transpose_avx2(from: &[f32], pitch: usize, to: Corner<8, 8>) {
    #[target_feature(enable = "avx2")]
    fn body(from: &[f32], pitch: usize, mut to: Corner<8, 8>) {
        assert!(7 * pitch + 8 <= from.len());
        // SAFETY: eight lines of eight lie inside, as just asserted.
        let line = |i: usize| unsafe { _mm256_loadu_ps(from.as_ptr().add(i * pitch)) };
        let l: [__m256; 8] = std::array::from_fn(line);
        let low = |i: usize| _mm256_unpacklo_ps(l[i], l[i + 1]);
        let high = |i: usize| _mm256_unpackhi_ps(l[i], l[i + 1]);
        let pairs = [low(0), high(0), low(2), high(2), low(4), high(4), low(6), high(6)];
        let quads = [
            _mm256_shuffle_ps::<0x44>(pairs[0], pairs[2]),
            _mm256_shuffle_ps::<0xEE>(pairs[0], pairs[2]),
            _mm256_shuffle_ps::<0x44>(pairs[1], pairs[3]),
            _mm256_shuffle_ps::<0xEE>(pairs[1], pairs[3]),
            _mm256_shuffle_ps::<0x44>(pairs[4], pairs[6]),
            _mm256_shuffle_ps::<0xEE>(pairs[4], pairs[6]),
            _mm256_shuffle_ps::<0x44>(pairs[5], pairs[7]),
            _mm256_shuffle_ps::<0xEE>(pairs[5], pairs[7]),
        ];
        for k in 0..4 {
            let (upper, lower) = (quads[k], quads[k + 4]);
            // SAFETY: a row of the corner is eight floats.
            unsafe {
                _mm256_storeu_ps(to.row(k).as_mut_ptr(), _mm256_permute2f128_ps::<0x20>(upper, lower));
                _mm256_storeu_ps(to.row(k + 4).as_mut_ptr(), _mm256_permute2f128_ps::<0x31>(upper, lower));
            }
        }
    }
    // SAFETY: only a device at the level avx2 or above takes this, and `Level::require` found the features before it was opened.
    unsafe { body(from, pitch, to) }
}
