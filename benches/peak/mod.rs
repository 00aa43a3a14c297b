//! The rate of fused multiply-adds on registers alone, which products are measured by: for benches/ops.rs, and for the
//! products of src/backend/cpu/tests, each of which has a `Level`.
#![cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]

use super::Level;

/// Floating-point operations of a round; `None` where there is no gauge: at the portable level.
pub fn flops(level: Level) -> Option<usize> {
    match level {
        Level::Avx512 => Some(24 * 32),
        Level::Avx2 => Some(12 * 16),
        Level::Portable => None,
    }
}

/// `n` rounds of independent fused multiply-adds: 24 of 16 numbers, or 12 of 8.
pub fn run(level: Level, n: usize) {
    assert!(level.is_available());
    #[cfg(target_arch = "x86_64")]
    match level {
        // SAFETY: the level was just found on this processor, and its features with it.
        Level::Avx512 => drop(std::hint::black_box(unsafe { avx512(std::hint::black_box(n)) })),
        // SAFETY: as above.
        Level::Avx2 => drop(std::hint::black_box(unsafe { avx2(std::hint::black_box(n)) })),
        Level::Portable => {}
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn avx512(n: usize) -> f32 {
    use std::arch::x86_64::*;
    let mut sums = [_mm512_set1_ps(0.5); 24];
    let (a, b) = (_mm512_set1_ps(0.99999), _mm512_set1_ps(1e-9));
    for _ in 0..n {
        sums.iter_mut().for_each(|s| *s = _mm512_fmadd_ps(*s, a, b));
    }
    _mm512_reduce_add_ps(sums.into_iter().fold(a, |x, y| _mm512_add_ps(x, y)))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2(n: usize) -> f32 {
    use std::arch::x86_64::*;
    let mut sums = [_mm256_set1_ps(0.5); 12];
    let (a, b) = (_mm256_set1_ps(0.99999), _mm256_set1_ps(1e-9));
    for _ in 0..n {
        sums.iter_mut().for_each(|s| *s = _mm256_fmadd_ps(*s, a, b));
    }
    _mm256_cvtss_f32(sums.into_iter().fold(a, |x, y| _mm256_add_ps(x, y)))
}
