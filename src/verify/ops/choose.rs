//! Ops that choose: the largest numbers of a row, and units that have been idle for long.

use super::super::case::{Data, Made, Result, floats};
use super::super::data::{Kind, Source};
use super::super::reference;
use super::super::row::{Collector, Given, KINDS, Row, SIZES, Same, shape};
use crate::Shape;
use crate::op::Op;

pub(crate) fn cut([rows, columns]: [usize; 2], k: u32) -> Op<Shape> {
    Op::Cut { x: shape(&[rows, columns]), cut: shape(&[rows, 2]), k }
}

pub(crate) fn merge_topk([rows, columns]: [usize; 2], k: u32) -> Op<Shape> {
    let kept = shape(&[rows, k as usize]);
    Op::MergeTopk { x: shape(&[rows, columns]), clock: shape(&[2]), values: kept, index: kept }
}

pub(crate) fn select([rows, columns]: [usize; 2]) -> Op<Shape> {
    let s = shape(&[rows, columns]);
    Op::Select { x: s, cut: shape(&[rows, 2]), dy: s, dx: s }
}

pub(crate) fn idle([rows, columns]: [usize; 2]) -> Op<Shape> {
    Op::Idle { code: shape(&[rows, columns]), idle: shape(&[columns]) }
}

pub(crate) fn dead([rows, columns]: [usize; 2], least: f32, other: f32) -> Op<Shape> {
    let s = shape(&[rows, columns]);
    Op::Dead { x: s, idle: shape(&[columns]), y: s, least, other }
}

/// How many numbers are taken of so many, where nothing else is said: 10 of 512.
pub(crate) fn some(columns: usize) -> u32 {
    (columns / 50).max(1) as u32
}

pub(super) fn sizes() -> Vec<(&'static str, Vec<usize>)> {
    ["cut", "merge_topk", "select", "idle", "dead"].map(|name| (name, vec![1024, 512])).into()
}

pub(super) fn rows(rows: &mut Collector) {
    let mut choice = |kind, s: [usize; 2], k: usize, same| {
        rows.given(kind, cut(s, k as u32), Given::default());
        rows.given(kind, select(s), Given { taken: k as u32, same, ..Given::default() });
    };
    for (turn, columns) in SIZES.into_iter().skip(1).chain([100, 255, 256, 257, 512, 1000, 1025, 4097, 70_000]).enumerate() {
        for (i, k) in [1, columns, columns / 2, columns / 10, columns - 1].into_iter().filter(|&k| k > 0).enumerate() {
            let rows = if columns > 1025 { [1, 2, 3][i % 3] } else { [1, 3, 17, 65, 7][(turn + i) % 5] };
            for (n, kind) in KINDS.into_iter().enumerate() {
                choice(kind, [rows, columns], k, [Same::None, Same::Third][(turn + i + n) % 2]);
            }
        }
    }
    // The rows of two layers; a whole batch as one row, in which all and few are equal; more rows than workgroups.
    choice(Kind::Reals, [1024, 512], 10, Same::Third);
    choice(Kind::Reals, [128, 1000], 25, Same::None);
    for kind in [Kind::Integers, Kind::Reals] {
        choice(kind, [1, 1024 * 512], 10 * 1024, Same::Third);
    }
    choice(Kind::Reals, [1, 1 << 21], 40_000, Same::None);
    choice(Kind::Integers, [66_000, 3], 2, Same::None);
    for columns in [1, 3, 64] {
        choice(Kind::Integers, [0, columns], 1, Same::None);
    }

    // Fewer and more are kept than are new; one by one, and by a threshold; an index that goes round.
    for (turn, columns) in SIZES.into_iter().skip(1).chain([255, 257, 1025, 5000]).enumerate() {
        for (i, k) in [1, 5, 26, 300, columns / 2 + 1].into_iter().enumerate() {
            let s = [[1, 3, 2, 5, 9][(turn + i) % 5], columns];
            for (n, kind) in KINDS.into_iter().enumerate() {
                let clock = [[0, 7, 4096, u32::MAX - 2][(turn + i + n) % 4], 9];
                // Nothing is kept yet, some, all; or all are smaller or larger than most that are new.
                let taken = ((turn + i + 2 * n) % 5) as u32;
                rows.given(kind, merge_topk(s, k as u32), Given { clock, taken, ..Given::default() });
            }
        }
    }
    for (s, k) in [([130, 512], 26), ([3, 70_000], 1016), ([2, 300], 5000), ([0, 7], 3)] {
        rows.given(Kind::Reals, merge_topk(s, k), Given { taken: 1, ..Given::default() });
        rows.given(Kind::Integers, merge_topk(s, k), Given { taken: 2, ..Given::default() });
    }

    for (turn, columns) in SIZES.into_iter().chain([257, 1000]).enumerate() {
        for (n, count) in [0, 1, 8, 9, 130].into_iter().enumerate() {
            let s = [count, columns];
            rows.given(KINDS[(turn + n) % 3], idle(s), Given::default());
            let (least, other) = ([0.0, 1.0, 1000.0, 16_777_216.0][(turn + n) % 4], [0.0, f32::NEG_INFINITY, -2.5][n % 3]);
            rows.given(KINDS[(turn + n) % 3], dead(s, least, other), Given::default());
        }
    }
    for kind in KINDS {
        rows.given(kind, idle([1024, 512]), Given::default());
        rows.given(kind, dead([1024, 512], 10_000.0, f32::NEG_INFINITY), Given::default());
    }
    rows.given(Kind::Reals, idle([3, 70_000]), Given::default());
}

/// Numbers of which none is 0.
fn nonzero(row: &Row, operand: u64, n: usize) -> Vec<f32> {
    row.numbers(operand, n).into_iter().map(|x| if x == 0.0 && row.kind != Kind::Edges { 1.0 } else { x }).collect()
}

pub(super) fn make(row: &Row) -> Made {
    let mut source = Source::new(row.seed, 9);
    match &row.op {
        Op::Cut { x, k, .. } => {
            let numbers = row.numbers(0, x.len());
            let contract = Data::U32(reference::cut(&numbers, x.columns(), *k as usize));
            Made { inputs: floats([&numbers]), results: vec![Result { contract, within: None }] }
        }
        Op::MergeTopk { x, values, .. } => {
            let (numbers, k, first) = (row.numbers(0, x.len()), values.columns(), row.given.clock[0]);
            let mut kept = row.numbers(2, values.len());
            for (i, x) in kept.iter_mut().enumerate() {
                *x = match row.given.taken {
                    0 => f32::NEG_INFINITY,
                    1 if i % k >= k.div_ceil(2) => f32::NEG_INFINITY,
                    3 => *x - 6.0,
                    4 => *x + 6.0,
                    _ => *x,
                };
            }
            let index: Vec<u32> = (0..values.len()).map(|_| source.below(1 << 30) as u32).collect();
            let each = numbers.chunks(x.columns().max(1)).zip(kept.chunks(k)).zip(index.chunks(k));
            let all: Vec<_> = each.map(|((x, values), index)| reference::merge_topk(x, first, values, index)).collect();
            let values = all.iter().flat_map(|(values, _)| values.clone()).collect();
            let places = Data::U32(all.into_iter().flat_map(|(_, index)| index).collect());
            let clock = Data::U32(row.given.clock.to_vec());
            let inputs = floats([&numbers]).into_iter().chain([clock]).chain(floats([&kept])).chain([Data::U32(index)]).collect();
            Made { inputs, results: vec![Result::exactly(values), Result { contract: places, within: None }] }
        }
        Op::Select { x, .. } => {
            let (columns, numbers) = (x.columns(), nonzero(row, 0, x.len()));
            let dy = if row.given.same == Same::Third { numbers.clone() } else { nonzero(row, 2, x.len()) };
            let cut = reference::cut(&numbers, columns, row.given.taken as usize);
            let dx = Result::exactly(reference::select(&numbers, &cut, columns, &dy));
            Made { inputs: vec![Data::F32(numbers), Data::U32(cut), Data::F32(dy)], results: vec![dx] }
        }
        Op::Idle { code, idle } => {
            // A third of the units is off, and a third is on in one row alone.
            let (columns, mut numbers) = (idle.len(), row.numbers(0, code.len()));
            let on: Vec<usize> = (0..columns).map(|_| source.below(code.rows())).collect();
            for (i, x) in numbers.iter_mut().enumerate() {
                let c = i % columns;
                if c % 3 == 0 || (c % 3 == 1 && i / columns != on[c]) {
                    *x = [0.0, -0.0, 1e-40][source.below(3)];
                }
            }
            let before: Vec<f32> = (0..columns).map(|_| [0.0, 5.0, 60_000.0, 16_777_215.0, 16_777_216.0][source.below(5)]).collect();
            let after = Result::exactly(reference::idle(&numbers, &before));
            Made { inputs: floats([&numbers, &before]), results: vec![after] }
        }
        Op::Dead { x, idle, least, other, .. } => {
            let numbers = nonzero(row, 0, x.len());
            let mut idle: Vec<f32> = (0..idle.len()).map(|_| [0.0, least - 1.0, *least, least + 1.0][source.below(4)]).collect();
            idle.iter_mut().take(1).for_each(|first| *first = *least);
            let y = Result::exactly(reference::dead(&numbers, &idle, *least, *other));
            Made { inputs: floats([&numbers, &idle]), results: vec![y] }
        }
        op => unreachable!("{} is of another family", op.name()),
    }
}
