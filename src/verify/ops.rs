//! The ops by family: their rows, the data of a row, the expected results and their bounds.

mod adam;
mod choose;
mod dense;
mod elementwise;
mod map;
mod moves;
mod random;
mod reduce;
mod xent;

use super::case::Made;
use super::row::{self, Collector, Given, Row};
use crate::op::{AdamHyper, Map, Op, Stream, Term, Zip};
use crate::{Dtype, Result, Shape};

/// The rows of all ops, in the order of the instruction set.
pub(crate) fn rows(rows: &mut Collector) {
    dense::rows(rows);
    map::rows(rows);
    elementwise::rows(rows);
    reduce::rows(rows);
    xent::rows(rows);
    moves::rows(rows);
    random::rows(rows);
    choose::rows(rows);
    adam::rows(rows);
}

/// The data of a row, and the expected results.
pub(crate) fn make(row: &Row) -> Made {
    match &row.op {
        Op::Dense { .. } | Op::DenseDx { .. } | Op::DenseDw { .. } | Op::DenseDb { .. } | Op::Rows { .. } => dense::make(row),
        Op::Map { f, x, .. } => map::make(*f, x, row),
        Op::MapGrad { f, x, .. } => map::make_grad(*f, x, row),
        Op::Zip { .. }
        | Op::Axpy { .. }
        | Op::Clamp { .. }
        | Op::ClampGrad { .. }
        | Op::Clip { .. }
        | Op::Scale { .. }
        | Op::ScaleBy { .. }
        | Op::Fill { .. }
        | Op::Copy { .. } => elementwise::make(row),
        Op::Reduce { f, x, scale, .. } => reduce::make(*f, x, *scale, row),
        Op::ReduceGrad { f, dx, scale, .. } => reduce::make_grad(*f, dx, *scale, row),
        Op::Xent { .. } | Op::XentGrad { .. } => xent::make(row),
        Op::Gather { .. } | Op::Advance { .. } | Op::Store { .. } => moves::make(row),
        Op::Uniform { .. } | Op::Normal { .. } | Op::Mask { .. } => random::make(row),
        Op::Cut { .. } | Op::MergeTopk { .. } | Op::Select { .. } | Op::Idle { .. } | Op::Dead { .. } => choose::make(row),
        Op::Adam { table, hyper, .. } => adam::make(table, *hyper, row),
    }
}

/// The ops that can be timed, each with the sizes of the article's network.
pub(crate) fn sizes() -> Vec<(&'static str, Vec<usize>)> {
    [
        dense::sizes(),
        map::sizes(),
        elementwise::sizes(),
        reduce::sizes(),
        xent::sizes(),
        moves::sizes(),
        random::sizes(),
        choose::sizes(),
        adam::sizes(),
    ]
    .concat()
}

/// The op of that name at those sizes, as in the article's training; `None` if it takes another number of sizes.
pub(crate) fn sized(name: &str, dims: &[usize]) -> Result<Option<(Op<Shape>, Given)>> {
    let columns = dims.last().copied().unwrap_or(0);
    let given = Given { square: dims.iter().product::<usize>() as f32, data: Dtype::U8, taken: choose::some(columns), ..Given::default() };
    // Each operand must be a shape.
    let operands = match (name, dims) {
        ("dense" | "dense_dx" | "dense_dw", &[b, i, o]) => vec![[b, i], [o, i], [b, o]],
        ("gather", &[items, row, batch]) => vec![[items, row], [batch, row]],
        ("dense_db" | "rows" | "cut" | "merge_topk" | "select" | "idle" | "dead" | "xent" | "xent_grad", &[b, o]) => vec![[b, o]],
        _ => vec![],
    };
    operands.iter().try_for_each(|dims| Shape::new(dims).map(drop))?;
    let op = match (name, dims) {
        ("dense", &[b, i, o]) => dense::dense([b, i, o]),
        ("dense_dx", &[b, i, o]) => dense::dense_dx([b, i, o]),
        ("dense_dw", &[b, i, o]) => dense::dense_dw([b, i, o]),
        ("dense_db", &[b, o]) => dense::dense_db([b, o]),
        ("rows", &[b, o]) => dense::repeated([b, o]),
        ("cut", &[b, o]) => choose::cut([b, o], choose::some(o)),
        ("merge_topk", &[b, o]) => choose::merge_topk([b, o], choose::some(o)),
        ("select", &[b, o]) => choose::select([b, o]),
        ("idle", &[b, o]) => choose::idle([b, o]),
        ("dead", &[b, o]) => choose::dead([b, o], 1000.0, 0.0),
        ("xent", &[b, c]) => xent::xent([b, c]),
        ("xent_grad", &[b, c]) => xent::xent_grad([b, c]),
        ("gather", &[items, row, batch]) => moves::gather(items, &[row], items, batch),
        ("advance", _) => moves::advance(3, 9),
        ("store", _) => moves::store(2, Shape::new(dims)?),
        (
            "dense" | "dense_dx" | "dense_dw" | "dense_db" | "rows" | "cut" | "merge_topk" | "select" | "idle" | "dead" | "xent"
            | "xent_grad" | "gather",
            _,
        ) => return Ok(None),
        _ => elements(name, Shape::new(dims)?),
    };
    Ok(Some((op, given)))
}

/// An op that takes any shape.
fn elements(name: &str, s: Shape) -> Op<Shape> {
    // 1/n, as for the mean over n elements; a step in mid-training.
    let (clock, stream, mean) = (row::shape(&[2]), Stream { seed: 1, purpose: 2 }, 1.0 / s.len() as f32);
    let of = |names: [&str; 2]| names.iter().position(|n| *n == name);
    let maps = Map::ALL.into_iter().find_map(|f| of(f.names()).map(|at| [map::map, map::map_grad][at](f, s)));
    let reduced = Term::ALL.into_iter().find_map(|f| of(f.names()).map(|at| [reduce::reduce, reduce::reduce_grad][at](f, s, mean)));
    let zips = Zip::ALL.into_iter().find(|f| f.name() == name).map(|f| elementwise::zip(f, s));
    maps.or(reduced).or(zips).unwrap_or_else(|| match name {
        "axpy" => elementwise::axpy(s, 0.5),
        "clamp" => elementwise::clamp(s, [0.0, 1.0]),
        "clamp_grad" => elementwise::clamp_grad(s, [0.0, 1.0]),
        "clip" => elementwise::clip(s, 1.0),
        "scale" => Op::Scale { x: s, y: s, factor: 0.5 },
        "scale_by" => elementwise::scale_by(s, [2, 2], 0),
        "fill" => Op::Fill { y: s, value: 1.0 },
        "copy" => Op::Copy { x: s, y: s },
        "uniform" => Op::Uniform { clock, y: s, lo: 0.0, range: 1.0, stream },
        "normal" => Op::Normal { clock, y: s, mean: 0.0, std: 1.0, stream },
        "mask" => Op::Mask { x: s, clock, y: s, keep: 1 << 23, factor: 2.0, stream },
        "adam" => adam::adam(s, 1, AdamHyper { w1: 0.1, beta2: 0.999, w2: 0.001, eps: 1e-8 }),
        _ => unreachable!("{name} is not in `sizes`"),
    })
}
