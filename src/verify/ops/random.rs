//! Ops on random numbers.

use super::super::case::{Data, Made, Result, U, Within, each, floats, pairs};
use super::super::data::Kind;
use super::super::row::{Collector, Given, Row, SIZES, any, shape};
use super::super::{contract, reference};
use crate::op::{Op, Stream};

pub(super) fn sizes() -> Vec<(&'static str, Vec<usize>)> {
    vec![("uniform", vec![128, 784]), ("normal", vec![128, 784]), ("mask", vec![128, 784])]
}

pub(super) fn rows(rows: &mut Collector) {
    for (turn, n) in SIZES.into_iter().chain([255, 256, 257, 1000, 4097, 100_352]).enumerate() {
        let seed = [0, 1, u64::MAX, 0x0123_4567_89AB_CDEF][turn % 4];
        let (purpose, step) = ([0, 1, 77, u32::MAX][turn % 4], [0, 1, 468, u32::MAX][(turn / 2) % 4]);
        let (s, clock, stream) = (any(n, turn), shape(&[2]), Stream { seed, purpose });
        let given = Given { clock: [5, step], ..Given::default() };
        let mut uniform = |kind, lo, range| rows.given(kind, Op::Uniform { clock, y: s, lo, range, stream }, given.clone());
        uniform(Kind::Integers, 0.0, 1.0);
        uniform(Kind::Integers, -8.0, 16.0);
        uniform(Kind::Reals, -0.0357, 0.0714);
        uniform(Kind::Reals, 0.1, 0.9);
        let mut normal = |kind, mean, std| rows.given(kind, Op::Normal { clock, y: s, mean, std, stream }, given.clone());
        normal(Kind::Integers, 0.0, 1.0);
        normal(Kind::Integers, 3.0, 0.0);
        normal(Kind::Reals, -0.25, 0.1);
        normal(Kind::Reals, 1e3, 1e-3);
        // Some of them are subnormal.
        normal(Kind::Edges, 0.0, 1e-37);
        // None is dropped, all but one in 2^24, and shares between.
        let mut mask = |kind, keep, factor| rows.given(kind, Op::Mask { x: s, clock, y: s, keep, factor, stream }, given.clone());
        mask(Kind::Integers, 1 << 23, 2.0);
        mask(Kind::Integers, 1 << 24, 1.0);
        mask(Kind::Reals, (1 << 24) / 10 * 7, 1.0 / 0.7);
        mask(Kind::Edges, (1 << 24) / 3, 1.0);
        mask(Kind::Edges, 1, 3.0);
    }
}

pub(super) fn make(row: &Row) -> Made {
    let (n, clock) = (row.op.size(), Data::U32(row.given.clock.to_vec()));
    let bits = |stream: Stream| -> Vec<u32> {
        (0..n).map(|i| reference::random_bits(i, stream.seed, stream.purpose, row.given.clock[1])).collect()
    };
    match row.op {
        Op::Uniform { lo, range, stream, .. } => {
            let bits = bits(stream);
            let (wide_lo, wide_range) = (f64::from(lo), f64::from(range));
            let oracle = each(&bits, |b| wide_lo + f64::from(b) * U * wide_range);
            let scale = Some(each(&bits, |b| wide_lo.abs() + f64::from(b) * U * wide_range.abs()));
            let w = Within { oracle, scale, floor: None, ieee: U, wgsl: 2.0 * U, roundings: 2.0 };
            let y = Result::within(each(&bits, |b| contract::uniform(b, lo, range)), w);
            Made { inputs: vec![clock], results: vec![y.sharp(row.exact())] }
        }
        Op::Normal { mean, std, stream, .. } => {
            let bits = |i| reference::random_bits(i, stream.seed, stream.purpose, row.given.clock[1]);
            // Two words a pair; what element i takes of it.
            let of = |i: usize| (bits(i & !1), bits(i | 1), i % 2);
            let of: Vec<_> = (0..n).map(of).collect();
            let (wide_mean, wide_std) = (f64::from(mean), f64::from(std));
            let z = each(&of, |(length, turn, at)| reference::normal_pair(length, turn)[at]);
            let oracle = each(&z, |z| wide_mean + z * wide_std);
            let scale = Some(each(&z, |z| wide_mean.abs() + (z * wide_std).abs()));
            // The root halves what the logarithm is off; the sine, two products, the fma.
            let w = Within { oracle, scale, floor: None, ieee: 10.0 * U, wgsl: 22.0 * U, roundings: 2.0 };
            let y = Result::within(each(&of, |(length, turn, at)| contract::normal_pair(length, turn, mean, std)[at]), w);
            Made { inputs: vec![clock], results: vec![y.sharp(std == 0.0)] }
        }
        Op::Mask { keep, factor, stream, .. } => {
            let (x, bits) = (row.numbers(0, n), bits(stream));
            let words = each(&bits, |b| b as f32);
            let oracle = pairs(&x, &words, |x, b| reference::mask(x.into(), b as u32, keep, factor.into()));
            let floor = Some(vec![1.0 + f64::from(factor.abs()); n]);
            let y = Result::rounded(pairs(&x, &words, |x, b| contract::mask(x, b as u32, keep, factor)), oracle, [1.0, 1.0]);
            let inputs = floats([&x]).into_iter().chain([clock]).collect();
            Made { inputs, results: vec![y.losing(1.0, floor).sharp(row.exact())] }
        }
        ref op => unreachable!("{} is of another family", op.name()),
    }
}
