//! From an op to its launches, as plain data.

use crate::device::View;
use crate::op::{AdamHyper, CHUNK, Op, chunks};
use crate::{Dtype, Result, Shape};

/// One dispatch: which entry point of which shader, on what.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    /// The op that it belongs to.
    pub(super) op: &'static str,
    /// The shader's file, without `.wgsl`.
    pub(super) shader: &'static str,
    pub(super) entry: &'static str,
    /// The edge of a workgroup, for the shader that takes one.
    pub(super) side: Option<u32>,
    /// The buffers, under their names in the shader.
    pub(super) operands: Vec<(&'static str, View)>,
    /// The parameters that follow the operands' offsets, in the order of the shader's `Params`; floats as bits.
    pub(super) words: Vec<u32>,
    /// Workgroups in x and y.
    pub(super) grid: [u32; 2],
}

/// Elements that one launch covers at the most: 64 MiB of f32, so that any window of them fits the smallest binding that WebGPU promises, 128 MiB.
/// A multiple of [`CHUNK`] and of the four elements of a random block.
const PIECE: usize = 1 << 24;

/// Workgroups that WebGPU promises per dimension.
const GROUPS: u64 = 65_535;

/// From this many tiles of 64 x 64 on, a product is cut into them, else into tiles of 32 x 32: a device must be full before a large tile pays.
const LARGE_TILES: usize = 64;

impl Launch {
    /// A launch of `groups` workgroups.
    fn new(
        op: &'static str,
        shader: &'static str,
        entry: &'static str,
        operands: &[(&'static str, &View)],
        words: &[u32],
        groups: usize,
    ) -> Launch {
        let operands = operands.iter().map(|&(name, view)| (name, view.clone())).collect();
        Launch { op, shader, entry, side: None, operands, words: words.to_vec(), grid: fold(groups) }
    }
}

/// `groups` workgroups over x and y, at most one row of x too many.
fn fold(groups: usize) -> [u32; 2] {
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

/// One thread per element, over pieces. The first parameter is the number of elements, then come `words`.
fn elementwise(
    op: &'static str,
    shader: &'static str,
    operands: &[(&'static str, &View)],
    whole: &[(&'static str, &View)],
    words: &[u32],
) -> Result<Vec<Launch>> {
    let n = operands[0].1.len();
    let mut launches = Vec::new();
    for (start, len) in pieces(n) {
        let parts = operands.iter().map(|(name, view)| Ok((*name, part(view, start, len)?))).collect::<Result<Vec<_>>>()?;
        let mut all: Vec<_> = parts.iter().map(|(name, view)| (*name, view)).collect();
        all.extend_from_slice(whole);
        let words = [&[len as u32], words].concat();
        launches.push(Launch::new(op, shader, op, &all, &words, len.div_ceil(256)));
    }
    Ok(launches)
}

/// The launches of an op, in order. An op without elements has none, except that a sum over nothing still writes its 0.
pub(super) fn plan(op: &Op) -> Result<Vec<Launch>> {
    let name = op.name();
    match op {
        Op::Dense { x, w, b, y } => {
            let (inputs, outputs) = (w.shape.columns(), w.shape.rows());
            let b = ("bias", b);
            rows_of_product(name, [x, w, y], Some(b), [x.shape.rows(), outputs, inputs], [inputs, 1, inputs, 1])
        }
        Op::DenseDx { dz, w, dx } => {
            let (inputs, outputs) = (w.shape.columns(), w.shape.rows());
            rows_of_product(name, [dz, w, dx], None, [dz.shape.rows(), inputs, outputs], [outputs, 1, 1, inputs])
        }
        Op::DenseDw { dz, x, dw } => {
            let (inputs, outputs) = (x.shape.columns(), dz.shape.columns());
            Ok(product(name, [dz, x, dw], None, [outputs, inputs, dz.shape.rows()], [1, outputs, 1, inputs]))
        }
        Op::DenseDb { dz, db } => {
            let (terms, columns) = (dz.shape.rows(), db.len());
            let words = [0, columns as u32, terms as u32, 0, 0, 0, 0];
            let launch = Launch::new(name, "dense", name, &[("a", dz), ("c", db)], &words, columns.div_ceil(64));
            Ok(if columns == 0 { vec![] } else { vec![Launch { side: Some(8), ..launch }] })
        }
        Op::Relu { x, y } => elementwise(name, "relu", &[("x", x), ("y", y)], &[], &[]),
        Op::ReluGrad { x, dy, dx } => elementwise(name, "relu", &[("x", x), ("dy", dy), ("dx", dx)], &[], &[]),
        Op::Sigmoid { x, y } => elementwise(name, "sigmoid", &[("x", x), ("y", y)], &[], &[]),
        Op::SigmoidGrad { x, dy, dx } => elementwise(name, "sigmoid", &[("x", x), ("dy", dy), ("dx", dx)], &[], &[]),
        // `tanh` is a word of WGSL.
        Op::Tanh { x, y } => elementwise("tanh_forward", "tanh", &[("x", x), ("y", y)], &[], &[]),
        Op::TanhGrad { x, dy, dx } => elementwise(name, "tanh", &[("x", x), ("dy", dy), ("dx", dx)], &[], &[]),
        Op::Mse { y, target, work, loss, scale } => mean("mse", "mse_chunks", "mse_total", ("y", y), [target, work, loss], *scale),
        Op::MseGrad { y, target, dloss, dy, scale } => {
            elementwise(name, "mse", &[("y", y), ("target_", target), ("dy", dy)], &[("dloss", dloss)], &[scale.to_bits()])
        }
        Op::Bce { z, target, work, loss, scale } => mean("bce", "bce_chunks", "bce_total", ("z", z), [target, work, loss], *scale),
        Op::BceGrad { z, target, dloss, dz, scale } => {
            elementwise(name, "bce", &[("z", z), ("target_", target), ("dz", dz)], &[("dloss", dloss)], &[scale.to_bits()])
        }
        Op::Sum { x, work, y } => total(name, "sum", ["sum_chunks", "sum_total"], [x, work, y], &[]),
        // The parameters end with the largest norm, which the sum does not use.
        Op::SquareSum { x, work, y } => total(name, "clip", ["square_sum_chunks", "square_sum_total"], [x, work, y], &[0]),
        Op::Clip { x, square, y, most } => elementwise(name, "clip", &[("x", x), ("y", y)], &[("square", square)], &[most.to_bits()]),
        Op::Broadcast { x, y } => elementwise(name, "sum", &[("y", y)], &[("x", x)], &[]),
        Op::Add { a, b, y } => elementwise(name, "add", &[("a", a), ("b", b), ("y", y)], &[], &[]),
        Op::Scale { x, y, factor } => elementwise(name, "scale", &[("x", x), ("y", y)], &[], &[factor.to_bits()]),
        Op::Fill { y, value } => elementwise(name, "fill", &[("y", y)], &[], &[value.to_bits()]),
        Op::Copy { x, y } => elementwise(name, "copy", &[("x", x), ("y", y)], &[], &[]),
        Op::Gather { data, order, clock, y } => gather(name, [data, order, clock, y]),
        Op::Advance { clock, rows, period } => Ok(vec![Launch::new(name, "advance", name, &[("clock", clock)], &[*rows, *period], 1)]),
        Op::Store { x, clock, ring } => store(name, [x, clock, ring]),
        Op::Uniform { clock, y, lo, range, seed, purpose } => {
            let mut launches = Vec::new();
            for (start, len) in pieces(y.len()) {
                let y = part(y, start, len)?;
                let words = [len as u32, (start / 4) as u32, lo.to_bits(), range.to_bits(), *seed as u32, (seed >> 32) as u32, *purpose];
                // `uniform` is a word of WGSL.
                launches.push(Launch::new(name, "uniform", "uniform_", &[("clock", clock), ("y", &y)], &words, len.div_ceil(4 * 256)));
            }
            Ok(launches)
        }
        Op::Adam { p, g, m, v, table, clock, hyper } => {
            let AdamHyper { w1, beta2, w2, eps } = *hyper;
            let words = [table.shape.rows() as u32, w1.to_bits(), beta2.to_bits(), w2.to_bits(), eps.to_bits()];
            elementwise(name, "adam", &[("p", p), ("g", g), ("m", m), ("v", v)], &[("table", table), ("clock", clock)], &words)
        }
    }
}

/// Both stages of a mean over pairs.
fn mean(
    op: &'static str,
    first: &'static str,
    second: &'static str,
    (name, y): (&'static str, &View),
    [target, work, loss]: [&View; 3],
    scale: f32,
) -> Result<Vec<Launch>> {
    let mut launches = Vec::new();
    for (start, len) in pieces(y.len()) {
        let (y, target, work) = (part(y, start, len)?, part(target, start, len)?, part(work, start / CHUNK, chunks(len))?);
        launches.push(Launch::new(op, op, first, &[(name, &y), ("target_", &target), ("work", &work)], &[len as u32, 0], chunks(len)));
    }
    let words = [chunks(y.len()) as u32, scale.to_bits()];
    launches.push(Launch::new(op, op, second, &[("work", work), ("loss", loss)], &words, 1));
    Ok(launches)
}

/// Both stages of a sum; that of nothing is written too.
fn total(
    op: &'static str,
    shader: &'static str,
    [first, second]: [&'static str; 2],
    [x, work, y]: [&View; 3],
    more: &[u32],
) -> Result<Vec<Launch>> {
    let mut launches = Vec::new();
    let nothing = (x.len() == 0).then_some((0, 0));
    for (start, len) in pieces(x.len()).chain(nothing) {
        let (x, work) = (part(x, start, len)?, part(work, start / CHUNK, chunks(len))?);
        launches.push(Launch::new(op, shader, first, &[("x", &x), ("work", &work)], &[&[len as u32], more].concat(), chunks(len)));
    }
    launches.push(Launch::new(op, shader, second, &[("work", work), ("y", y)], &[&[chunks(x.len()) as u32], more].concat(), 1));
    Ok(launches)
}

fn gather(name: &'static str, [data, order, clock, y]: [&View; 4]) -> Result<Vec<Launch>> {
    let entry = if data.dtype() == Dtype::U8 { "gather_bytes" } else { "gather" };
    let mut launches = Vec::new();
    for (start, len) in pieces(y.len()) {
        let y = part(y, start, len)?;
        let words = [len, start, data.shape.columns(), data.shape.rows(), order.len()].map(|n| n as u32);
        let operands = [("data", data), ("order", order), ("clock", clock), ("y", &y)];
        launches.push(Launch::new(name, "gather", entry, &operands, &words, len.div_ceil(256)));
    }
    Ok(launches)
}

fn store(name: &'static str, [x, clock, ring]: [&View; 3]) -> Result<Vec<Launch>> {
    let mut launches = Vec::new();
    for (start, len) in pieces(x.len()) {
        let piece = part(x, start, len)?;
        let words = [len, start, x.len(), ring.len() / x.len()].map(|n| n as u32);
        let operands = [("x", &piece), ("clock", clock), ("ring", ring)];
        launches.push(Launch::new(name, "store", name, &operands, &words, len.div_ceil(256)));
    }
    Ok(launches)
}

/// `c[row, column] = sum_k a(row, k) b(column, k)`, sizes rows, columns and terms, strides of a per row and term and of b per column and term.
fn product(
    op: &'static str,
    [a, b, c]: [&View; 3],
    bias: Option<(&'static str, &View)>,
    size: [usize; 3],
    stride: [usize; 4],
) -> Vec<Launch> {
    let [rows, columns, _] = size;
    if rows * columns == 0 {
        return vec![];
    }
    let tiles = |edge: usize| rows.div_ceil(edge) * columns.div_ceil(edge);
    let side = if tiles(64) >= LARGE_TILES { 16 } else { 8 };
    let words: Vec<u32> = size.iter().chain(&stride).map(|&n| n as u32).collect();
    let operands: Vec<_> = [("a", a), ("b", b), ("c", c)].into_iter().chain(bias).collect();
    vec![Launch { side: Some(side), ..Launch::new(op, "dense", op, &operands, &words, tiles(4 * side as usize)) }]
}

/// A product whose a and c are row-major, cut into pieces of rows.
fn rows_of_product(
    op: &'static str,
    [a, b, c]: [&View; 3],
    bias: Option<(&'static str, &View)>,
    size: [usize; 3],
    stride: [usize; 4],
) -> Result<Vec<Launch>> {
    let [rows, columns, terms] = size;
    let most = (PIECE / columns.max(terms).max(1) / 64).max(1) * 64;
    let mut launches = Vec::new();
    for row in (0..rows).step_by(most) {
        let rows = most.min(rows - row);
        let (a, c) = (part(a, row * terms, rows * terms)?, part(c, row * columns, rows * columns)?);
        launches.extend(product(op, [&a, b, &c], bias, [rows, columns, terms], stride));
    }
    Ok(launches)
}
