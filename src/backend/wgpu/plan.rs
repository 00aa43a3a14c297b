//! From an op, or from a group of ops, to its launches, as plain data.

use super::product::{self, After, Tile};
use super::shader::{self, Shader};
use super::{chain, end};
use crate::device::View;
use crate::fuse::{Gradient, Group, Layer};
use crate::op::{CHUNK, FOUR, Kernel, Op, Operand, Reach, Word, chunks};
use crate::{Dtype, Result, Shape};
use std::sync::Arc;

/// What of a device plans depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// Whether the adapter is a program on a CPU.
    pub(super) software: bool,
    /// The most buffers of one launch.
    pub(super) buffers: usize,
    /// Tiles of a product that fill the device.
    pub(super) full: usize,
    /// The most terms that are not many.
    pub(super) few: usize,
}

/// One dispatch: which shader, on what.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    /// The op that it belongs to, the first of a group.
    pub(super) op: &'static str,
    pub(super) shader: Arc<Shader>,
    pub(super) operands: Vec<Bind>,
    /// The parameters that follow the operands' offsets, in the order of the shader's `Params`; floats as bits.
    pub(super) words: Vec<u32>,
    /// Workgroups in x and y.
    pub(super) grid: [u32; 2],
}

/// A buffer of a launch.
#[derive(Clone, Debug)]
pub(super) struct Bind {
    /// The operand's name.
    pub(super) name: &'static str,
    /// Its index in the shader's list of bindings.
    pub(super) index: usize,
    pub(super) view: View,
}

/// Elements that one launch covers at the most: 64 MiB of f32, so that any window of them fits the smallest binding
/// that WebGPU promises, 128 MiB. A multiple of [`CHUNK`] and of the four elements of a random block.
const PIECE: usize = 1 << 24;

/// The most gradients of one launch: each has a text of its own.
const GRADIENTS: usize = 6;

/// Workgroups that WebGPU promises per dimension.
const GROUPS: u64 = 65_535;

/// With fewer tiles a device has room for threads that share the terms. Adapters do not say how many multiprocessors
/// they have.
pub(super) const FULL: usize = 64;

/// `groups` workgroups over x and y, at most one row of x too many.
pub(super) fn fold(groups: usize) -> [u32; 2] {
    let groups = (groups as u64).max(1);
    let y = groups.div_ceil(GROUPS);
    [groups.div_ceil(y) as u32, y as u32]
}

/// The elements of a view from `start` on, `len` of them.
fn part(view: &View, start: usize, len: usize) -> Result<View> {
    Ok(View { buffer: view.buffer.clone(), offset: view.offset + start, shape: Shape::new(&[len])? })
}

/// Starts and lengths that cover `n` elements.
fn pieces(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).step_by(PIECE).map(move |start| (start, PIECE.min(n - start)))
}

/// The launches of an op, in order. An op without elements has none, except that a sum over nothing still writes its 0.
///
/// A shader binds the op's operands in the order of its form. Its parameters are an offset for each, the number of
/// elements of this launch and the number of the first, and the op's words.
pub(super) fn plan(op: &Op, facts: Facts) -> Result<Vec<Launch>> {
    let (form, n) = (op.form(), op.elements());
    let words: Vec<u32> = op.words().into_iter().map(bits).collect();
    // The operands that a stage binds, those that go along with the elements cut to a piece.
    let cut = |stage: &[Reach], (start, len): (usize, usize)| -> Result<Vec<Bind>> {
        let operands = form.operands().filter(|o| stage.contains(&o.reach)).enumerate();
        let bind = |(index, o): (usize, Operand<View>)| {
            let view = match o.reach {
                Reach::Each => part(o.of, start, len)?,
                Reach::Parts => part(o.of, start / CHUNK, chunks(len))?,
                _ => o.of.clone(),
            };
            Ok(Bind { name: o.name, index, view })
        };
        operands.map(bind).collect()
    };
    let launch = |shader: &str, operands, (start, len): (usize, usize), words: &[u32], groups| -> Launch {
        let words = [&[len as u32, start as u32], words].concat();
        Launch { op: form.name, shader: shader::find(shader), operands, words, grid: fold(groups) }
    };
    const ALL: &[Reach] = &[Reach::Each, Reach::One, Reach::Clock, Reach::Parts, Reach::Row, Reach::Whole, Reach::Entry, Reach::Matrix];
    match form.kernel {
        Kernel::Each | Kernel::Fours => {
            let each = if form.kernel == Kernel::Each { 1 } else { FOUR };
            // What is gathered may be of two types.
            let bytes = matches!(op, Op::Gather { data, .. } if data.dtype() == Dtype::U8);
            let shader = if bytes { "gather_bytes" } else { form.name };
            pieces(n).map(|piece| Ok(launch(shader, cut(ALL, piece)?, piece, &words, piece.1.div_ceil(each * 256)))).collect()
        }
        Kernel::Chunks => {
            let nothing = (n == 0).then_some((0, 0));
            let shader = format!("{}_chunks", form.name);
            let first = pieces(n)
                .chain(nothing)
                .map(|piece| Ok(launch(&shader, cut(&[Reach::Each, Reach::Parts], piece)?, piece, &[], chunks(piece.1))));
            let second = [(); 1].map(|()| {
                let operands = cut(&[Reach::Parts, Reach::One], (0, n))?;
                Ok(launch("total", operands, (0, chunks(n)), &words, 1))
            });
            first.chain(second).collect()
        }
        Kernel::Rows => {
            let (rows, columns) = (op.along().shape.rows(), op.along().shape.columns());
            let most = (PIECE / columns.max(1)).max(1);
            let piece = |start: usize| {
                let count = most.min(rows - start);
                let bind = |(index, o): (usize, Operand<View>)| {
                    let width = o.of.shape.columns();
                    let view = if o.reach == Reach::Row { part(o.of, start * width, count * width)? } else { o.of.clone() };
                    Ok(Bind { name: o.name, index, view })
                };
                let operands = form.operands().enumerate().map(bind).collect::<Result<_>>()?;
                Ok(launch(form.name, operands, (start, count), &words, count))
            };
            (0..rows).step_by(most).map(piece).collect()
        }
        Kernel::One => Ok(vec![launch(form.name, cut(ALL, (0, n))?, (0, 1), &words, 1)]),
        Kernel::Tiles => match op {
            Op::DenseDw { .. } => Ok(gradients(&[Gradient { dw: op.clone(), db: None, adam_w: None, adam_b: None }], facts)),
            Op::DenseDb { dz, db } => {
                let operands = vec![Bind { name: "dz", index: 0, view: dz.clone() }, Bind { name: "db", index: 1, view: db.clone() }];
                let columns = db.len();
                let launch = || launch("dense_db", operands, (0, columns), &words, columns.div_ceil(256));
                Ok((columns > 0).then(launch).into_iter().collect())
            }
            _ => layer(op, &[], facts),
        },
    }
}

/// The launches of a group, in order.
pub(super) fn plan_group(group: &Group, facts: Facts) -> Result<Vec<Launch>> {
    match group {
        Group::One(op) => plan(op, facts),
        Group::Layer(Layer { product, tail }) => layer(product, tail, facts),
        Group::Gradients(all) => Ok(gradients(all, facts)),
        Group::End { sums, stores, advance } => {
            let mut all = Vec::new();
            for sum in sums {
                // Its parts; the end adds them up.
                all.extend(plan(sum, facts)?);
                all.pop();
            }
            all.push(end::launch(sums, stores, advance));
            Ok(all)
        }
        Group::Chain(layers) => Ok(vec![chain::launch(layers)]),
    }
}

/// Whether there are launches for a group, each of which binds no more than the device can.
pub(super) fn takes(group: &Group, facts: Facts, fits: impl Fn(&Launch) -> bool) -> bool {
    let known = match group {
        Group::One(_) => false,
        // On a CPU a barrier costs more than a launch.
        Group::Chain(layers) => !facts.software && chain::takes(layers),
        Group::Layer(Layer { product, tail }) => tail.iter().all(|op| product::stage(op, product).is_some()),
        // The elements of each are one piece. Where there are no weights there may be a bias. On a CPU a launch costs
        // little, and the texts of several take long to compile.
        Group::Gradients(all) => {
            let together = all.len() == 1 || (!facts.software && all.len() <= GRADIENTS && common_tile(all, facts).is_some());
            together && all.iter().all(|one| (1..=PIECE).contains(&one.dw.result().len()))
        }
        Group::End { .. } => true,
    };
    known && plan_group(group, facts).is_ok_and(|launches| launches.iter().all(fits))
}

pub(super) fn bits(word: Word) -> u32 {
    match word {
        Word::U32(value) => value,
        Word::F32(value) => value.to_bits(),
    }
}

/// The tile for a result of this size whose sums have this many terms.
fn tile(size: [usize; 2], terms: usize, facts: Facts) -> Tile {
    match facts.software {
        true => Tile::SOFTWARE,
        false if terms > facts.few && Tile::SPLIT.groups(size) < facts.full => Tile::SPLIT,
        false => Tile::WHOLE,
    }
}

/// A launch of a product: `c[row, column] = sum_k a(row, k) b(column, k)`, with a stride of a per row and term, and of
/// b per column and term. None without results.
fn tiles(
    op: &'static str,
    after: &After,
    operands: Vec<View>,
    names: &[&'static str],
    words: ([usize; 3], [usize; 4], Vec<u32>),
    facts: Facts,
) -> Option<Launch> {
    let (size, stride, more) = words;
    let [rows, columns, terms] = size;
    let tile = tile([rows, columns], terms, facts);
    let operands = names.iter().zip(operands).enumerate().map(|(index, (name, view))| Bind { name, index, view }).collect();
    let words = size.iter().chain(&stride).map(|&n| n as u32).chain(more).collect();
    let groups = tile.groups([rows, columns]);
    (rows * columns > 0).then(|| Launch { op, shader: product::shader(after, tile), operands, words, grid: fold(groups) })
}

/// A product of rows and the functions that follow it, in pieces of rows.
fn layer(product: &Op, tail: &[Op], facts: Facts) -> Result<Vec<Launch>> {
    let ((an, a), (bn, b), bias, (cn, c), stride) = match product {
        Op::Dense { x, w, b, y } => {
            let inputs = w.shape.columns();
            (("x", x), ("w", w), b.as_ref(), ("y", y), [inputs, 1, inputs, 1])
        }
        Op::DenseDx { dz, w, dx } => {
            let (inputs, outputs) = (w.shape.columns(), w.shape.rows());
            (("dz", dz), ("w", w), None, ("dx", dx), [outputs, 1, 1, inputs])
        }
        op => unreachable!("{} is no product of rows", op.name()),
    };
    let (rows, terms, columns) = (a.shape.rows(), a.shape.columns(), c.shape.columns());
    let stages = tail.iter().filter_map(|op| product::stage(op, product)).collect();
    let after = After::Layer { bias: bias.is_some(), stages };
    let most = (PIECE / usize::max(columns, terms).max(1) / 64).max(1) * 64;
    let mut launches = Vec::new();
    for row in (0..rows).step_by(most) {
        let rows = most.min(rows - row);
        let of_rows = |view: &View, width: usize| part(view, row * width, rows * width);
        let (mut names, mut operands) = (vec![an, bn], vec![of_rows(a, terms)?, b.clone()]);
        let mut bind = |name, view| {
            names.push(name);
            operands.push(view);
        };
        bias.iter().for_each(|bias| bind("b", (*bias).clone()));
        bind(cn, of_rows(c, columns)?);
        let mut scales = Vec::new();
        for op in tail {
            match op {
                Op::MapGrad { x, .. } if !x.identical(product.result()) => bind("x", of_rows(x, columns)?),
                Op::ReduceGrad { other, dy, scale, .. } => {
                    if let Some(other) = other {
                        bind("target", of_rows(other, columns)?);
                    }
                    bind("dy", dy.clone());
                    scales.push(scale.to_bits());
                }
                _ => {}
            }
            bind("y", of_rows(op.result(), columns)?);
        }
        launches.extend(tiles(product.name(), &after, operands, &names, ([rows, columns, terms], stride, scales), facts));
    }
    Ok(launches)
}

/// The gradients of dense layers' weights and biases and their updates, as far as there are such.
fn gradients(all: &[Gradient], facts: Facts) -> Vec<Launch> {
    let (mut names, mut operands, mut words, mut groups) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let mut bind = |name, view: &View| operands.push(Bind { name, index: operands.len(), view: view.clone() });
    let Some(tile) = common_tile(all, facts) else { unreachable!("gradients that the device takes") };
    for gradient in all {
        let Gradient { dw: Op::DenseDw { dz, x, dw }, db, adam_w, adam_b } = gradient else { unreachable!("a gradient of weights") };
        let (rows, inputs, outputs) = (x.shape.rows(), x.shape.columns(), dz.shape.columns());
        names.push(After::Gradient { db: db.is_some(), adam_w: adam_w.is_some(), adam_b: adam_b.is_some() });
        [("dz", dz), ("x", x), ("dw", dw)].into_iter().for_each(|(name, view)| bind(name, view));
        db.iter().for_each(|db| bind("db", db.result()));
        for adam in [adam_w, adam_b].into_iter().flatten() {
            if let Op::Adam { p, m, v, .. } = adam {
                [("p", p), ("m", m), ("v", v)].into_iter().for_each(|(name, view)| bind(name, view));
            }
        }
        words.extend([outputs, inputs, rows, 1, outputs, 1, inputs].map(|n| n as u32));
        let tiles = if inputs * outputs > 0 { tile.groups([outputs, inputs]) } else { 0 };
        if all.len() > 1 {
            words.push(tiles as u32);
        }
        groups += tiles;
    }
    if let Some(adam @ Op::Adam { table, clock, .. }) = all.iter().flat_map(|one| [&one.adam_w, &one.adam_b]).flatten().next() {
        bind("table", table);
        bind("clock", clock);
        words.extend(adam.words().into_iter().map(bits));
    }
    let shader = if let [one] = &names[..] { product::shader(one, tile) } else { product::together(&names, tile) };
    let launch = Launch { op: all[0].dw.name(), shader, operands, words, grid: fold(groups) };
    (groups > 0).then_some(launch).into_iter().collect()
}

/// The tile that all of these gradients have. None where they differ.
fn common_tile(all: &[Gradient], facts: Facts) -> Option<Tile> {
    let tile = |one: &Gradient| {
        let Op::DenseDw { dz, dw, .. } = &one.dw else { unreachable!("a gradient of weights") };
        tile([dw.shape.rows(), dw.shape.columns()], dz.shape.rows(), facts)
    };
    let first = tile(all.first()?);
    all.iter().all(|one| tile(one) == first).then_some(first)
}
