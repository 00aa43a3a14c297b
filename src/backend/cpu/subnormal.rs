//! Subnormal numbers count as 0 on the threads of this backend, as docs/numerics.md says: operands below 2^-126 are
//! taken as 0, and so are such results.
//!
//! This is for speed alone. Adam's moments of a pixel that is hardly ever lit shrink by a tenth per step until they are
//! subnormal, and then stay so; an instruction that meets one is fifty times slower. Without this the second epoch of
//! MNIST took twice the time of the first.
#![allow(unsafe_code)]

/// Sets the processor's mode for the calling thread, which must run nothing but ops.
pub(super) fn count_as_zero() {
    #[cfg(target_arch = "x86_64")]
    {
        let mut control = 0u32;
        // SAFETY: only the bits "flush to zero" and "subnormals are zero" of MXCSR change; rounding and exception masks
        // stay. Compiled code that meets this mode may at most have had a constant folded without it, and no op has
        // constants that are subnormal or give such results.
        unsafe {
            std::arch::asm!("stmxcsr [{0}]", "or dword ptr [{0}], 0x8040", "ldmxcsr [{0}]", in(reg) &mut control, options(nostack));
        }
    }
    #[cfg(target_arch = "aarch64")]
    {
        // SAFETY: as above, for the bit FZ of FPCR.
        unsafe {
            std::arch::asm!("mrs {0}, fpcr", "orr {0}, {0}, #0x1000000", "msr fpcr, {0}", out(reg) _, options(nostack));
        }
    }
}
