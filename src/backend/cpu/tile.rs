//! The register tile of the matrix product, and the transposition that packing needs. Both by intrinsics: given the same loops over arrays the
//! compiler spills the accumulators (2.7 GFLOP/s for 8 x 32 where this reaches 100 to 120 on one core), and moves a transposition number by number.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Some rows of a, read where they lie: element (i, k) is `data[i * row + k * column]`. A tile that has fewer rows repeats the last.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    pub(super) data: &'a [f32],
    pub(super) row: usize,
    pub(super) column: usize,
    pub(super) rows: usize,
}

impl Lines<'_> {
    /// Where each of MR rows begins. Asserts that `depth` terms of each lie inside, which is what the tiles rely on.
    #[inline(always)]
    fn starts<const MR: usize>(&self, depth: usize) -> [usize; MR] {
        assert!(self.rows > 0 && depth > 0 && (self.rows - 1) * self.row + (depth - 1) * self.column < self.data.len());
        std::array::from_fn(|i| i.min(self.rows - 1) * self.row)
    }
}

/// `c[i][j] = sum_k a(i, k) b[k][j]`, k ascending, one fused multiply-add each. b is packed: NR numbers for each k, at least one k.
pub(super) type Tile<const MR: usize, const NR: usize> = fn(Lines, &[[f32; NR]], &mut [[f32; NR]; MR]);

/// What every compiler can turn into its own vectors: 4 x 8.
pub(super) fn portable(a: Lines, b: &[[f32; 8]], c: &mut [[f32; 8]; 4]) {
    let starts: [usize; 4] = a.starts(b.len());
    let mut acc = [[0f32; 8]; 4];
    for (k, b) in b.iter().enumerate() {
        for (acc, start) in acc.iter_mut().zip(starts) {
            let a = a.data[start + k * a.column];
            for (acc, &b) in acc.iter_mut().zip(b) {
                *acc = a.mul_add(b, *acc);
            }
        }
    }
    *c = acc;
}

/// 6 x 16: twelve accumulators of eight.
#[cfg(target_arch = "x86_64")]
pub(super) fn avx2(a: Lines, b: &[[f32; 16]], c: &mut [[f32; 16]; 6]) {
    #[target_feature(enable = "avx2,fma")]
    fn body(a: Lines, b: &[[f32; 16]], c: &mut [[f32; 16]; 6]) {
        let starts: [usize; 6] = a.starts(b.len());
        let mut acc = [[_mm256_setzero_ps(); 2]; 6];
        let mut at = a.data.as_ptr();
        for b in b {
            // SAFETY: b is 16 floats.
            let b = unsafe { [_mm256_loadu_ps(b.as_ptr()), _mm256_loadu_ps(b.as_ptr().add(8))] };
            for (acc, start) in acc.iter_mut().zip(starts) {
                // SAFETY: `starts` asserted that the row's element of every k lies inside the data.
                let a = unsafe { _mm256_broadcast_ss(&*at.add(start)) };
                acc[0] = _mm256_fmadd_ps(a, b[0], acc[0]);
                acc[1] = _mm256_fmadd_ps(a, b[1], acc[1]);
            }
            at = at.wrapping_add(a.column);
        }
        for (c, acc) in c.iter_mut().zip(&acc) {
            // SAFETY: c is 16 floats.
            unsafe {
                _mm256_storeu_ps(c.as_mut_ptr(), acc[0]);
                _mm256_storeu_ps(c.as_mut_ptr().add(8), acc[1]);
            }
        }
    }
    // SAFETY: only a device at the level avx2 or above takes this tile, and `Level::require` found the features before it was opened.
    unsafe { body(a, b, c) }
}

/// 8 x 32: sixteen accumulators of sixteen.
#[cfg(target_arch = "x86_64")]
pub(super) fn avx512(a: Lines, b: &[[f32; 32]], c: &mut [[f32; 32]; 8]) {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    fn body(a: Lines, b: &[[f32; 32]], c: &mut [[f32; 32]; 8]) {
        let starts: [usize; 8] = a.starts(b.len());
        let mut acc = [[_mm512_setzero_ps(); 2]; 8];
        let mut at = a.data.as_ptr();
        for b in b {
            // SAFETY: b is 32 floats.
            let b = unsafe { [_mm512_loadu_ps(b.as_ptr()), _mm512_loadu_ps(b.as_ptr().add(16))] };
            for (acc, start) in acc.iter_mut().zip(starts) {
                // SAFETY: `starts` asserted that the row's element of every k lies inside the data.
                let a = _mm512_set1_ps(unsafe { *at.add(start) });
                acc[0] = _mm512_fmadd_ps(a, b[0], acc[0]);
                acc[1] = _mm512_fmadd_ps(a, b[1], acc[1]);
            }
            at = at.wrapping_add(a.column);
        }
        for (c, acc) in c.iter_mut().zip(&acc) {
            // SAFETY: c is 32 floats.
            unsafe {
                _mm512_storeu_ps(c.as_mut_ptr(), acc[0]);
                _mm512_storeu_ps(c.as_mut_ptr().add(16), acc[1]);
            }
        }
    }
    // SAFETY: only a device at the level avx512 takes this tile, and `Level::require` found the features before it was opened.
    unsafe { body(a, b, c) }
}

/// `to[k][first + i] = from[i * pitch + k]` for 8 lines i of 8 terms k.
pub(super) type Transpose<const NR: usize> = fn(&[f32], usize, &mut [[f32; NR]; 8], usize);

/// Number by number.
pub(super) fn transpose_portable<const NR: usize>(from: &[f32], pitch: usize, to: &mut [[f32; NR]; 8], first: usize) {
    for i in 0..8 {
        for (to, &x) in to.iter_mut().zip(&from[i * pitch..i * pitch + 8]) {
            to[first + i] = x;
        }
    }
}

/// Eight vectors of eight, in three rounds of shuffles.
#[cfg(target_arch = "x86_64")]
pub(super) fn transpose_avx2<const NR: usize>(from: &[f32], pitch: usize, to: &mut [[f32; NR]; 8], first: usize) {
    #[target_feature(enable = "avx2")]
    fn body<const NR: usize>(from: &[f32], pitch: usize, to: &mut [[f32; NR]; 8], first: usize) {
        // SAFETY: asserted below, before the call, that eight lines of eight lie inside.
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
            // SAFETY: asserted below that eight numbers fit behind `first`.
            unsafe {
                _mm256_storeu_ps(to[k].as_mut_ptr().add(first), _mm256_permute2f128_ps::<0x20>(upper, lower));
                _mm256_storeu_ps(to[k + 4].as_mut_ptr().add(first), _mm256_permute2f128_ps::<0x31>(upper, lower));
            }
        }
    }
    assert!(first + 8 <= NR && 7 * pitch + 8 <= from.len());
    // SAFETY: only a device at the level avx2 or above takes this, and `Level::require` found the features before it was opened.
    unsafe { body(from, pitch, to, first) }
}
