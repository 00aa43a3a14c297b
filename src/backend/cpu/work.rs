//! What threads do between two barriers. A work is an op, a stage of one, or something that a plan adds; it is divided
//! into units, and a thread does a range of them. `execute` is the only place where the CPU computes ops, op by op or
//! in a program.

use super::gemm::{self, NR_MAX, Right};
use super::memory::{Rectangle, Slices};
use super::pack;
use super::partition::Partition;
use super::touch::{Cover, Touch};
use super::{
    adam, advance, clip, copy, cut, dead, dense, fill, gather, idle, map, merge_topk, random, reduce, scale, select, store, xent, zip,
};
use crate::device::View;
use crate::op::{CHUNK, FOUR, Kernel, Op, Operand, Reach, Role, chunks};
use crate::{Dtype, Level, Shape};
use std::ops::Range;

/// What a work does.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// An op; for a reduction, only stage 1.
    Op(Op),
    /// Stage 2 of a reduction.
    Total(Op),
    /// Packs the right side of a product into the panels that the product reads.
    Pack { from: View, to: View, order: Order },
    /// A product whose right side is packed.
    Packed(Op, View),
}

/// How the rows of a right side lie in its panels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Order {
    /// As columns: the rows of the weights in `x w^T`.
    Turned,
    /// As rows: the rows of the weights in `dz w`, and of x in `dz^T x`.
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

/// The index of a product's right side in `Work::touches`.
const RIGHT: usize = 1;

/// A work and how it is divided.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) what: What,
    pub(super) partition: Partition,
    /// Whether a product is divided by columns, not by rows.
    columns: bool,
}

impl Work {
    /// An op, divided for a number of threads.
    pub(super) fn new(op: &Op, threads: usize) -> Work {
        let mut columns = false;
        let mut product = |c: &View| {
            let (m, n) = (c.shape.rows(), c.shape.columns());
            columns = threads > 1 && m < 8 * threads && n >= NR_MAX * threads;
            if columns { Partition { units: n, grain: NR_MAX } } else { Partition::rows(m, threads) }
        };
        let partition = match (op.form().kernel, op) {
            (Kernel::Tiles, Op::DenseDb { db, .. }) => Partition::elements(db.len()),
            (Kernel::Tiles, _) => product(op.result()),
            // These go by whole rows.
            (Kernel::Each, Op::Gather { y, .. } | Op::Rows { y, .. } | Op::XentGrad { dz: y, .. }) => {
                Partition::rows(if y.len() == 0 { 0 } else { y.shape.rows() }, threads)
            }
            (Kernel::Each, _) => along(op.along(), threads),
            // No part begins inside a block of four elements: the grain of elements is a multiple of four.
            (Kernel::Fours, _) if op.along().shape.columns().is_multiple_of(FOUR) => along(op.along(), threads),
            (Kernel::Fours, _) => Partition::elements(op.elements()),
            (Kernel::Rows, _) => Partition::rows(op.along().shape.rows(), threads),
            (Kernel::Chunks, _) => Partition::each(chunks(op.elements())),
            (Kernel::One, _) => Partition::ONE,
        };
        Work { what: What::Op(op.clone()), partition, columns }
    }

    /// The second stage of an op, if it has one.
    pub(super) fn total(op: &Op) -> Option<Work> {
        let reduces = op.form().kernel == Kernel::Chunks;
        reduces.then(|| Work { what: What::Total(op.clone()), partition: Partition::ONE, columns: false })
    }

    /// Packs `from` into `to`. A unit is a row, so the thread that has written a row can pack it.
    pub(super) fn pack(from: &View, to: &View, order: Order, threads: usize) -> Work {
        let partition = Partition::rows(from.shape.rows(), threads);
        Work { what: What::Pack { from: from.clone(), to: to.clone(), order }, partition, columns: false }
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

    /// What the work touches; the right side of a product is at [`RIGHT`]. It follows from what the op's form says
    /// about each operand.
    pub(super) fn touches(&self) -> Vec<Touch> {
        let units = self.partition.units.max(1);
        let along = |view: &View| Cover::Along(view.len() / units);
        let matrix = |c: &View| if self.columns { Cover::Whole } else { along(c) };
        match &self.what {
            What::Op(op) => {
                let form = op.form();
                let cover = |o: &Operand<View>| {
                    Some(match (form.kernel, o.reach) {
                        (Kernel::Chunks, Reach::Each) => Cover::Along(CHUNK),
                        (Kernel::Chunks, Reach::Parts) => Cover::Along(1),
                        // The second stage writes it.
                        (Kernel::Chunks, Reach::One) => return None,
                        (_, Reach::Each) => along(o.of),
                        (_, Reach::Row) if o.of.shape.rows() == self.partition.units => along(o.of),
                        (_, Reach::Row) => Cover::Whole,
                        (_, Reach::One | Reach::Clock | Reach::Parts | Reach::Whole) => Cover::Whole,
                        (_, Reach::Entry) => Cover::Anywhere(op.elements() / units),
                        (_, Reach::Matrix) => match op {
                            Op::Dense { x: rows, .. } | Op::DenseDx { dz: rows, .. } if std::ptr::eq(rows, o.of) => matrix(rows),
                            _ if o.role == Role::Read => Cover::Whole,
                            _ => matrix(o.of),
                        },
                    })
                };
                let touch = |o: Operand<View>| Some(Touch { view: o.of.clone(), cover: cover(&o)?, written: o.role != Role::Read });
                form.operands().filter_map(touch).collect()
            }
            What::Total(op) => {
                let operands = op.form().operands().filter(|o| matches!(o.reach, Reach::Parts | Reach::One));
                operands.map(|o| Touch { view: o.of.clone(), cover: Cover::Whole, written: o.reach == Reach::One }).collect()
            }
            What::Pack { from, to, .. } => vec![
                Touch { view: from.clone(), cover: along(from), written: false },
                Touch { view: to.clone(), cover: Cover::Whole, written: true },
            ],
            What::Packed(op, packed) => {
                let mut touches = Work { what: What::Op(op.clone()), ..*self }.touches();
                touches[RIGHT] = Touch { view: packed.clone(), cover: Cover::Whole, written: false };
                touches
            }
        }
    }

    /// Does some units. `Op::check` has proved shapes, types and bounds, and that no written operand overlaps another.
    pub(super) fn execute<'a>(&'a self, level: Level, s: &'a Slices, scratch: &mut [f32], units: Range<usize>) {
        if units.is_empty() {
            return;
        }
        let all = self.partition.units;
        // The elements of these units in a view that is divided along them.
        let of = |view: &View| {
            let width = view.len() / all;
            units.start * width..units.end * width
        };
        let chunks = |view: &View| units.start * CHUNK..(units.end * CHUNK).min(view.len());
        let matrix = |view: &View| if self.columns { 0..view.len() } else { of(view) };
        // An operand of an op that may work in place.
        let side = |side: &'a View, y: &View| (!side.identical(y)).then(|| s.read(side, of(side)));
        // The first row of the product that these units compute.
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
                product(
                    dense::dense(
                        s.read(x, matrix(x)),
                        Right::Strided(dense::turned(s.all(w), inputs)),
                        b.as_ref().map(|b| s.all(b)),
                        inputs,
                    ),
                    y,
                );
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
                    Op::Dense { x, b, y, .. } => {
                        product(dense::dense(s.read(x, matrix(x)), right, b.as_ref().map(|b| s.all(b)), x.shape.columns()), y)
                    }
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
            What::Op(Op::Rows { v, y }) => {
                let (v, y) = (s.all::<f32>(v), s.write(y, of(y)));
                y.chunks_exact_mut(v.len()).for_each(|row| copy::copy(v, row));
            }
            What::Op(Op::Cut { x, cut, k }) => cut::cut(level, s.read(x, of(x)), *k as usize, x.shape.columns(), s.write(cut, of(cut))),
            What::Op(Op::MergeTopk { x, clock, values, index }) => {
                let (columns, first) = ([x, values].map(|of| of.shape.columns()), s.all(clock)[0]);
                merge_topk::merge(level, s.read(x, of(x)), columns, first, s.write(values, of(values)), s.write(index, of(index)));
            }
            What::Op(Op::Xent { z, label, lse, loss }) => {
                let (z, columns) = (s.read(z, of(z)), z.shape.columns());
                xent::xent(level, z, columns, s.read(label, of(label)), s.write(lse, of(lse)), s.write(loss, of(loss)));
            }
            What::Op(Op::XentGrad { z, label, lse, dy, dz }) => {
                let (z, columns) = (s.read(z, of(z)), z.shape.columns());
                xent::grad(level, z, columns, s.read(label, of(label)), s.read(lse, of(lse)), s.read(dy, of(dy)), s.write(dz, of(dz)));
            }
            What::Op(Op::Select { x, cut, dy, dx }) => {
                let (columns, part) = (x.shape.columns(), of(x));
                // By rows, the cut begins with that of the first; by elements, with that of the whole.
                let (first, rows) = if cut.shape.rows() == all { (0, of(cut)) } else { (part.start, 0..cut.len()) };
                select::select(level, s.read(x, part), s.read(cut, rows), s.read(dy, of(dy)), s.write(dx, of(dx)), first, columns);
            }
            What::Op(Op::Idle { code, idle }) => idle::idle(level, s.all(code), idle.len(), units.start, s.write(idle, units)),
            What::Op(Op::Dead { x, idle, y, least, other }) => {
                let part = of(x);
                let first = part.start % idle.len();
                dead::dead(level, s.read(x, part), s.all(idle), s.write(y, of(y)), first, *least, *other);
            }
            What::Op(Op::Map { f, x, y }) => map::map(level, *f, s.read(x, of(x)), s.write(y, of(y))),
            What::Op(Op::MapGrad { f, x, dy, dx }) => {
                map::map_grad(level, *f, s.read(x, of(x)), s.read(dy, of(dy)), s.write(dx, of(dx)));
            }
            What::Op(Op::Zip { f, a, b, y }) => zip::zip(level, *f, side(a, y), side(b, y), s.write(y, of(y))),
            What::Op(Op::Axpy { a, b, y, factor }) => zip::axpy(level, *factor, side(a, y), side(b, y), s.write(y, of(y))),
            What::Op(Op::Clamp { x, y, lo, hi }) => map::clamp(level, [*lo, *hi], s.read(x, of(x)), s.write(y, of(y))),
            What::Op(Op::ClampGrad { x, dy, dx, lo, hi }) => {
                map::clamp_grad(level, [*lo, *hi], s.read(x, of(x)), s.read(dy, of(dy)), s.write(dx, of(dx)));
            }
            What::Op(Op::Reduce { f, x, other, parts, .. }) => {
                let x = s.read(x, chunks(x));
                let other = other.as_ref().map_or(x, |other| s.read(other, chunks(other)));
                reduce::chunks(level, *f, x, other, s.write(parts, units));
            }
            What::Total(Op::Reduce { parts, y, scale, .. }) => s.write::<f32>(y, 0..1)[0] = reduce::total(s.all(parts)) * scale,
            What::Op(Op::ReduceGrad { f, x, other, dy, dx, scale }) => {
                let factor = scale * s.all::<f32>(dy)[0];
                // Of two operands, or twice the only one.
                let [x, other] = [x.as_ref().or(other.as_ref()), other.as_ref().or(x.as_ref())]
                    .map(|view| view.map_or(&[][..], |view| s.read(view, of(view))));
                reduce::grad(level, *f, x, other, factor, s.write(dx, of(dx)));
            }
            What::Total(op) => unreachable!("{} has one stage", op.name()),
            What::Op(Op::Clip { x, square, y, most }) => {
                let factor = clip::factor(s.all::<f32>(square)[0], *most);
                match x.identical(y) {
                    true => scale::scale_self(level, s.write(y, of(y)), factor),
                    false => scale::scale(level, s.read(x, of(x)), s.write(y, of(y)), factor),
                }
            }
            What::Op(Op::Scale { x, y, factor }) if x.identical(y) => scale::scale_self(level, s.write(y, of(y)), *factor),
            What::Op(Op::Scale { x, y, factor }) => scale::scale(level, s.read(x, of(x)), s.write(y, of(y)), *factor),
            What::Op(Op::ScaleBy { x, table, clock, y, column }) => {
                let row = (s.all::<u32>(clock)[1] as usize).min(table.shape.rows() - 1);
                let factor = s.all::<f32>(table)[row * table.shape.columns() + *column as usize];
                scale::scale(level, s.read(x, of(x)), s.write(y, of(y)), factor);
            }
            What::Op(Op::Fill { y, value }) => fill::fill(s.write(y, of(y)), *value),
            What::Op(Op::Copy { x, y }) => copy::copy(s.read(x, of(x)), s.write(y, of(y))),
            What::Op(Op::Gather { data, order, clock, y }) => {
                let selection = gather::Selection { order: s.all(order), cursor: s.all(clock)[0], count: data.shape.rows() };
                let (first, columns) = (units.start, y.shape.columns());
                match data.dtype() {
                    Dtype::U8 => gather::gather_bytes(level, s.all(data), selection, first, columns, s.write(y, of(y))),
                    Dtype::F32 => gather::gather_words::<f32>(s.all(data), selection, first, columns, s.write(y, of(y))),
                    Dtype::U32 => gather::gather_words::<u32>(s.all(data), selection, first, columns, s.write(y, of(y))),
                }
            }
            What::Op(Op::Advance { clock, rows, period }) => advance::advance(s.write(clock, 0..2), *rows, *period),
            What::Op(Op::Store { x, clock, ring }) => {
                let (first, part) = (store::first(s.all(clock), ring.len(), x.len()), of(x));
                copy::copy(s.read(x, part.clone()), s.write(ring, first + part.start..first + part.end));
            }
            What::Op(Op::Uniform { clock, y, lo, range, stream }) => {
                let (part, draw) = (of(y), random::Draw { stream: *stream, step: s.all::<u32>(clock)[1] });
                random::uniform(level, s.write(y, part.clone()), part.start / FOUR, draw, *lo, *range);
            }
            What::Op(Op::Normal { clock, y, mean, std, stream }) => {
                let (part, draw) = (of(y), random::Draw { stream: *stream, step: s.all::<u32>(clock)[1] });
                random::normal(level, s.write(y, part.clone()), part.start / FOUR, draw, *mean, *std);
            }
            What::Op(Op::Mask { x, clock, y, keep, factor, stream }) => {
                let (part, draw) = (of(y), random::Draw { stream: *stream, step: s.all::<u32>(clock)[1] });
                random::mask(level, s.read(x, of(x)), s.write(y, part.clone()), part.start / FOUR, draw, *keep, *factor);
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
fn along(y: &View, threads: usize) -> Partition {
    let dims = y.shape.dims();
    match dims.len() > 1 && dims[0] >= threads && y.len() > 0 {
        true => Partition::rows(dims[0], threads),
        false => Partition::elements(y.len()),
    }
}
