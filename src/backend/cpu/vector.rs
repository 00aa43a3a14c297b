//! Some floats in one register of the processor: the parts of the register tile of the matrix product, at each level.
#![allow(unsafe_code)]

use super::fma::{Fma, InF64};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// N floats.
///
/// # Safety
/// The caller of a method knows that the processor has these vectors, and is compiled for such a processor: then each
/// method becomes one instruction. A pointer points to N floats, aligned or not.
pub(super) trait Vector: Copy {
    const N: usize;

    /// The same number N times.
    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn add(self, other: Self) -> Self;
    /// `self * factor + sum`, rounded once.
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self;
}

/// Arrays, which any compiler can turn into vectors, where there is fused multiply-add.
impl<const L: usize> Vector for [f32; L] {
    const N: usize = L;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        [x; L]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's pointer points to N floats.
        unsafe { from.cast::<Self>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as in `load`.
        unsafe { to.cast::<Self>().write_unaligned(self) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] + other[i])
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        std::array::from_fn(|i| self[i].mul_add(factor[i], sum[i]))
    }
}

/// Four f32, each kept as an f64, for processors without fused multiply-add. See [`InF64`].
#[allow(dead_code, reason = "aarch64 has the instruction")]
#[derive(Clone, Copy)]
pub(super) struct Wide([f64; 4]);

/// Four numbers. `array::map` and `array::from_fn` are as fast only where the compiler optimises across its units.
#[allow(dead_code, reason = "aarch64 has the instruction")]
#[inline(always)]
fn four<T>(of: impl Fn(usize) -> T) -> [T; 4] {
    [of(0), of(1), of(2), of(3)]
}

impl Vector for Wide {
    const N: usize = 4;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Wide([x.into(); 4])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's pointer points to four floats.
        let from = unsafe { from.cast::<[f32; 4]>().read_unaligned() };
        Wide(four(|i| f64::from(from[i])))
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as in `load`.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(four(|i| self.0[i] as f32)) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Wide(four(|i| f64::from((self.0[i] + other.0[i]) as f32)))
    }

    /// Rounding twice equals rounding once, unless the f64 lies halfway between two f32. That is rare, and then more
    /// care is taken.
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        #[cold]
        fn halfway([a, b, c]: [Wide; 3]) -> Wide {
            Wide(std::array::from_fn(|i| InF64::fma(a.0[i] as f32, b.0[i] as f32, c.0[i] as f32).into()))
        }
        let sums = four(|i| self.0[i] * factor.0[i] + sum.0[i]);
        // The 29 bits that an f32 lacks.
        let rest = four(|i| sums[i].to_bits() as u32 & 0x1fff_ffff);
        if rest.iter().fold(false, |any, &rest| any | (rest == 0x1000_0000)) {
            return halfway([self, factor, sum]);
        }
        Wide(four(|i| f64::from(sums[i] as f32)))
    }
}

/// A vector by intrinsics.
#[cfg(target_arch = "x86_64")]
macro_rules! vector {
    ($ty:ty, $n:literal, $splat:path, $load:path, $store:path, $add:path, $mul_add:path) => {
        impl Vector for $ty {
            const N: usize = $n;

            #[inline(always)]
            unsafe fn splat(x: f32) -> Self {
                // SAFETY: the caller knows that the processor has it; the same holds for all that follow.
                unsafe { $splat(x) }
            }

            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: the caller's pointer points to N floats.
                unsafe { $load(from) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: as in `load`.
                unsafe { $store(to, self) }
            }

            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: as in `splat`.
                unsafe { $add(self, other) }
            }

            #[inline(always)]
            unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
                // SAFETY: as in `splat`.
                unsafe { $mul_add(self, factor, sum) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
vector!(__m256, 8, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_fmadd_ps);
#[cfg(target_arch = "x86_64")]
vector!(__m512, 16, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps, _mm512_fmadd_ps);
