//! What threads do between two barriers: a work is an op, a stage of one, or something that a plan adds; it is cut into units, and a thread does a
//! range of them. `execute` is the one place where the ops of the CPU are computed, op by op or in a program.

use super::gemm::{self, NR_MAX, Right};
use super::memory::{Rectangle, Slices};
use super::pack;
use super::split::Split;
use super::touch::{Reach, Touch};
use super::{adam, add, advance, bce, clip, copy, dense, fill, gather, mse, relu, scale, sigmoid, store, sum, tanh, uniform};
use crate::device::View;
use crate::op::{CHUNK, Op};
use crate::{Dtype, Level, Shape};
use std::ops::Range;

/// What is done.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// An op; of a reduction only stage 1.
    Op(Op),
    /// Stage 2 of a reduction.
    Total(Op),
    /// Packs the right side of a product into the panels that it reads.
    Pack { from: View, to: View, order: Order },
    /// A product whose right side is packed.
    Packed(Op, View),
}

/// How the rows of a right side lie in its panels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Order {
    /// As columns: those of the weights in `x w^T`.
    Turned,
    /// As rows: those of the weights in `dz w`, and of x in `dz^T x`.
    Straight,
}

/// The right side of a product, if the op is one.
pub(super) fn right(op: &Op) -> Option<(&View, Order)> {
    match op {
        Op::Dense { w, .. } => Some((w, Order::Turned)),
        Op::DenseDx { w, .. } => Some((w, Order::Straight)),
        Op::DenseDw { x, .. } => Some((x, Order::Straight)),
        _ => None,
    }
}

/// Where the right side of a product stands in `Work::touches`.
const RIGHT: usize = 1;

/// A work and how it is cut.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) what: What,
    pub(super) split: Split,
    /// Whether a product is cut by columns, not by rows.
    columns: bool,
}

impl Work {
    /// An op for so many threads.
    pub(super) fn new(op: &Op, threads: usize) -> Work {
        let mut columns = false;
        let mut product = |c: &View| {
            let (m, n) = (c.shape.rows(), c.shape.columns());
            columns = threads > 1 && m < 8 * threads && n >= NR_MAX * threads;
            if columns { Split { units: n, grain: NR_MAX } } else { Split::rows(m, threads) }
        };
        let split = match op {
            Op::Dense { y: c, .. } | Op::DenseDx { dx: c, .. } | Op::DenseDw { dw: c, .. } => product(c),
            Op::DenseDb { db, .. } => Split::elements(db.len()),
            Op::Relu { y, .. } | Op::Sigmoid { y, .. } | Op::Tanh { y, .. } => along(y, threads),
            Op::ReluGrad { dx: y, .. } | Op::SigmoidGrad { dx: y, .. } | Op::TanhGrad { dx: y, .. } => along(y, threads),
            Op::MseGrad { dy: y, .. } | Op::BceGrad { dz: y, .. } => along(y, threads),
            Op::Mse { work, .. } | Op::Bce { work, .. } | Op::Sum { work, .. } | Op::SquareSum { work, .. } => Split::units(work.len()),
            Op::Clip { y, .. } | Op::Broadcast { y, .. } | Op::Add { y, .. } | Op::Scale { y, .. } => along(y, threads),
            Op::Fill { y, .. } | Op::Copy { y, .. } => along(y, threads),
            Op::Gather { y, .. } => Split::rows(if y.len() == 0 { 0 } else { y.shape.rows() }, threads),
            Op::Uniform { y, .. } => Split { units: y.len().div_ceil(4), grain: 16 },
            Op::Store { x, .. } => along(x, threads),
            Op::Advance { .. } => Split::ONE,
            Op::Adam { p, .. } => along(p, threads),
        };
        Work { what: What::Op(op.clone()), split, columns }
    }

    /// Whether a second thread would cost more than it saves.
    pub(super) fn is_small(&self) -> bool {
        const ELEMENTS: usize = 16 * 1024;
        match &self.what {
            What::Op(Op::Dense { x, y, .. }) => x.shape.columns() * y.len() <= 4 * ELEMENTS,
            What::Op(Op::DenseDx { dz, dx, .. }) => dz.shape.columns() * dx.len() <= 4 * ELEMENTS,
            What::Op(Op::DenseDw { x, dw, .. }) => x.shape.rows() * dw.len() <= 4 * ELEMENTS,
            What::Op(Op::DenseDb { dz, .. }) => dz.len() <= ELEMENTS,
            What::Op(Op::Mse { .. } | Op::Bce { .. } | Op::Sum { .. } | Op::SquareSum { .. }) => self.split.units * CHUNK <= ELEMENTS,
            What::Op(Op::Gather { y, .. } | Op::Uniform { y, .. }) => y.len() <= ELEMENTS,
            What::Op(Op::Store { x, .. }) => x.len() <= ELEMENTS,
            What::Op(Op::Advance { .. }) | What::Total(_) => true,
            What::Op(op) => op.writes()[0].1.len() <= ELEMENTS,
            What::Pack { from, .. } => from.len() <= ELEMENTS,
            What::Packed(..) => false,
        }
    }

    /// The second stage of an op, where it has one.
    pub(super) fn total(op: &Op) -> Option<Work> {
        let reduces = matches!(op, Op::Mse { .. } | Op::Bce { .. } | Op::Sum { .. } | Op::SquareSum { .. });
        reduces.then(|| Work { what: What::Total(op.clone()), split: Split::ONE, columns: false })
    }

    /// Packs `from` into `to`; a unit is a row, so that who has written it can pack it.
    pub(super) fn pack(from: &View, to: &View, order: Order, threads: usize) -> Work {
        let split = Split::rows(from.shape.rows(), threads);
        Work { what: What::Pack { from: from.clone(), to: to.clone(), order }, split, columns: false }
    }

    /// The same product, with its right side from `packed`.
    pub(super) fn with_packed(self, packed: &View) -> Work {
        match self.what {
            What::Op(op) => Work { what: What::Packed(op, packed.clone()), ..self },
            what => Work { what, ..self },
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match &self.what {
            What::Op(op) | What::Packed(op, _) => op.name(),
            What::Total(_) => "total",
            What::Pack { .. } => "pack",
        }
    }

    /// What the work touches; the right side of a product stands at [`RIGHT`].
    pub(super) fn touches(&self) -> Vec<Touch> {
        let units = self.split.units.max(1);
        let read = |view: &View, reach| Touch { view: view.clone(), reach, written: false };
        let write = |view: &View, reach| Touch { view: view.clone(), reach, written: true };
        let along = |view: &View| Reach::Along(view.len() / units);
        let matrix = |c: &View| if self.columns { Reach::Whole } else { along(c) };
        match &self.what {
            What::Op(Op::Dense { x, w, b, y }) => {
                vec![read(x, matrix(x)), read(w, Reach::Whole), read(b, Reach::Whole), write(y, matrix(y))]
            }
            What::Op(Op::DenseDx { dz, w, dx }) => {
                vec![read(dz, matrix(dz)), read(w, Reach::Whole), write(dx, matrix(dx))]
            }
            What::Op(Op::DenseDw { dz, x, dw }) => vec![read(dz, Reach::Whole), read(x, Reach::Whole), write(dw, matrix(dw))],
            What::Op(Op::DenseDb { dz, db }) => vec![read(dz, Reach::Whole), write(db, Reach::Along(1))],
            What::Op(Op::Mse { y: x, target, work, .. } | Op::Bce { z: x, target, work, .. }) => {
                vec![read(x, Reach::Along(CHUNK)), read(target, Reach::Along(CHUNK)), write(work, Reach::Along(1))]
            }
            What::Op(Op::Sum { x, work, .. } | Op::SquareSum { x, work, .. }) => {
                vec![read(x, Reach::Along(CHUNK)), write(work, Reach::Along(1))]
            }
            What::Total(
                Op::Mse { work, loss: y, .. } | Op::Bce { work, loss: y, .. } | Op::Sum { work, y, .. } | Op::SquareSum { work, y, .. },
            ) => {
                vec![read(work, Reach::Whole), write(y, Reach::Whole)]
            }
            What::Op(Op::Gather { data, order, clock, y }) => {
                vec![read(data, Reach::Whole), read(order, Reach::Whole), read(clock, Reach::Whole), write(y, along(y))]
            }
            What::Op(Op::Store { x, clock, ring }) => {
                let per_unit = x.len() / units;
                vec![read(x, along(x)), read(clock, Reach::Whole), write(ring, Reach::Anywhere(per_unit))]
            }
            What::Op(Op::Uniform { clock, y, .. }) => vec![read(clock, Reach::Whole), write(y, Reach::Along(4))],
            What::Pack { from, to, .. } => vec![read(from, along(from)), write(to, Reach::Whole)],
            What::Packed(op, packed) => {
                let mut touches = Work { what: What::Op(op.clone()), ..*self }.touches();
                touches[RIGHT] = read(packed, Reach::Whole);
                touches
            }
            // What is left is elementwise, but for scalars and what only one thread touches.
            What::Op(op) | What::Total(op) => {
                let n = op.writes()[0].1.len();
                let reach = |name: &str, view: &View| match name {
                    "clock" | "table" | "dloss" | "square" => Reach::Whole,
                    _ if view.len() == n => along(view),
                    _ => Reach::Whole,
                };
                let reads = op.reads().into_iter().map(|(name, view)| read(view, reach(name, view)));
                let writes = op.writes().into_iter().map(|(name, view)| write(view, reach(name, view)));
                reads.chain(writes).collect()
            }
        }
    }

    /// Does some units. `Op::check` has proved shapes, types, bounds, and that what is written overlaps nothing else.
    pub(super) fn execute(&self, level: Level, s: &Slices, scratch: &mut [f32], units: Range<usize>) {
        if units.is_empty() {
            return;
        }
        let all = self.split.units;
        // The elements of these units in a view that is cut along them.
        let of = |view: &View| {
            let width = view.len() / all;
            units.start * width..units.end * width
        };
        let chunks = |view: &View| units.start * CHUNK..(units.end * CHUNK).min(view.len());
        let matrix = |view: &View| if self.columns { 0..view.len() } else { of(view) };
        // The first row of a product of which this is some rows.
        let first = if self.columns { 0 } else { units.start };
        let mut product = |p: gemm::Product, c: &View| {
            let mut c = match self.columns {
                true => s.columns(c, units.clone()),
                false => Rectangle::whole(s.write(c, of(c)), c.shape.columns()),
            };
            gemm::product(level, &p, &mut c, scratch);
        };
        match &self.what {
            What::Op(Op::Dense { x, w, b, y }) => {
                let inputs = x.shape.columns();
                product(dense::dense(s.read(x, matrix(x)), Right::Strided(dense::turned(s.all(w), inputs)), s.all(b), inputs), y);
            }
            What::Op(Op::DenseDx { dz, w, dx }) => {
                let (outputs, inputs) = (w.shape.rows(), w.shape.columns());
                product(dense::dense_dx(s.read(dz, matrix(dz)), Right::Strided(dense::straight(s.all(w), inputs)), outputs), dx);
            }
            What::Op(Op::DenseDw { dz, x, dw }) => {
                let x = Right::Strided(dense::straight(s.all(x), x.shape.columns()));
                product(dense::dense_dw(s.all(dz), first, x, dz.shape.rows(), dz.shape.columns()), dw);
            }
            What::Packed(op, right) => {
                let right = Right::Packed(s.all(right));
                match op {
                    Op::Dense { x, b, y, .. } => product(dense::dense(s.read(x, matrix(x)), right, s.all(b), x.shape.columns()), y),
                    Op::DenseDx { dz, dx, .. } => product(dense::dense_dx(s.read(dz, matrix(dz)), right, dz.shape.columns()), dx),
                    Op::DenseDw { dz, dw, .. } => {
                        product(dense::dense_dw(s.all(dz), first, right, dz.shape.rows(), dz.shape.columns()), dw);
                    }
                    op => unreachable!("{} has no right side", op.name()),
                }
            }
            What::Pack { from, to, order } => {
                let &[panels, depth, width] = to.shape.dims() else { unreachable!("panels, terms, columns") };
                let (rows, pitch) = (s.read(from, of(from)), from.shape.columns());
                match order {
                    Order::Turned => {
                        for panel in units.start / width..units.end.div_ceil(width) {
                            let columns = units.start.max(panel * width)..units.end.min((panel + 1) * width);
                            let rows = &rows[(columns.start - units.start) * pitch..];
                            let to = to.part(panel * depth * width, Shape::matrix(depth, width)).expect("inside");
                            pack::turned(level, rows, &mut s.columns(&to, columns.start - panel * width..columns.end - panel * width));
                        }
                    }
                    Order::Straight => {
                        for panel in 0..panels {
                            let at = |unit: usize| (panel * depth + unit) * width;
                            pack::straight(rows, pitch, panel * width, s.write(to, at(units.start)..at(units.end)), width);
                        }
                    }
                }
            }
            What::Op(Op::DenseDb { dz, db }) => dense::dense_db(level, s.all(dz), db.len(), units.start, s.write(db, units)),
            What::Op(Op::Relu { x, y }) => relu::relu(level, s.read(x, of(x)), s.write(y, of(y))),
            What::Op(Op::ReluGrad { x, dy, dx }) => relu::relu_grad(level, s.read(x, of(x)), s.read(dy, of(dy)), s.write(dx, of(dx))),
            What::Op(Op::Sigmoid { x, y }) => sigmoid::sigmoid(level, s.read(x, of(x)), s.write(y, of(y))),
            What::Op(Op::SigmoidGrad { x, dy, dx }) => {
                sigmoid::sigmoid_grad(level, s.read(x, of(x)), s.read(dy, of(dy)), s.write(dx, of(dx)));
            }
            What::Op(Op::Tanh { x, y }) => tanh::tanh(level, s.read(x, of(x)), s.write(y, of(y))),
            What::Op(Op::TanhGrad { x, dy, dx }) => tanh::tanh_grad(level, s.read(x, of(x)), s.read(dy, of(dy)), s.write(dx, of(dx))),
            What::Op(Op::Mse { y, target, work, .. }) => {
                mse::mse_chunks(level, s.read(y, chunks(y)), s.read(target, chunks(target)), s.write(work, units));
            }
            What::Op(Op::MseGrad { y, target, dloss, dy, scale }) => {
                let factor = scale * s.all::<f32>(dloss)[0];
                mse::mse_grad(level, s.read(y, of(y)), s.read(target, of(target)), factor, s.write(dy, of(dy)));
            }
            What::Op(Op::Bce { z, target, work, .. }) => {
                bce::bce_chunks(level, s.read(z, chunks(z)), s.read(target, chunks(target)), s.write(work, units));
            }
            What::Op(Op::BceGrad { z, target, dloss, dz, scale }) => {
                let factor = scale * s.all::<f32>(dloss)[0];
                bce::bce_grad(level, s.read(z, of(z)), s.read(target, of(target)), factor, s.write(dz, of(dz)));
            }
            What::Op(Op::Sum { x, work, .. }) => sum::sum_chunks(level, s.read(x, chunks(x)), s.write(work, units)),
            What::Op(Op::SquareSum { x, work, .. }) => clip::square_chunks(level, s.read(x, chunks(x)), s.write(work, units)),
            What::Total(Op::Mse { work, loss, scale, .. } | Op::Bce { work, loss, scale, .. }) => {
                s.write::<f32>(loss, 0..1)[0] = sum::total(s.all(work)) * scale;
            }
            What::Total(Op::Sum { work, y, .. } | Op::SquareSum { work, y, .. }) => {
                s.write::<f32>(y, 0..1)[0] = sum::total(s.all(work));
            }
            What::Total(op) => unreachable!("{} has one stage", op.name()),
            What::Op(Op::Clip { x, square, y, most }) => {
                let factor = clip::factor(s.all::<f32>(square)[0], *most);
                match x.identical(y) {
                    true => scale::scale_self(level, s.write(y, of(y)), factor),
                    false => scale::scale(level, s.read(x, of(x)), s.write(y, of(y)), factor),
                }
            }
            What::Op(Op::Broadcast { x, y }) => fill::fill(s.write(y, of(y)), s.all::<f32>(x)[0]),
            What::Op(Op::Add { a, b, y }) => match (a.identical(y), b.identical(y)) {
                (false, false) => add::add(level, s.read(a, of(a)), s.read(b, of(b)), s.write(y, of(y))),
                (true, false) => add::add_to(level, s.read(b, of(b)), s.write(y, of(y))),
                (false, true) => add::add_to(level, s.read(a, of(a)), s.write(y, of(y))),
                (true, true) => add::double(level, s.write(y, of(y))),
            },
            What::Op(Op::Scale { x, y, factor }) if x.identical(y) => scale::scale_self(level, s.write(y, of(y)), *factor),
            What::Op(Op::Scale { x, y, factor }) => scale::scale(level, s.read(x, of(x)), s.write(y, of(y)), *factor),
            What::Op(Op::Fill { y, value }) => fill::fill(s.write(y, of(y)), *value),
            What::Op(Op::Copy { x, y }) => copy::copy(s.read(x, of(x)), s.write(y, of(y))),
            What::Op(Op::Gather { data, order, clock, y }) => {
                let rows = gather::Rows { order: s.all(order), cursor: s.all(clock)[0], count: data.shape.rows() };
                let (first, columns, y) = (units.start, y.shape.columns(), s.write(y, of(y)));
                match data.dtype() {
                    Dtype::U8 => gather::gather_bytes(level, s.all(data), rows, first, columns, y),
                    _ => gather::gather_floats(s.all(data), rows, first, columns, y),
                }
            }
            What::Op(Op::Advance { clock, rows, period }) => advance::advance(s.write(clock, 0..2), *rows, *period),
            What::Op(Op::Store { x, clock, ring }) => {
                let (first, part) = (store::first(s.all(clock), ring.len(), x.len()), of(x));
                copy::copy(s.read(x, part.clone()), s.write(ring, first + part.start..first + part.end));
            }
            What::Op(Op::Uniform { clock, y, lo, range, seed, purpose }) => {
                let stream = uniform::Stream { step: s.all::<u32>(clock)[1], lo: *lo, range: *range, seed: *seed, purpose: *purpose };
                uniform::uniform(level, s.write(y, units.start * 4..(units.end * 4).min(y.len())), units.start, stream);
            }
            What::Op(Op::Adam { p, g, m, v, table, clock, hyper }) => {
                let step = s.all::<u32>(clock)[1] as usize;
                let row = step.min(table.shape.rows() - 1);
                let row = s.read::<f32>(table, 4 * row..4 * row + 4).try_into().expect("four numbers");
                adam::adam(level, s.write(p, of(p)), s.read(g, of(g)), s.write(m, of(m)), s.write(v, of(v)), row, *hyper);
            }
        }
    }
}

/// An elementwise op on `y`: by rows where there are enough, else by elements.
fn along(y: &View, threads: usize) -> Split {
    let dims = y.shape.dims();
    match dims.len() > 1 && dims[0] >= threads && y.len() > 0 {
        true => Split::rows(dims[0], threads),
        false => Split::elements(y.len()),
    }
}
