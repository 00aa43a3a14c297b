//! The rows of the table. A row is an op with its sizes and scalars, a kind of data, a seed, and how its operands lie in memory.

use super::data::{Kind, Source};
use super::layout::Layout;
use super::rows_dense;
use super::spec::{Same, Spec};
use crate::op::AdamHyper;
use std::collections::HashSet;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) spec: Spec,
    pub(crate) kind: Kind,
    pub(crate) seed: u64,
    pub(crate) layout: Layout,
}

/// Sizes on both sides of every power of two that tiles, vectors and warps have.
pub(crate) const SIZES: [usize; 14] = [0, 1, 2, 3, 7, 16, 17, 31, 33, 64, 65, 127, 128, 129];
const KINDS: [Kind; 3] = [Kind::Integers, Kind::Reals, Kind::Edges];
/// More than 65,535 workgroups of 256.
const LARGE: usize = 17_000_000;
/// More than 128 MiB of f32.
const HUGE: usize = (1 << 25) + 5;
/// Chunks and lanes of the reductions, and one more.
const REDUCED: [usize; 14] = [255, 256, 257, 511, 512, 513, 4095, 4096, 4097, 8191, 8193, 65_537, 100_352, 1_048_577];

impl Row {
    /// What makes a row distinct: neither its seed nor, but for views at the far end of a buffer, its layout.
    pub(crate) fn key(&self) -> String {
        format!("{:?} {:?} {}", self.spec, self.kind, self.layout == Layout::Far)
    }

    /// Whether the row needs hundreds of megabytes.
    pub(crate) fn large(&self) -> bool {
        let dense = matches!(self.spec, Spec::Dense(_) | Spec::DenseDx(_) | Spec::DenseDw(_));
        self.layout == Layout::Far || (!dense && self.spec.work() > 1 << 22)
    }
}

/// Collects rows; layouts come in turn, and the seed is the row's number.
#[derive(Default)]
pub(crate) struct Rows(Vec<Row>);

impl Rows {
    pub(crate) fn add(&mut self, kind: Kind, spec: Spec) {
        // Every ninth row has all its operands in one buffer.
        let n = self.0.len();
        let layout = if n % 9 == 4 { Layout::Together } else { Layout::ALL[n % Layout::ALL.len()] };
        self.laid(kind, spec, layout);
    }

    pub(crate) fn laid(&mut self, kind: Kind, spec: Spec, layout: Layout) {
        let seed = self.0.len() as u64;
        self.0.push(Row { spec, kind, seed, layout });
    }

    pub(crate) fn kinds(&mut self, spec: &Spec) {
        for kind in KINDS {
            self.add(kind, spec.clone());
        }
    }
}

/// A shape of n elements; its form changes with `turn`.
fn shape(n: usize, turn: usize) -> Vec<usize> {
    match (turn % 5, n % 3) {
        (1, _) => vec![1, n],
        (2, _) => vec![n, 1],
        (3, 0) => vec![n / 3, 3, 1],
        (4, 0) => vec![3, 1, n / 3, 1],
        _ => vec![n],
    }
}

/// All rows, op after op in the order of the instruction set.
pub(crate) fn all() -> Vec<Row> {
    let mut rows = Rows::default();
    rows_dense::add(&mut rows);
    elementwise(&mut rows);
    reductions(&mut rows);
    bookkeeping(&mut rows);
    adam(&mut rows);
    rows_dense::add_large(&mut rows);
    stores(&mut rows);
    let names = order();
    let mut rows = rows.0;
    let mut seen = HashSet::new();
    rows.retain(|r| seen.insert(r.key()));
    rows.sort_by_key(|r| names.iter().position(|n| *n == r.spec.name()));
    rows
}

/// The names of the ops in the order of the instruction set, read from its source.
pub(crate) fn order() -> Vec<&'static str> {
    let arms = include_str!("../op.rs").split("fn name(&self)").nth(1).unwrap_or_default().split("\n    }\n").next().unwrap_or_default();
    arms.lines().filter_map(|line| line.split_once("=> \"")?.1.split('"').next()).collect()
}

/// Some small rows of each op, and of each kind of data some.
pub(crate) fn quick(rows: Vec<Row>) -> Vec<Row> {
    let mut chosen = Vec::new();
    for op in order() {
        for (kind, most) in KINDS.into_iter().zip([8, 6, 5]) {
            let of: Vec<&Row> =
                rows.iter().filter(|r| r.spec.name() == op && r.kind == kind && !r.large() && r.spec.work() <= 40_000).collect();
            // A golden-ratio walk meets all layouts and seeds; equal steps could miss some of them throughout.
            let walk = (0..most).map(|i| ((0.5 + i as f64 * 0.618_033_988_75).fract() * of.len() as f64) as usize);
            let mut picked: Vec<usize> = walk.filter(|&i| i < of.len()).collect();
            picked.sort();
            picked.dedup();
            chosen.extend(picked.into_iter().map(|i| of[i].clone()));
        }
    }
    chosen
}

fn elementwise(rows: &mut Rows) {
    let more = [255, 256, 257, 1000, 1023, 1025, 4095, 4097, 65_537, 100_352];
    for (turn, n) in SIZES.into_iter().chain(more).enumerate() {
        let s = || shape(n, turn);
        for spec in [
            Spec::Relu(s()),
            Spec::ReluGrad(s()),
            Spec::Sigmoid(s()),
            Spec::SigmoidGrad(s()),
            Spec::Tanh(s()),
            Spec::TanhGrad(s()),
            Spec::Copy(s()),
            Spec::Broadcast(s()),
        ] {
            rows.kinds(&spec);
        }
        rows.kinds(&Spec::Add(s(), Same::None));
        for (i, same) in [Same::First, Same::Second, Same::Operands, Same::All].into_iter().enumerate() {
            rows.add(KINDS[(turn + i) % 3], Spec::Add(s(), same));
        }
        rows.add(Kind::Integers, Spec::Scale(s(), -3.0, Same::None));
        rows.add(Kind::Integers, Spec::Scale(s(), 4.0, Same::First));
        rows.add(Kind::Reals, Spec::Scale(s(), 0.1, Same::None));
        rows.add(Kind::Reals, Spec::Scale(s(), -1.0 / 3.0, Same::First));
        rows.add(Kind::Edges, Spec::Scale(s(), 1.5, [Same::None, Same::First][turn % 2]));
        rows.add(Kind::Edges, Spec::Fill(s(), [f32::NAN, f32::INFINITY, -0.0, 1e-40][turn % 4]));
        rows.add(Kind::Integers, Spec::Fill(s(), 3.0 + turn as f32));
        rows.add(Kind::Reals, Spec::Fill(s(), [0.0, -2.5, 0.1][turn % 3]));
        let n = n.max(1) as f64;
        rows.add(Kind::Integers, Spec::MseGrad(s(), 0.5));
        rows.add(Kind::Reals, Spec::MseGrad(s(), (2.0 / n) as f32));
        rows.add(Kind::Edges, Spec::MseGrad(s(), (2.0 / n) as f32));
        rows.add(Kind::Integers, Spec::BceGrad(s(), 0.5));
        rows.add(Kind::Reals, Spec::BceGrad(s(), (1.0 / n) as f32));
        rows.add(Kind::Edges, Spec::BceGrad(s(), (1.0 / n) as f32));
        // Above the largest norm and below it; no norm at all; one that is infinite, and none.
        rows.add(Kind::Integers, Spec::Clip(s(), 2.0, 4097.0, Same::None));
        rows.add(Kind::Integers, Spec::Clip(s(), 70.0, 4096.0, Same::First));
        rows.add(Kind::Reals, Spec::Clip(s(), 1.0, 2.0 + n as f32, Same::First));
        rows.add(Kind::Reals, Spec::Clip(s(), 0.1, [0.0, 1e-14, 1e-20][turn % 3], Same::None));
        rows.add(Kind::Edges, Spec::Clip(s(), 1.5, [9.0, f32::INFINITY, f32::NAN][turn % 3], [Same::None, Same::First][turn % 2]));
    }
    // Over 65,535 workgroups, and buffers over 128 MiB.
    for spec in [
        Spec::Relu(vec![LARGE]),
        Spec::Add(vec![17, LARGE / 17], Same::None),
        Spec::Scale(vec![LARGE], 2.0, Same::First),
        Spec::Fill(vec![LARGE], 7.0),
    ] {
        rows.laid(Kind::Integers, spec, Layout::Odd);
    }
    rows.laid(Kind::Reals, Spec::Copy(vec![HUGE]), Layout::Odd);
    rows.laid(Kind::Reals, Spec::Relu(vec![1000]), Layout::Far);
}

fn reductions(rows: &mut Rows) {
    for (turn, n) in SIZES.into_iter().chain(REDUCED).enumerate() {
        rows.kinds(&Spec::Sum(shape(n, turn)));
        rows.kinds(&Spec::SquareSum(shape(n, turn)));
        if n > 0 {
            rows.add(Kind::Integers, Spec::Bce(shape(n, turn), 0.25));
            rows.add(Kind::Reals, Spec::Bce(shape(n, turn), (1.0 / n as f64) as f32));
            rows.add(Kind::Edges, Spec::Bce(shape(n, turn), (1.0 / n as f64) as f32));
            rows.add(Kind::Integers, Spec::Mse(shape(n, turn), 0.25));
            rows.add(Kind::Reals, Spec::Mse(shape(n, turn), (1.0 / n as f64) as f32));
            rows.add(Kind::Edges, Spec::Mse(shape(n, turn), (1.0 / n as f64) as f32));
        }
    }
    rows.laid(Kind::Integers, Spec::Sum(vec![LARGE]), Layout::Odd);
}

fn bookkeeping(rows: &mut Rows) {
    let mut source = Source::new(2011, 0);
    for (turn, &batch) in SIZES.iter().chain(&[300]).enumerate() {
        for row in [vec![7, 7], vec![1], vec![3], vec![784], vec![1, 28, 28], vec![4, 33]] {
            for bytes in [true, false] {
                let (items, order) = ([1, 5, 40, 129][(turn + row.len()) % 4], [batch.max(1), 17, 1, 64][turn % 4]);
                let cursor = (source.below(order)) as u32;
                let gather = Spec::Gather { items, row: row.clone(), order, batch, cursor, bytes, beyond: turn % 2 == 1 };
                rows.add(if bytes { Kind::Integers } else { KINDS[turn % 3] }, gather);
            }
        }
    }
    // The last entry first, then round: and a row of nothing.
    for bytes in [true, false] {
        for (order, cursor) in [(9, 8), (2, 1), (64, 63), (3, u32::MAX), (5, 1 << 31)] {
            rows.add(Kind::Reals, Spec::Gather { items: 33, row: vec![7, 7], order, batch: 65, cursor, bytes, beyond: true });
        }
        rows.add(Kind::Integers, Spec::Gather { items: 4, row: vec![0], order: 3, batch: 5, cursor: 0, bytes, beyond: false });
        rows.add(Kind::Integers, Spec::Gather { items: 0, row: vec![49], order: 3, batch: 0, cursor: 0, bytes, beyond: false });
        rows.laid(
            Kind::Integers,
            Spec::Gather { items: 300, row: vec![784], order: 128, batch: 128, cursor: 100, bytes, beyond: true },
            Layout::Far,
        );
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
    ] {
        rows.add(Kind::Integers, Spec::Advance { clock: [cursor, step], rows: n, period });
    }
    for (cursor, step, n, period) in [
        (half - 1, u32::MAX, half, half),
        (half - 1, u32::MAX - 1, 1, half),
        (0, u32::MAX, half, half),
        (half - 1, 7, half - 1, half),
        (3, 4, half, 5),
        (6, 4, half, 7),
    ] {
        rows.add(Kind::Integers, Spec::Advance { clock: [cursor, step], rows: n, period });
    }
    for (turn, entries) in SIZES.into_iter().skip(1).enumerate() {
        for step in [0, 1, entries as u32 - 1, entries as u32, 1000, u32::MAX] {
            rows.add(KINDS[turn % 3], Spec::Store { entries, shape: vec![1], clock: [3, step] });
        }
    }
    for (turn, n) in SIZES.into_iter().chain([255, 256, 257, 1000, 4097, 100_352]).enumerate() {
        let seed = [0, 1, u64::MAX, 0x0123_4567_89AB_CDEF][turn % 4];
        let (purpose, step) = ([0, 1, 77, u32::MAX][turn % 4], [0, 1, 468, u32::MAX][(turn / 2) % 4]);
        let uniform = |lo, range| Spec::Uniform { shape: shape(n, turn), lo, range, seed, purpose, clock: [5, step] };
        rows.add(Kind::Integers, uniform(0.0, 1.0));
        rows.add(Kind::Integers, uniform(-8.0, 16.0));
        rows.add(Kind::Reals, uniform(-0.0357, 0.0714));
        rows.add(Kind::Reals, uniform(0.1, 0.9));
    }
}

/// Entries of more than one number.
fn stores(rows: &mut Rows) {
    for (turn, n) in SIZES.into_iter().skip(2).chain([255, 257, 1000, 4097, 100_352]).enumerate() {
        let entries = [1, 2, 5][turn % 3];
        for (kind, step) in KINDS.into_iter().zip([entries as u32 - 1, 1000, u32::MAX]) {
            rows.add(kind, Spec::Store { entries, shape: shape(n, turn), clock: [4, step] });
        }
    }
}

fn adam(rows: &mut Rows) {
    let hyper =
        |beta1: f64, beta2: f64, eps: f32| AdamHyper { w1: (1.0 - beta1) as f32, beta2: beta2 as f32, w2: (1.0 - beta2) as f32, eps };
    for (turn, n) in SIZES.into_iter().chain([255, 257, 1000, 4097, 100_352]).enumerate() {
        for (kind, (steps, step)) in KINDS.into_iter().zip([(5, 0), (6, 2), (1, 0)]) {
            rows.add(kind, Spec::Adam { shape: shape(n, turn), steps, clock: [9, step], hyper: hyper(0.9, 0.999, 1e-8) });
        }
        // Past the table: its last row.
        for (kind, (steps, step)) in KINDS.into_iter().zip([(3, 3), (200, 1_000), (2, u32::MAX)]) {
            rows.add(kind, Spec::Adam { shape: shape(n, turn), steps, clock: [9, step], hyper: hyper(0.5, 0.95, 1e-4) });
        }
    }
}
