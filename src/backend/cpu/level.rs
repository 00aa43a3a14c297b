//! Instruction-set levels: each kernel body is compiled once per level and chosen when the device is opened.

use crate::{Error, Result};
use std::fmt;

/// An instruction-set level of the CPU backend. All levels give the same bits, on every processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// What the compiler assumes of every processor of this architecture. On x86-64 that excludes fused multiply-add,
    /// which is then computed in f64, to the same bits, at a tenth of the speed or less.
    Portable,
    /// AVX2 with FMA (x86-64 since 2013).
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
}

impl Level {
    /// All levels, lowest first.
    pub const ALL: [Level; 3] = [Level::Portable, Level::Avx2, Level::Avx512];

    /// Whether this processor supports the level.
    pub fn is_available(self) -> bool {
        match self {
            Level::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => {
                Level::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// The highest level that this processor supports.
    pub fn best() -> Level {
        Level::ALL.into_iter().rev().find(|l| l.is_available()).unwrap_or(Level::Portable)
    }

    /// The level that `NARROWS_CPU_LEVEL` names (`portable`, `avx2`, `avx512`), else the best.
    ///
    /// # Errors
    /// When the variable names no level, or one that this processor does not support.
    pub fn from_environment() -> Result<Level> {
        let Some(name) = std::env::var_os("NARROWS_CPU_LEVEL") else { return Ok(Level::best()) };
        let name = name.to_string_lossy();
        let level = Level::ALL.into_iter().find(|l| l.to_string() == name).ok_or_else(|| {
            Error::argument("NARROWS_CPU_LEVEL", format!("`{name}` is not a level"), "Use portable, avx2 or avx512, or unset the variable.")
        })?;
        level.require()
    }

    pub(crate) fn require(self) -> Result<Level> {
        if self.is_available() {
            return Ok(self);
        }
        Err(Error::device("cpu", format!("this processor does not support the level {self}"), format!("Use {} or lower.", Level::best())))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Level::Portable => "portable",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        })
    }
}

/// Compiles a body, an `#[inline(always)]` function, once per level, and picks one at run time by the level that comes
/// as the first argument. A body that multiplies and adds is written over [`Fma`](super::fma::Fma), and named
/// `body::<F>` here; one for a family of functions is `fn name[M: Trait](..) = body::<M, F>`.
macro_rules! leveled {
    ($(#[$doc:meta])* $vis:vis fn $name:ident$([$m:ident: $family:ident])?($($arg:ident: $ty:ty),* $(,)?)
        = $body:ident$(::<$($of:ident),+>)?
    ) => {
        $(#[$doc])*
        #[allow(unsafe_code, clippy::too_many_arguments)]
        $vis fn $name$(<$m: $family>)?(level: $crate::Level, $($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2$(<$m: $family>)?($($arg: $ty),*) {
                #[allow(dead_code)]
                type F = $crate::backend::cpu::fma::Fused;
                $body$(::<$($of),+>)?($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn avx512$(<$m: $family>)?($($arg: $ty),*) {
                #[allow(dead_code)]
                type F = $crate::backend::cpu::fma::Fused;
                $body$(::<$($of),+>)?($($arg),*)
            }
            match level {
                // SAFETY: a device is opened at a level only after `Level::require` found its features on this
                // processor.
                #[cfg(target_arch = "x86_64")]
                $crate::Level::Avx512 => unsafe { avx512($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::Level::Avx2 => unsafe { avx2($($arg),*) },
                _ => {
                    #[allow(dead_code)]
                    type F = $crate::backend::cpu::fma::Portable;
                    $body$(::<$($of),+>)?($($arg),*)
                }
            }
        }
    };
}
pub(crate) use leveled;
