//! From an op to its launches, as plain data: the GPU and the stand-in execute the very same ones.

use crate::device::View;
use crate::op::{CHUNK, Op, chunks};
use crate::{Dtype, Shape};

/// One kernel to run: what `cuLaunchKernel` needs, but for addresses.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    /// The name of the kernel, as it stands in `kernels/*.cu`.
    pub(super) entry: &'static str,
    /// Blocks. Only the first dimension is used: it reaches to 2^31 - 1, the others to 65,535.
    pub(super) grid: u32,
    /// Threads of a block.
    pub(super) block: u32,
    /// In the order of the kernel's parameters.
    pub(super) args: Vec<Arg>,
}

/// An argument of a kernel.
#[derive(Clone, Debug)]
pub(super) enum Arg {
    /// The address of a view's first element. The clone keeps the buffer alive.
    Ptr(View),
    U32(u32),
    F32(f32),
}

/// The most arguments that a kernel takes.
pub(super) const MAX_ARGS: usize = 12;

impl Arg {
    /// As the stand-in's kernels spell their parameters.
    #[cfg(feature = "standin")]
    pub(super) fn letter(&self) -> u8 {
        match self {
            Arg::Ptr(_) => b'p',
            Arg::U32(_) => b'u',
            Arg::F32(_) => b'f',
        }
    }

    /// The argument in a slot of 8 bytes, whose first bytes the kernel reads.
    pub(super) fn slot(&self, address: impl Fn(&View) -> u64) -> u64 {
        let mut slot = [0; 8];
        match self {
            Arg::Ptr(view) => slot = address(view).to_ne_bytes(),
            Arg::U32(value) => slot[..4].copy_from_slice(&value.to_ne_bytes()),
            Arg::F32(value) => slot[..4].copy_from_slice(&value.to_ne_bytes()),
        }
        u64::from_ne_bytes(slot)
    }
}

/// Rows and columns of the result that one block of a dense kernel computes.
const TILE: usize = 64;
/// Threads of a block where nothing else is said.
const THREADS: usize = 256;
/// Threads of a block that sums columns: small, so that few columns still reach many multiprocessors.
const COLUMN_THREADS: usize = 64;

/// The launches of a checked op, in order. An op without results has none.
pub(super) fn plan(op: &Op) -> Vec<Launch> {
    match op {
        Op::Dense { x, w, b, y } => {
            let sizes = [x.shape.rows(), w.shape.columns(), w.shape.rows()];
            tiles("dense", &y.shape, [ptr(x), ptr(w), ptr(b), ptr(y)].into(), sizes)
        }
        Op::DenseDx { dz, w, dx } => {
            let sizes = [dz.shape.rows(), w.shape.columns(), w.shape.rows()];
            tiles("dense_dx", &dx.shape, [ptr(dz), ptr(w), ptr(dx)].into(), sizes)
        }
        Op::DenseDw { dz, x, dw } => {
            let sizes = [x.shape.rows(), x.shape.columns(), dz.shape.columns()];
            tiles("dense_dw", &dw.shape, [ptr(dz), ptr(x), ptr(dw)].into(), sizes)
        }
        Op::DenseDb { dz, db } => {
            let (rows, columns) = (dz.shape.rows(), dz.shape.columns());
            threads("dense_db", columns, COLUMN_THREADS, vec![ptr(dz), ptr(db), size(rows), size(columns)])
        }
        Op::Relu { x, y } => each("relu", y.len(), vec![ptr(x), ptr(y), size(y.len())]),
        Op::ReluGrad { x, dy, dx } => each("relu_grad", dx.len(), vec![ptr(x), ptr(dy), ptr(dx), size(dx.len())]),
        Op::Sigmoid { x, y } => each("sigmoid", y.len(), vec![ptr(x), ptr(y), size(y.len())]),
        Op::SigmoidGrad { x, dy, dx } => each("sigmoid_grad", dx.len(), vec![ptr(x), ptr(dy), ptr(dx), size(dx.len())]),
        // `tanh` is a function of C.
        Op::Tanh { x, y } => each("tanh_forward", y.len(), vec![ptr(x), ptr(y), size(y.len())]),
        Op::TanhGrad { x, dy, dx } => each("tanh_grad", dx.len(), vec![ptr(x), ptr(dy), ptr(dx), size(dx.len())]),
        Op::Mse { y, target, work, loss, scale } => vec![
            blocks("mse_chunks", chunks(y.len()), vec![ptr(y), ptr(target), ptr(work), size(y.len())]),
            blocks("mse_total", 1, vec![ptr(work), ptr(loss), size(work.len()), Arg::F32(*scale)]),
        ],
        Op::MseGrad { y, target, dloss, dy, scale } => {
            each("mse_grad", dy.len(), vec![ptr(y), ptr(target), ptr(dloss), ptr(dy), size(dy.len()), Arg::F32(*scale)])
        }
        Op::Bce { z, target, work, loss, scale } => vec![
            blocks("bce_chunks", chunks(z.len()), vec![ptr(z), ptr(target), ptr(work), size(z.len())]),
            blocks("bce_total", 1, vec![ptr(work), ptr(loss), size(work.len()), Arg::F32(*scale)]),
        ],
        Op::BceGrad { z, target, dloss, dz, scale } => {
            each("bce_grad", dz.len(), vec![ptr(z), ptr(target), ptr(dloss), ptr(dz), size(dz.len()), Arg::F32(*scale)])
        }
        Op::SquareSum { x, work, y } => vec![
            blocks("square_sum_chunks", chunks(x.len()), vec![ptr(x), ptr(work), size(x.len())]),
            blocks("square_sum_total", 1, vec![ptr(work), ptr(y), size(work.len())]),
        ],
        Op::Clip { x, square, y, most } => each("clip", y.len(), vec![ptr(x), ptr(square), ptr(y), size(y.len()), Arg::F32(*most)]),
        Op::Sum { x, work, y } => vec![
            blocks("sum_chunks", chunks(x.len()), vec![ptr(x), ptr(work), size(x.len())]),
            blocks("sum_total", 1, vec![ptr(work), ptr(y), size(work.len())]),
        ],
        Op::Broadcast { x, y } => each("broadcast", y.len(), vec![ptr(x), ptr(y), size(y.len())]),
        Op::Add { a, b, y } => each("add", y.len(), vec![ptr(a), ptr(b), ptr(y), size(y.len())]),
        Op::Scale { x, y, factor } => each("scale", y.len(), vec![ptr(x), ptr(y), size(y.len()), Arg::F32(*factor)]),
        Op::Fill { y, value } => each("fill", y.len(), vec![ptr(y), size(y.len()), Arg::F32(*value)]),
        Op::Copy { x, y } => each("copy", y.len(), vec![ptr(x), ptr(y), size(y.len())]),
        Op::Gather { data, order, clock, y } => {
            let entry = if data.dtype() == Dtype::U8 { "gather_u8" } else { "gather_f32" };
            let sizes = [y.shape.rows(), y.shape.columns(), order.len(), data.shape.rows()];
            let args = [ptr(data), ptr(order), ptr(clock), ptr(y)].into_iter().chain(sizes.map(size)).collect();
            each(entry, y.len(), args)
        }
        Op::Advance { clock, rows, period } => vec![one("advance", vec![ptr(clock), Arg::U32(*rows), Arg::U32(*period)])],
        Op::Store { x, clock, ring } => {
            let (n, args) = (x.len(), [x, clock, ring].map(ptr));
            each("store", n, args.into_iter().chain([n, ring.len() / n].map(size)).collect())
        }
        Op::Uniform { clock, y, lo, range, seed, purpose } => {
            let [low, high] = [*seed as u32, (*seed >> 32) as u32].map(Arg::U32);
            let args = vec![ptr(clock), ptr(y), size(y.len()), Arg::F32(*lo), Arg::F32(*range), low, high, Arg::U32(*purpose)];
            each("uniform", y.len().div_ceil(4), args)
        }
        Op::Adam { p, g, m, v, table, clock, hyper } => {
            let views = [p, g, m, v, table, clock].map(ptr);
            let numbers = [hyper.w1, hyper.beta2, hyper.w2, hyper.eps].map(Arg::F32);
            let sizes = [size(p.len()), size(table.shape.rows())];
            each("adam", p.len(), views.into_iter().chain(sizes).chain(numbers).collect())
        }
    }
}

fn ptr(view: &View) -> Arg {
    Arg::Ptr(view.clone())
}

/// A length or a dimension: a `Shape` proves that it is below 2^31.
fn size(n: usize) -> Arg {
    debug_assert!(n <= Shape::MAX_LEN);
    Arg::U32(n as u32)
}

/// A thread per element.
fn each(entry: &'static str, n: usize, args: Vec<Arg>) -> Vec<Launch> {
    threads(entry, n, THREADS, args)
}

fn threads(entry: &'static str, n: usize, block: usize, args: Vec<Arg>) -> Vec<Launch> {
    if n == 0 {
        return vec![];
    }
    vec![Launch { entry, grid: n.div_ceil(block) as u32, block: block as u32, args }]
}

fn blocks(entry: &'static str, n: usize, args: Vec<Arg>) -> Launch {
    debug_assert_eq!(CHUNK % THREADS, 0);
    Launch { entry, grid: n as u32, block: THREADS as u32, args }
}

fn one(entry: &'static str, args: Vec<Arg>) -> Launch {
    Launch { entry, grid: 1, block: 1, args }
}

/// A block per tile of the result.
fn tiles(entry: &'static str, result: &Shape, mut args: Vec<Arg>, sizes: [usize; 3]) -> Vec<Launch> {
    let n = result.rows().div_ceil(TILE) * result.columns().div_ceil(TILE);
    if n == 0 {
        return vec![];
    }
    args.extend(sizes.map(size));
    vec![blocks(entry, n, args)]
}
