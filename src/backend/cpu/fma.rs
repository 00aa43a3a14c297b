//! `a b + c`, rounded once: by the processor's instruction where there is one, and to the same bits where there is
//! none.
//!
//! No op calls the C library's `fmaf`: that is a call for every number, and each library implements its own.

use super::vector::{Vector, Wide};

/// How a body multiplies and adds.
pub(super) trait Fma {
    /// Whether this is the processor's instruction.
    const FUSED: bool;
    /// Four numbers of a product.
    type Four: Vector;

    /// `a b + c`, rounded once.
    fn fma(a: f32, b: f32, c: f32) -> f32;
}

/// By the processor's instruction.
#[allow(dead_code, reason = "WebAssembly has no such instruction")]
pub(super) enum Fused {}

impl Fma for Fused {
    const FUSED: bool = true;
    type Four = [f32; 4];

    #[inline(always)]
    fn fma(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

/// In f64, for processors without the instruction. Elementwise ops are as fast as with the C library's function;
/// products run at less than a tenth of AVX2's speed.
#[allow(dead_code, reason = "aarch64 has the instruction, so that only tests use this there")]
pub(super) enum InF64 {}

impl Fma for InF64 {
    const FUSED: bool = false;
    type Four = Wide;

    /// The product is exact in f64. The sum is rounded to odd (Boldo and Melquiond, "Emulation of FMA and correctly
    /// rounded sums", 2008): if anything is lost, the last bit says so, and the second rounding, to f32, can't mistake
    /// the sum for a number halfway between two.
    #[inline(always)]
    fn fma(a: f32, b: f32, c: f32) -> f32 {
        let (product, c) = (f64::from(a) * f64::from(b), f64::from(c));
        let sum = product + c;
        // The exact error of rounding the sum (Knuth). NaN where the sum is infinite or NaN.
        let back = sum - product;
        let lost = (product - (sum - back)) + (c - back);
        // In integers, which any compiler can vectorise: one step towards the lost part, if there is one and the last
        // bit is 0.
        let bits = sum.to_bits();
        let odd = if lost.abs() > 0.0 { !bits & 1 } else { 0 };
        let away = (bits ^ lost.to_bits()) >> 63;
        f64::from_bits(bits.wrapping_add(odd).wrapping_sub(2 * (odd & away))) as f32
    }
}

/// What the portable level uses: the instruction only where every processor of this architecture has it.
#[cfg(any(target_arch = "aarch64", target_feature = "fma"))]
pub(super) type Portable = Fused;
/// What the portable level uses: no instruction, since not every processor of this architecture has it.
#[cfg(not(any(target_arch = "aarch64", target_feature = "fma")))]
pub(super) type Portable = InF64;

#[cfg(test)]
mod tests {
    use super::super::subnormal;
    use super::*;
    use crate::verify::contract;

    /// Factors and a sum around half of its last place, where rounding twice goes wrong, and others of all sizes.
    #[test]
    fn without_the_instruction_the_bits_are_those_of_the_instruction() {
        let mut state = 1u64;
        let mut random = |bits: u32| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u32 & ((1 << bits) - 1)
        };
        let (mut halfway, mut twice) = (0, 0);
        for round in 0..2_000_000 {
            let sign = |bit: u32| if bit == 0 { 1.0 } else { -1.0 };
            let mut number = || f32::from_bits(127 << 23 | random(23)) * sign(random(1));
            let (a, b, c) = (number(), number(), number());
            // Every other product is half of the sum's last place, and a little more or less.
            let near = f32::EPSILON * random(8) as f32;
            let (a, b, c) = match round % 2 {
                0 => (a * 2f32.powi(random(6) as i32 - 32), b, c),
                _ => ((1.0 + near) * sign(random(1)), (1.0 - near * (random(1) as f32)) * 2f32.powi(-24), c),
            };
            // The standard library's: the instruction, or a C library that rounds once.
            let want = a.mul_add(b, c);
            let exact = f64::from(a) * f64::from(b) + f64::from(c);
            halfway += usize::from(exact.to_bits() as u32 & 0x1fff_ffff == 0x1000_0000);
            twice += usize::from(exact as f32 != want);
            assert_eq!(InF64::fma(a, b, c).to_bits(), want.to_bits(), "{a:e} * {b:e} + {c:e}");
        }
        assert!(
            halfway > 10_000 && twice > 100,
            "{halfway} sums lay halfway, {twice} are wrong when rounded twice: too few to prove anything"
        );
    }

    #[test]
    fn special_values_are_those_of_the_instruction() {
        let values = [0.0, 1.0, 2.0, 1.5, 1e-30, 1e-38, 3e38, 16_777_216.0, f32::MAX, f32::MIN_POSITIVE, f32::INFINITY, f32::NAN];
        let values: Vec<f32> = values.iter().flat_map(|x| [*x, -x]).collect();
        for i in 0..values.len().pow(3) {
            let [a, b, c] = [i, i / values.len(), i / values.len().pow(2)].map(|i| values[i % values.len()]);
            let (got, want) = (InF64::fma(a, b, c), a.mul_add(b, c));
            assert!(got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(), "{a:e} * {b:e} + {c:e} is {got:e}, not {want:e}");
        }
        // And as on the threads that run ops, where nothing else may run.
        let flushed = move || {
            subnormal::count_as_zero();
            for i in 0..values.len().pow(3) {
                let [a, b, c] = [i, i / values.len(), i / values.len().pow(2)].map(|i| values[i % values.len()]);
                let (got, want) = (InF64::fma(a, b, c), contract::fma(a, b, c));
                assert!(got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(), "{a:e} * {b:e} + {c:e} is {got:e}, not {want:e}");
            }
        };
        std::thread::spawn(flushed).join().unwrap();
    }
}
