//! Ops on random numbers.

use super::super::case::{Data, Made, Result, U, Within, each, floats, pairs};
use super::super::data::Kind;
use super::super::row::{Collector, Given, Row, SIZES, any, shape};
use super::super::{contract, reference};
use crate::op::{Op, Stream};

pub(super) fn sizes() -> Vec<(&'static str, Vec<usize>)> {
    vec![("uniform", vec![128, 784]), ("mask", vec![128, 784])]
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
