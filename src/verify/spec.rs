//! The specification of a row's op: its sizes and scalars. [`Spec::op`] makes the engine's op of it.

use crate::device::View;
use crate::op::{AdamHyper, Op};

/// Which operands of an in-place op are one and the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Same {
    /// All apart.
    None,
    /// The result is the first operand.
    First,
    /// The result is the second operand.
    Second,
    /// Both operands are one, the result another.
    Operands,
    /// All are one.
    All,
}

/// An op without its views. `shape` where an op takes any shape.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Spec {
    /// {B, I, O}
    Dense([usize; 3]),
    DenseDx([usize; 3]),
    DenseDw([usize; 3]),
    /// {B, O}
    DenseDb([usize; 2]),
    Relu(Vec<usize>),
    ReluGrad(Vec<usize>),
    Sigmoid(Vec<usize>),
    SigmoidGrad(Vec<usize>),
    Tanh(Vec<usize>),
    TanhGrad(Vec<usize>),
    Mse(Vec<usize>, f32),
    MseGrad(Vec<usize>, f32),
    Bce(Vec<usize>, f32),
    BceGrad(Vec<usize>, f32),
    Sum(Vec<usize>),
    SquareSum(Vec<usize>),
    /// The largest norm, and the sum of squares.
    Clip(Vec<usize>, f32, f32, Same),
    Broadcast(Vec<usize>),
    Add(Vec<usize>, Same),
    Scale(Vec<usize>, f32, Same),
    Fill(Vec<usize>, f32),
    Copy(Vec<usize>),
    /// `row` are the dimensions of one row.
    Gather {
        items: usize,
        row: Vec<usize>,
        order: usize,
        batch: usize,
        cursor: u32,
        bytes: bool,
        beyond: bool,
    },
    Advance {
        clock: [u32; 2],
        rows: u32,
        period: u32,
    },
    /// So many entries of that shape.
    Store {
        entries: usize,
        shape: Vec<usize>,
        clock: [u32; 2],
    },
    Uniform {
        shape: Vec<usize>,
        lo: f32,
        range: f32,
        seed: u64,
        purpose: u32,
        clock: [u32; 2],
    },
    Adam {
        shape: Vec<usize>,
        steps: usize,
        clock: [u32; 2],
        hyper: AdamHyper,
    },
}

impl Spec {
    /// The name of the op, as the engine calls it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Spec::Dense(_) => "dense",
            Spec::DenseDx(_) => "dense_dx",
            Spec::DenseDw(_) => "dense_dw",
            Spec::DenseDb(_) => "dense_db",
            Spec::Relu(_) => "relu",
            Spec::ReluGrad(_) => "relu_grad",
            Spec::Sigmoid(_) => "sigmoid",
            Spec::SigmoidGrad(_) => "sigmoid_grad",
            Spec::Tanh(_) => "tanh",
            Spec::TanhGrad(_) => "tanh_grad",
            Spec::Mse(..) => "mse",
            Spec::MseGrad(..) => "mse_grad",
            Spec::Bce(..) => "bce",
            Spec::BceGrad(..) => "bce_grad",
            Spec::Sum(_) => "sum",
            Spec::SquareSum(_) => "square_sum",
            Spec::Clip(..) => "clip",
            Spec::Broadcast(_) => "broadcast",
            Spec::Add(..) => "add",
            Spec::Scale(..) => "scale",
            Spec::Fill(..) => "fill",
            Spec::Copy(_) => "copy",
            Spec::Gather { .. } => "gather",
            Spec::Advance { .. } => "advance",
            Spec::Store { .. } => "store",
            Spec::Uniform { .. } => "uniform",
            Spec::Adam { .. } => "adam",
        }
    }

    /// The op on views, which come in the order of the case's operands (see `case.rs`).
    pub(crate) fn op(&self, views: &[View]) -> Op {
        let v = |i: usize| views[i].clone();
        match *self {
            Spec::Dense(_) => Op::Dense { x: v(0), w: v(1), b: v(2), y: v(3) },
            Spec::DenseDx(_) => Op::DenseDx { dz: v(0), w: v(1), dx: v(2) },
            Spec::DenseDw(_) => Op::DenseDw { dz: v(0), x: v(1), dw: v(2) },
            Spec::DenseDb(_) => Op::DenseDb { dz: v(0), db: v(1) },
            Spec::Relu(_) => Op::Relu { x: v(0), y: v(1) },
            Spec::ReluGrad(_) => Op::ReluGrad { x: v(0), dy: v(1), dx: v(2) },
            Spec::Sigmoid(_) => Op::Sigmoid { x: v(0), y: v(1) },
            Spec::SigmoidGrad(_) => Op::SigmoidGrad { x: v(0), dy: v(1), dx: v(2) },
            Spec::Tanh(_) => Op::Tanh { x: v(0), y: v(1) },
            Spec::TanhGrad(_) => Op::TanhGrad { x: v(0), dy: v(1), dx: v(2) },
            Spec::Mse(_, scale) => Op::Mse { y: v(0), target: v(1), work: v(2), loss: v(3), scale },
            Spec::MseGrad(_, scale) => Op::MseGrad { y: v(0), target: v(1), dloss: v(2), dy: v(3), scale },
            Spec::Bce(_, scale) => Op::Bce { z: v(0), target: v(1), work: v(2), loss: v(3), scale },
            Spec::BceGrad(_, scale) => Op::BceGrad { z: v(0), target: v(1), dloss: v(2), dz: v(3), scale },
            Spec::Sum(_) => Op::Sum { x: v(0), work: v(1), y: v(2) },
            Spec::SquareSum(_) => Op::SquareSum { x: v(0), work: v(1), y: v(2) },
            Spec::Clip(_, most, _, same) => Op::Clip { x: v(0), square: v(1), y: v(if same == Same::None { 2 } else { 0 }), most },
            Spec::Broadcast(_) => Op::Broadcast { x: v(0), y: v(1) },
            Spec::Add(_, same) => {
                let [a, b, y] = match same {
                    Same::None => [0, 1, 2],
                    Same::First => [0, 1, 0],
                    Same::Second => [0, 1, 1],
                    Same::Operands => [0, 0, 1],
                    Same::All => [0, 0, 0],
                };
                Op::Add { a: v(a), b: v(b), y: v(y) }
            }
            Spec::Scale(_, factor, same) => Op::Scale { x: v(0), y: v(usize::from(same == Same::None)), factor },
            Spec::Fill(_, value) => Op::Fill { y: v(0), value },
            Spec::Copy(_) => Op::Copy { x: v(0), y: v(1) },
            Spec::Gather { .. } => Op::Gather { data: v(0), order: v(1), clock: v(2), y: v(3) },
            Spec::Advance { rows, period, .. } => Op::Advance { clock: v(0), rows, period },
            Spec::Store { .. } => Op::Store { x: v(0), clock: v(1), ring: v(2) },
            Spec::Uniform { lo, range, seed, purpose, .. } => Op::Uniform { clock: v(0), y: v(1), lo, range, seed, purpose },
            Spec::Adam { hyper, .. } => Op::Adam { p: v(0), g: v(1), m: v(2), v: v(3), table: v(4), clock: v(5), hyper },
        }
    }

    /// About how many elementary steps a naive device takes: what decides whether a slow device gets the row.
    pub(crate) fn work(&self) -> usize {
        let len = |shape: &[usize]| shape.iter().product::<usize>();
        match self {
            Spec::Dense(s) | Spec::DenseDx(s) | Spec::DenseDw(s) => len(s),
            Spec::DenseDb(s) => len(s),
            Spec::Relu(s)
            | Spec::ReluGrad(s)
            | Spec::Sigmoid(s)
            | Spec::SigmoidGrad(s)
            | Spec::Tanh(s)
            | Spec::TanhGrad(s)
            | Spec::Sum(s)
            | Spec::SquareSum(s) => len(s),
            Spec::Bce(s, _) | Spec::BceGrad(s, _) | Spec::Clip(s, ..) => len(s),
            Spec::Mse(s, _) | Spec::MseGrad(s, _) | Spec::Add(s, _) | Spec::Scale(s, ..) | Spec::Fill(s, _) => len(s),
            Spec::Broadcast(s) | Spec::Copy(s) | Spec::Uniform { shape: s, .. } | Spec::Adam { shape: s, .. } => len(s),
            Spec::Gather { row, batch, .. } => len(row) * batch,
            Spec::Store { shape, .. } => len(shape),
            Spec::Advance { .. } => 1,
        }
    }
}
