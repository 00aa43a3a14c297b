//! The rows of the table. A row is an op with its sizes and scalars, the contents of its operands, and their layout in
//! memory.

use super::data::{Kind, Source, numbers};
use super::layout::Layout;
use super::ops;
use crate::device::View;
use crate::op::{Kernel, Op, Reach, Role};
use crate::{Dtype, Shape};
use std::collections::{HashMap, HashSet};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) op: Op<Shape>,
    pub(crate) given: Given,
    pub(crate) kind: Kind,
    pub(crate) seed: u64,
    pub(crate) layout: Layout,
}

/// What a row says about its operands besides their shapes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Given {
    pub(crate) same: Same,
    pub(crate) clock: [u32; 2],
    /// The square of the norm that clip reads.
    pub(crate) square: f32,
    /// Of what type the data set is.
    pub(crate) data: Dtype,
    /// Whether the order names rows past the end of the data.
    pub(crate) beyond: bool,
    /// How many numbers of each row the cut takes that select reads.
    pub(crate) taken: u32,
}

/// Which operands of an in-place op are the same view.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Same {
    /// All are different.
    #[default]
    None,
    /// The result is the first operand.
    First,
    /// The result is the second operand.
    Second,
    /// Both operands are the same, the result is different.
    Operands,
    /// All are the same.
    All,
    /// The third operand, which is only read, is the first.
    Third,
}

/// Sizes on both sides of the powers of two of tiles, vectors and warps.
pub(crate) const SIZES: [usize; 14] = [0, 1, 2, 3, 7, 16, 17, 31, 33, 64, 65, 127, 128, 129];
pub(crate) const KINDS: [Kind; 3] = [Kind::Integers, Kind::Reals, Kind::Edges];
/// More than 65,535 workgroups of 256.
pub(crate) const LARGE: usize = 17_000_000;
/// More than 128 MiB of f32.
pub(crate) const HUGE: usize = (1 << 25) + 5;

impl Row {
    pub(crate) fn name(&self) -> &'static str {
        self.op.name()
    }

    /// What makes a row distinct: not its seed, and not its layout except for views at the far end of a buffer.
    pub(crate) fn key(&self) -> String {
        format!("{:?} {:?} {:?} {}", self.op, self.given, self.kind, self.layout == Layout::Far)
    }

    /// The approximate number of elementary steps on a naive device: it decides whether a slow device gets the row.
    pub(crate) fn work(&self) -> usize {
        let terms = match &self.op {
            Op::Dense { x, .. } => x.columns(),
            Op::DenseDx { dz, .. } => dz.columns(),
            Op::DenseDw { dz, .. } | Op::DenseDb { dz, .. } => dz.rows(),
            _ => 1,
        };
        terms * self.op.size()
    }

    /// Whether the row needs hundreds of megabytes, or more blocks than WebGPU has in one dimension.
    pub(crate) fn large(&self) -> bool {
        let form = self.op.form();
        let blocks = form.operands().find(|o| form.kernel == Kernel::Rows && o.reach == Reach::Row).map_or(0, |o| o.of.rows());
        let dense = matches!(self.op, Op::Dense { .. } | Op::DenseDx { .. } | Op::DenseDw { .. });
        self.layout == Layout::Far || blocks > 65_535 || (!dense && self.work() > 1 << 22)
    }

    /// The index among the row's own operands of the op's operand with this number.
    pub(crate) fn index_of(&self, operand: usize) -> usize {
        let last = self.op.form().operands().count() - 1;
        match self.given.same {
            Same::First if operand == last => 0,
            Same::Second if operand == last => 1,
            Same::Operands => operand.saturating_sub(1),
            Same::All => 0,
            Same::Third if operand == 2 => 0,
            Same::Third => operand.min(operand.saturating_sub(1).max(1)),
            _ => operand,
        }
    }

    /// The op on views of the row's operands.
    pub(crate) fn on(&self, views: &[View]) -> Op {
        let mut operand = 0..;
        self.op.map(|_| views[self.index_of(operand.next().unwrap_or_default())].clone())
    }

    /// Whether every sum is exact in any order, so that all devices must give the same bits.
    pub(crate) fn exact(&self) -> bool {
        self.kind == Kind::Integers
    }

    /// Numbers for the op's operand with this index, with any special values among them.
    pub(crate) fn numbers(&self, operand: u64, n: usize) -> Vec<f32> {
        numbers(self.kind, n, self.seed, operand, 8, &super::data::SPECIAL)
    }

    /// Numbers for sums: at most one NaN or infinity, in the first operand; with a few more there would be nothing left
    /// to compare. Integers are at most `limit`.
    pub(crate) fn tame(&self, operand: u64, n: usize, limit: u32) -> Vec<f32> {
        let mut x = numbers(self.kind, n, self.seed, operand, limit, &super::data::TAME);
        if self.kind == Kind::Edges && operand == 0 && n > 0 {
            match Source::new(self.seed, 99).below(4) {
                1 | 3 => x[n / 2] = f32::NAN,
                2 => x[n / 2] = f32::NEG_INFINITY,
                _ => {}
            }
        }
        x
    }
}

/// Collects rows. It cycles through the layouts; the seed is the row's number among those of its op, so that the rows
/// of other ops make no difference.
#[derive(Default)]
pub(crate) struct Collector {
    rows: Vec<Row>,
    /// How many there are of each op.
    count: HashMap<&'static str, usize>,
}

impl Collector {
    pub(crate) fn add(&mut self, kind: Kind, op: Op<Shape>) {
        self.given(kind, op, Given::default());
    }

    pub(crate) fn given(&mut self, kind: Kind, op: Op<Shape>, given: Given) {
        // Every seventh row has all its operands in one buffer.
        let n = self.number(&op);
        let layout = if n % 7 == 4 { Layout::Together } else { Layout::ALL[n % Layout::ALL.len()] };
        self.laid(kind, op, given, layout);
    }

    pub(crate) fn laid(&mut self, kind: Kind, op: Op<Shape>, given: Given, layout: Layout) {
        let seed = self.number(&op) as u64;
        *self.count.entry(op.name()).or_default() += 1;
        self.rows.push(Row { op, given, kind, seed, layout });
    }

    fn number(&self, op: &Op<Shape>) -> usize {
        self.count.get(op.name()).copied().unwrap_or(0)
    }

    pub(crate) fn kinds(&mut self, op: &Op<Shape>) {
        for kind in KINDS {
            self.add(kind, op.clone());
        }
    }
}

/// A shape that is known to be valid.
pub(crate) fn shape(dims: &[usize]) -> Shape {
    Shape::new(dims).expect("the table's shapes are small")
}

/// A shape of n elements; its form changes with `turn`.
pub(crate) fn any(n: usize, turn: usize) -> Shape {
    match (turn % 5, n % 3) {
        (1, _) => shape(&[1, n]),
        (2, _) => shape(&[n, 1]),
        (3, 0) => shape(&[n / 3, 3, 1]),
        (4, 0) => shape(&[3, 1, n / 3, 1]),
        _ => shape(&[n]),
    }
}

/// All rows, op after op.
pub(crate) fn all() -> Vec<Row> {
    let mut rows = Collector::default();
    ops::rows(&mut rows);
    let mut rows = rows.rows;
    let mut seen = HashSet::new();
    rows.retain(|r| seen.insert(r.key()));
    let names = names(&rows);
    rows.sort_by_key(|r| names.iter().position(|n| *n == r.name()));
    rows
}

/// The names of the rows' ops, each once.
pub(crate) fn names(rows: &[Row]) -> Vec<&'static str> {
    let mut seen = HashSet::new();
    rows.iter().map(Row::name).filter(|name| seen.insert(*name)).collect()
}

/// Some small rows of each op and each kind of data.
pub(crate) fn quick(rows: Vec<Row>) -> Vec<Row> {
    let mut chosen = Vec::new();
    for op in names(&rows) {
        for (kind, most) in KINDS.into_iter().zip([8, 6, 5]) {
            let of: Vec<&Row> = rows.iter().filter(|r| r.name() == op && r.kind == kind && !r.large() && r.work() <= 40_000).collect();
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

/// Whether the contents of an operand before the op matter.
pub(crate) fn is_given(role: Role) -> bool {
    matches!(role, Role::Read | Role::Update)
}
