//! Ops that move rows and count steps: gather, advance, store.

use super::super::case::{Data, Made, Result, floats};
use super::super::data::{Kind, Source, numbers};
use super::super::layout::Layout;
use super::super::reference;
use super::super::row::{Collector, Given, KINDS, Row, SIZES, any, shape};
use crate::op::Op;
use crate::{Dtype, Shape};

/// `row` are the dimensions of one row.
pub(crate) fn gather(items: usize, row: &[usize], order: usize, batch: usize) -> Op<Shape> {
    let rows = |n: usize| shape(&[&[n], row].concat());
    Op::Gather { data: rows(items), order: shape(&[order]), clock: shape(&[2]), y: rows(batch) }
}

pub(crate) fn advance(rows: u32, period: u32) -> Op<Shape> {
    Op::Advance { clock: shape(&[2]), rows, period }
}

/// A ring of this many entries of that shape.
pub(crate) fn store(entries: usize, x: Shape) -> Op<Shape> {
    Op::Store { x, clock: shape(&[2]), ring: shape(&[entries, x.len()]) }
}

pub(super) fn sizes() -> Vec<(&'static str, Vec<usize>)> {
    vec![("gather", vec![4096, 784, 128])]
}

pub(super) fn rows(rows: &mut Collector) {
    let mut source = Source::new(2011, 0);
    let at = |cursor: u32, data: Dtype, beyond: bool| Given { clock: [cursor, 77], data, beyond, ..Given::default() };
    for (turn, &batch) in SIZES.iter().chain(&[300]).enumerate() {
        for row in [&[7, 7][..], &[1], &[3], &[784], &[1, 28, 28], &[4, 33]] {
            for data in [Dtype::U8, Dtype::F32] {
                let (items, order) = ([1, 5, 40, 129][(turn + row.len()) % 4], [batch.max(1), 17, 1, 64][turn % 4]);
                let given = at(source.below(order) as u32, data, turn % 2 == 1);
                let kind = if data == Dtype::U8 { Kind::Integers } else { KINDS[turn % 3] };
                rows.given(kind, gather(items, row, order, batch), given);
            }
        }
    }
    // The last entry first, then round: and a row of nothing.
    for data in [Dtype::U8, Dtype::F32, Dtype::U32] {
        for (order, cursor) in [(9, 8), (2, 1), (64, 63), (3, u32::MAX), (5, 1 << 31)] {
            rows.given(Kind::Reals, gather(33, &[7, 7], order, 65), at(cursor, data, true));
        }
        rows.given(Kind::Integers, gather(4, &[0], 3, 5), at(0, data, false));
        rows.given(Kind::Integers, gather(0, &[49], 3, 0), at(0, data, false));
        rows.laid(Kind::Integers, gather(300, &[784], 128, 128), at(100, data, true), Layout::Far);
    }
    // Labels: one a row, of two kinds of batches.
    for (turn, &batch) in SIZES.iter().chain(&[300]).enumerate() {
        let order = [batch.max(1), 17, 1, 64][turn % 4];
        rows.given(KINDS[turn % 3], gather([1, 5, 40, 129][turn % 4], &[], order, batch), at(5, Dtype::U32, turn % 2 == 1));
    }
    let half = 1 << 31;
    for (cursor, step, n, period) in [
        (0, 0, 0, 1),
        (0, 0, 1, 1),
        (5, 1, 3, 7),
        (u32::MAX, 4, 3, 7),
        (half, 5, 7, 9),
        (6, 2, 3, 7),
        (0, 3, 7, 7),
        (4, 9, 128, 60_000),
        (59_904, 468, 96, 60_000),
        (59_904, 468, 128, 60_000),
        (half - 1, u32::MAX, half, half),
        (half - 1, u32::MAX - 1, 1, half),
        (0, u32::MAX, half, half),
        (half - 1, 7, half - 1, half),
        (3, 4, half, 5),
        (6, 4, half, 7),
    ] {
        rows.given(Kind::Integers, advance(n, period), Given { clock: [cursor, step], ..Given::default() });
    }
    let step = |step: u32| Given { clock: [3, step], ..Given::default() };
    for (turn, entries) in SIZES.into_iter().skip(1).enumerate() {
        for at in [0, 1, entries as u32 - 1, entries as u32, 1000, u32::MAX] {
            rows.given(KINDS[turn % 3], store(entries, shape(&[1])), step(at));
        }
    }
    // Entries of more than one number.
    for (turn, n) in SIZES.into_iter().skip(2).chain([255, 257, 1000, 4097, 100_352]).enumerate() {
        let entries = [1, 2, 5][turn % 3];
        for (kind, at) in KINDS.into_iter().zip([entries as u32 - 1, 1000, u32::MAX]) {
            rows.given(kind, store(entries, any(n, turn)), step(at));
        }
    }
}

pub(super) fn make(row: &Row) -> Made {
    let clock = row.given.clock;
    match &row.op {
        Op::Gather { data, order, y, .. } => {
            let mut source = Source::new(row.seed, 9);
            let reach = if row.given.beyond { data.rows() + 3 } else { data.rows() };
            let mut order: Vec<u32> = (0..order.len()).map(|_| source.below(reach) as u32).collect();
            if row.given.beyond && !order.is_empty() {
                let at = (clock[0] as usize + 1) % order.len();
                order[at] = u32::MAX;
            }
            let pick = |floats: &[f32]| reference::gather(floats, data.columns(), &order, clock[0] as usize, y.rows());
            let (data, y) = match row.given.data {
                Dtype::U8 => {
                    let byte = |i: usize| if i < 256 { (i + 1) as u8 } else { source.next() as u8 };
                    let bytes: Vec<u8> = (0..data.len()).map(byte).collect();
                    let floats: Vec<f32> = bytes.iter().map(|&b| f32::from(b) / 255.0).collect();
                    let y = pick(&floats);
                    (Data::U8(bytes), Result::exactly(y))
                }
                Dtype::F32 => {
                    let floats = row.numbers(0, data.len());
                    let y = pick(&floats);
                    (Data::F32(floats), Result::exactly(y))
                }
                // Small numbers, which as floats are subnormal, and those that are NaN.
                Dtype::U32 => {
                    let words: Vec<u32> = (0..data.len()).map(|i| if i % 2 == 0 { source.below(10) as u32 } else { !(i as u32) }).collect();
                    let y = reference::gather(&words, data.columns(), &order, clock[0] as usize, y.rows());
                    (Data::U32(words), Result { contract: Data::U32(y), within: None })
                }
            };
            Made { inputs: vec![data, Data::U32(order), Data::U32(clock.to_vec())], results: vec![y] }
        }
        Op::Advance { rows, period, .. } => {
            let after = reference::advance(clock, *rows, *period);
            Made { inputs: vec![Data::U32(clock.to_vec())], results: vec![Result { contract: Data::U32(after.to_vec()), within: None }] }
        }
        Op::Store { x, ring, .. } => {
            let n = x.len();
            let x = if row.kind == Kind::Edges && n == 1 {
                vec![[f32::NAN, f32::NEG_INFINITY][Source::new(row.seed, 99).below(2)]]
            } else {
                row.numbers(0, n)
            };
            let before = numbers(Kind::Reals, ring.len(), row.seed, 1, 8, &[]);
            let mut after = before.clone();
            after[clock[1] as usize % ring.rows() * n..][..n].copy_from_slice(&x);
            let inputs = floats([&x]).into_iter().chain([Data::U32(clock.to_vec())]).chain(floats([&before]));
            Made { inputs: inputs.collect(), results: vec![Result::exactly(after)] }
        }
        op => unreachable!("{} is of another family", op.name()),
    }
}
