//! THE INSTRUCTION SET. An op is plain data: the views it reads, the views it writes, its few scalars.
//!
//! What each op computes, down to the order of its roundings, is the text of `docs/numerics.md`. The shapes stand here.
//! B batch, I inputs, O outputs, N elements of any shape.

use crate::device::View;
use crate::{Dtype, Error, Result};

#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// `y[r, o] = sum_i x[r, i] w[o, i] + b[o]`: x [B, I], w [O, I], b [O], y [B, O].
    Dense { x: View, w: View, b: View, y: View },
    /// `dx[r, i] = sum_o dz[r, o] w[o, i]`: dz [B, O], w [O, I], dx [B, I].
    DenseDx { dz: View, w: View, dx: View },
    /// `dw[o, i] = sum_r dz[r, o] x[r, i]`: dz [B, O], x [B, I], dw [O, I].
    DenseDw { dz: View, x: View, dw: View },
    /// `db[o] = sum_r dz[r, o]`: dz [B, O], db [O].
    DenseDb { dz: View, db: View },
    /// `y = max(x, 0)`, NaN kept. N each.
    Relu { x: View, y: View },
    /// `dx = x <= 0 ? 0 : dy`. N each.
    ReluGrad { x: View, dy: View, dx: View },
    /// `y = 1 / (1 + exp(-x))`. N each.
    Sigmoid { x: View, y: View },
    /// `dx = dy e / (1 + e)^2`, e = exp(-|x|). N each.
    SigmoidGrad { x: View, dy: View, dx: View },
    /// `y = tanh(x)`. N each.
    Tanh { x: View, y: View },
    /// `dx = dy (1 - tanh(x)^2)`. N each.
    TanhGrad { x: View, dy: View, dx: View },
    /// `loss = scale * sum (y - target)^2`: y, target N; work [chunks(N)], loss [1].
    Mse { y: View, target: View, work: View, loss: View, scale: f32 },
    /// `dy = scale * dloss * (y - target)`: y, target, dy N; dloss [1].
    MseGrad { y: View, target: View, dloss: View, dy: View, scale: f32 },
    /// `loss = scale * sum max(z, 0) - z target + log1p(exp(-|z|))`: z, target N; work [chunks(N)], loss [1].
    Bce { z: View, target: View, work: View, loss: View, scale: f32 },
    /// `dz = scale * dloss * (sigmoid(z) - target)`: z, target, dz N; dloss [1].
    BceGrad { z: View, target: View, dloss: View, dz: View, scale: f32 },
    /// `y = sum x`: x N, work [chunks(N)], y [1].
    Sum { x: View, work: View, y: View },
    /// `y = sum x^2`: x N, work [chunks(N)], y [1].
    SquareSum { x: View, work: View, y: View },
    /// `y = x * min(1, most / (sqrt(square) + 1e-6))`: x, y N; square [1]. y may be x.
    Clip { x: View, square: View, y: View, most: f32 },
    /// `y[i] = x[0]`: x [1], y N.
    Broadcast { x: View, y: View },
    /// `y = a + b`, N each. y may be a or b.
    Add { a: View, b: View, y: View },
    /// `y = x * factor`, N each. y may be x.
    Scale { x: View, y: View, factor: f32 },
    /// `y[i] = value`.
    Fill { y: View, value: f32 },
    /// `y = x`, N each.
    Copy { x: View, y: View },
    /// `y[r, c] = data[order[(cursor + r) mod M], c]`: data [N, C] of f32 or u8, order [M] of u32, clock [2] of u32, y [B, C]; cursor is clock[0].
    Gather { data: View, order: View, clock: View, y: View },
    /// `clock[0] = (clock[0] + rows) mod period`, `clock[1] += 1`: clock [2] of u32, the cursor and the step.
    Advance { clock: View, rows: u32, period: u32 },
    /// `ring[clock[1] mod T, i] = x[i]`: x N, at least 1; clock [2]; ring of T N elements, T at least 1.
    Store { x: View, clock: View, ring: View },
    /// `y[i]` uniform from lo to lo + range, a function of (seed, purpose, clock[1], i): clock [2], y N.
    Uniform { clock: View, y: View, lo: f32, range: f32, seed: u64, purpose: u32 },
    /// One step of Adam: p, g, m, v N each; table [T, 4] with {learning rate, 1/(1-beta1^t), 1/sqrt(1-beta2^t), what weight decay leaves} per step; clock [2].
    Adam { p: View, g: View, m: View, v: View, table: View, clock: View, hyper: AdamHyper },
}

/// The scalars of [`Op::Adam`]. `w1 = 1 - beta1` and `w2 = 1 - beta2` are rounded from f64.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AdamHyper {
    pub(crate) w1: f32,
    pub(crate) beta2: f32,
    pub(crate) w2: f32,
    pub(crate) eps: f32,
}

/// What an op costs at the least: floating-point operations (an fma is two) and bytes that must move once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes read and written.
    pub bytes: u64,
}

/// Elements that one chunk of a reduction covers.
pub(crate) const CHUNK: usize = 4096;
/// Lanes of a reduction.
pub(crate) const LANES: usize = 256;
/// Terms of a dense sum that are added before they join the total.
pub(crate) const BLOCK: usize = 256;

/// The partial sums that a reduction of `n` elements needs as workspace.
pub(crate) fn chunks(n: usize) -> usize {
    n.div_ceil(CHUNK).max(1)
}

impl Op {
    /// The op's name: the stem of its files, its tape method, its rows in the table.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Op::Dense { .. } => "dense",
            Op::DenseDx { .. } => "dense_dx",
            Op::DenseDw { .. } => "dense_dw",
            Op::DenseDb { .. } => "dense_db",
            Op::Relu { .. } => "relu",
            Op::ReluGrad { .. } => "relu_grad",
            Op::Sigmoid { .. } => "sigmoid",
            Op::SigmoidGrad { .. } => "sigmoid_grad",
            Op::Tanh { .. } => "tanh",
            Op::TanhGrad { .. } => "tanh_grad",
            Op::Mse { .. } => "mse",
            Op::MseGrad { .. } => "mse_grad",
            Op::Bce { .. } => "bce",
            Op::BceGrad { .. } => "bce_grad",
            Op::Sum { .. } => "sum",
            Op::SquareSum { .. } => "square_sum",
            Op::Clip { .. } => "clip",
            Op::Broadcast { .. } => "broadcast",
            Op::Add { .. } => "add",
            Op::Scale { .. } => "scale",
            Op::Fill { .. } => "fill",
            Op::Copy { .. } => "copy",
            Op::Gather { .. } => "gather",
            Op::Advance { .. } => "advance",
            Op::Store { .. } => "store",
            Op::Uniform { .. } => "uniform",
            Op::Adam { .. } => "adam",
        }
    }

    /// The operands that are only read, under their names.
    pub(crate) fn reads(&self) -> Vec<(&'static str, &View)> {
        match self {
            Op::Dense { x, w, b, .. } => vec![("x", x), ("w", w), ("b", b)],
            Op::DenseDx { dz, w, .. } => vec![("dz", dz), ("w", w)],
            Op::DenseDw { dz, x, .. } => vec![("dz", dz), ("x", x)],
            Op::DenseDb { dz, .. } => vec![("dz", dz)],
            Op::Relu { x, .. } | Op::Sigmoid { x, .. } | Op::Tanh { x, .. } => vec![("x", x)],
            Op::ReluGrad { x, dy, .. } | Op::SigmoidGrad { x, dy, .. } | Op::TanhGrad { x, dy, .. } => vec![("x", x), ("dy", dy)],
            Op::Mse { y, target, .. } => vec![("y", y), ("target", target)],
            Op::MseGrad { y, target, dloss, .. } => vec![("y", y), ("target", target), ("dloss", dloss)],
            Op::Bce { z, target, .. } => vec![("z", z), ("target", target)],
            Op::BceGrad { z, target, dloss, .. } => vec![("z", z), ("target", target), ("dloss", dloss)],
            Op::Sum { x, .. } | Op::SquareSum { x, .. } | Op::Broadcast { x, .. } | Op::Scale { x, .. } | Op::Copy { x, .. } => {
                vec![("x", x)]
            }
            Op::Clip { x, square, .. } => vec![("x", x), ("square", square)],
            Op::Add { a, b, .. } => vec![("a", a), ("b", b)],
            Op::Fill { .. } | Op::Advance { .. } => vec![],
            Op::Gather { data, order, clock, .. } => vec![("data", data), ("order", order), ("clock", clock)],
            Op::Store { x, clock, .. } => vec![("x", x), ("clock", clock)],
            Op::Uniform { clock, .. } => vec![("clock", clock)],
            Op::Adam { g, table, clock, .. } => vec![("g", g), ("table", table), ("clock", clock)],
        }
    }

    /// The operands that are written (some are read as well), under their names.
    pub(crate) fn writes(&self) -> Vec<(&'static str, &View)> {
        match self {
            Op::Dense { y, .. } | Op::Relu { y, .. } | Op::Sigmoid { y, .. } | Op::Tanh { y, .. } => vec![("y", y)],
            Op::DenseDx { dx, .. } | Op::ReluGrad { dx, .. } | Op::SigmoidGrad { dx, .. } | Op::TanhGrad { dx, .. } => vec![("dx", dx)],
            Op::DenseDw { dw, .. } => vec![("dw", dw)],
            Op::DenseDb { db, .. } => vec![("db", db)],
            Op::Mse { work, loss, .. } | Op::Bce { work, loss, .. } => vec![("work", work), ("loss", loss)],
            Op::MseGrad { dy, .. } => vec![("dy", dy)],
            Op::BceGrad { dz, .. } => vec![("dz", dz)],
            Op::Clip { y, .. } => vec![("y", y)],
            Op::Sum { work, y, .. } | Op::SquareSum { work, y, .. } => vec![("work", work), ("y", y)],
            Op::Broadcast { y, .. } | Op::Add { y, .. } | Op::Scale { y, .. } | Op::Fill { y, .. } | Op::Copy { y, .. } => vec![("y", y)],
            Op::Gather { y, .. } | Op::Uniform { y, .. } => vec![("y", y)],
            Op::Advance { clock, .. } => vec![("clock", clock)],
            Op::Store { ring, .. } => vec![("ring", ring)],
            Op::Adam { p, m, v, .. } => vec![("p", p), ("m", m), ("v", v)],
        }
    }

    /// Whether a written operand may be the very same view as one that is read.
    fn in_place(&self) -> bool {
        matches!(self, Op::Add { .. } | Op::Scale { .. } | Op::Clip { .. })
    }

    /// Proves everything that a backend relies on: one device, the element types, bounds, shapes, and that nothing written overlaps another operand.
    pub(crate) fn check(&self) -> Result<()> {
        self.check_operands()?;
        self.check_shapes()
    }

    fn check_operands(&self) -> Result<()> {
        let name = self.name();
        let (reads, writes) = (self.reads(), self.writes());
        let first = writes[0].1;
        for (operand, view) in reads.iter().chain(&writes) {
            if !view.device().same(first.device()) {
                return Err(Error::op(
                    name,
                    format!("{operand} is on {} but {} is on {}", view.device().id(), writes[0].0, first.device().id()),
                    "Put all operands on one device.",
                ));
            }
            if view.offset + view.len() > view.buffer.len {
                return Err(Error::op(
                    name,
                    format!("{operand} reaches to element {} of a buffer of {}", view.offset + view.len(), view.buffer.len),
                    "Use a view that lies inside its buffer.",
                ));
            }
            let want: &[Dtype] = match (*operand, self) {
                ("clock" | "order", _) => &[Dtype::U32],
                ("data", _) => &[Dtype::F32, Dtype::U8],
                _ => &[Dtype::F32],
            };
            if !want.contains(&view.dtype()) {
                return Err(Error::op(
                    name,
                    format!("{operand} has elements of {} where {} is needed", view.dtype(), want[0]),
                    "Convert the data before it is uploaded.",
                ));
            }
        }
        for (i, (operand, view)) in writes.iter().enumerate() {
            for (other, read) in &reads {
                // An in-place op may write what it reads, but then all of it.
                if view.overlaps(read) && !(self.in_place() && view.identical(read)) {
                    return Err(Error::op(name, format!("{operand} overlaps {other}, which is read"), "Write to a buffer of its own."));
                }
            }
            for (other, written) in &writes[..i] {
                if view.overlaps(written) {
                    return Err(Error::op(
                        name,
                        format!("{operand} overlaps {other}, which is written too"),
                        "Write to a buffer of its own.",
                    ));
                }
            }
        }
        Ok(())
    }

    fn check_shapes(&self) -> Result<()> {
        let name = self.name();
        let same = |an: &str, a: &View, bn: &str, b: &View| {
            if a.len() == b.len() {
                return Ok(());
            }
            Err(Error::op(
                name,
                format!("{an} has {} elements but {bn} has {} ({an} is {}, {bn} is {})", a.len(), b.len(), a.shape, b.shape),
                "Give both the same shape.",
            ))
        };
        let length = |an: &str, a: &View, n: usize| {
            if a.len() == n {
                return Ok(());
            }
            Err(Error::op(
                name,
                format!("{an} has {} elements where {n} are needed ({an} is {})", a.len(), a.shape),
                "Give it that many elements.",
            ))
        };
        match self {
            Op::Dense { x, w, b, y } => {
                self.check_matrix("x", x)?;
                self.check_matrix("w", w)?;
                if x.shape.columns() != w.shape.columns() {
                    return Err(Error::op(
                        name,
                        format!(
                            "x has {} columns but w takes {} (x is {}, w is {})",
                            x.shape.columns(),
                            w.shape.columns(),
                            x.shape,
                            w.shape
                        ),
                        format!("Build the layer with {} inputs or pass the previous layer's output.", x.shape.columns()),
                    ));
                }
                length("b", b, w.shape.rows())?;
                self.check_product("y", y, x.shape.rows(), w.shape.rows())
            }
            Op::DenseDx { dz, w, dx } => {
                self.check_matrix("dz", dz)?;
                self.check_matrix("w", w)?;
                self.check_inner("columns of dz", dz.shape.columns(), "rows of w", w.shape.rows())?;
                self.check_product("dx", dx, dz.shape.rows(), w.shape.columns())
            }
            Op::DenseDw { dz, x, dw } => {
                self.check_matrix("dz", dz)?;
                self.check_matrix("x", x)?;
                self.check_inner("rows of dz", dz.shape.rows(), "rows of x", x.shape.rows())?;
                self.check_product("dw", dw, dz.shape.columns(), x.shape.columns())
            }
            Op::DenseDb { dz, db } => {
                self.check_matrix("dz", dz)?;
                length("db", db, dz.shape.columns())
            }
            Op::Relu { x, y } | Op::Sigmoid { x, y } | Op::Tanh { x, y } | Op::Copy { x, y } | Op::Scale { x, y, .. } => {
                same("x", x, "y", y)
            }
            Op::ReluGrad { x, dy, dx } | Op::SigmoidGrad { x, dy, dx } | Op::TanhGrad { x, dy, dx } => {
                same("x", x, "dy", dy).and(same("x", x, "dx", dx))
            }
            Op::Add { a, b, y } => same("a", a, "b", b).and(same("a", a, "y", y)),
            Op::Mse { y, target, work, loss, .. } | Op::Bce { z: y, target, work, loss, .. } => {
                let operand = self.reads()[0].0;
                same(operand, y, "target", target)?;
                if y.len() == 0 {
                    return Err(Error::op(name, format!("a mean over no elements ({operand} is {})", y.shape), "Pass at least one row."));
                }
                length("work", work, chunks(y.len())).and(length("loss", loss, 1))
            }
            Op::MseGrad { y, target, dloss, dy, .. } => {
                same("y", y, "target", target)?;
                length("dloss", dloss, 1).and(same("y", y, "dy", dy))
            }
            Op::BceGrad { z, target, dloss, dz, .. } => {
                same("z", z, "target", target)?;
                length("dloss", dloss, 1).and(same("z", z, "dz", dz))
            }
            Op::Sum { x, work, y } | Op::SquareSum { x, work, y } => length("work", work, chunks(x.len())).and(length("y", y, 1)),
            Op::Clip { x, square, y, most } => {
                same("x", x, "y", y).and(length("square", square, 1))?;
                if !(*most > 0.0 && most.is_finite()) {
                    return Err(Error::op(name, format!("the largest norm is {most}"), "Use a finite number above 0; 1 is usual."));
                }
                Ok(())
            }
            Op::Broadcast { x, .. } => length("x", x, 1),
            Op::Fill { .. } => Ok(()),
            Op::Gather { data, order, clock, y } => {
                length("clock", clock, 2)?;
                if data.shape.columns() != y.shape.columns() {
                    return Err(Error::op(
                        name,
                        format!(
                            "data has {} columns but y has {} (data is {}, y is {})",
                            data.shape.columns(),
                            y.shape.columns(),
                            data.shape,
                            y.shape
                        ),
                        "Give both rows of the same length.",
                    ));
                }
                if y.len() > 0 && (order.len() == 0 || data.shape.rows() == 0) {
                    return Err(Error::op(
                        name,
                        format!("{} rows wanted from {} by an order of {}", y.shape.rows(), data.shape.rows(), order.len()),
                        "Pass at least one row and one index.",
                    ));
                }
                Ok(())
            }
            Op::Advance { clock, rows, period } => {
                length("clock", clock, 2)?;
                if *period == 0 || *period > 1 << 31 || *rows > 1 << 31 {
                    return Err(Error::op(
                        name,
                        format!("{rows} rows in a period of {period}"),
                        "Use a period of 1 to 2^31 and at most 2^31 rows.",
                    ));
                }
                Ok(())
            }
            Op::Store { x, clock, ring } => {
                length("clock", clock, 2)?;
                if x.len() == 0 || ring.len() == 0 || !ring.len().is_multiple_of(x.len()) {
                    return Err(Error::op(
                        name,
                        format!(
                            "ring has {} elements where entries of {} are wanted (ring is {}, x is {})",
                            ring.len(),
                            x.len(),
                            ring.shape,
                            x.shape
                        ),
                        "Give it as many elements as x has, for each step that is to be kept.",
                    ));
                }
                Ok(())
            }
            Op::Uniform { clock, .. } => length("clock", clock, 2),
            Op::Adam { p, g, m, v, table, clock, .. } => {
                same("p", p, "g", g).and(same("p", p, "m", m)).and(same("p", p, "v", v))?;
                length("clock", clock, 2)?;
                if table.shape.columns() != 4 || table.shape.rows() == 0 {
                    return Err(Error::op(
                        name,
                        format!("the table is {} where steps x 4 is needed", table.shape),
                        "Write a row of four numbers for each step.",
                    ));
                }
                Ok(())
            }
        }
    }

    fn check_matrix(&self, operand: &str, view: &View) -> Result<()> {
        if view.shape.dims().len() == 2 {
            return Ok(());
        }
        Err(Error::op(
            self.name(),
            format!("{operand} has {} dimensions where 2 are needed ({operand} is {})", view.shape.dims().len(), view.shape),
            "Reshape it to [rows, columns].",
        ))
    }

    fn check_inner(&self, a: &str, m: usize, b: &str, n: usize) -> Result<()> {
        if m == n {
            return Ok(());
        }
        Err(Error::op(self.name(), format!("{m} {a} but {n} {b}"), "Make the two agree."))
    }

    fn check_product(&self, operand: &str, view: &View, rows: usize, columns: usize) -> Result<()> {
        if view.shape.dims() == [rows, columns] {
            return Ok(());
        }
        Err(Error::op(self.name(), format!("{operand} is {} where {rows}x{columns} is needed", view.shape), "Give the result that shape."))
    }

    /// What the op costs at the least.
    pub(crate) fn cost(&self) -> Cost {
        let bytes = |views: &[(&str, &View)]| views.iter().map(|(_, v)| (v.len() * v.dtype().size()) as u64).sum::<u64>();
        let n = |v: &View| v.len() as u64;
        let flops = match self {
            Op::Dense { x, y, .. } => 2 * n(y) * x.shape.columns() as u64 + n(y),
            Op::DenseDx { dz, w, .. } => 2 * n(dz) * w.shape.columns() as u64,
            Op::DenseDw { dz, x, .. } => 2 * n(dz) * x.shape.columns() as u64,
            Op::DenseDb { dz, .. } => n(dz),
            Op::Relu { y, .. } | Op::Add { y, .. } | Op::Scale { y, .. } => n(y),
            Op::ReluGrad { dx, .. } => n(dx),
            Op::Sigmoid { y, .. } => 24 * n(y),
            Op::SigmoidGrad { dx, .. } => 26 * n(dx),
            Op::Tanh { y, .. } => 36 * n(y),
            Op::TanhGrad { dx, .. } => 27 * n(dx),
            Op::Mse { y, .. } => 3 * n(y),
            Op::MseGrad { y, .. } => 2 * n(y),
            Op::Bce { z, .. } => 34 * n(z),
            Op::BceGrad { z, .. } => 26 * n(z),
            Op::Sum { x, .. } => n(x),
            Op::SquareSum { x, .. } => 2 * n(x),
            Op::Clip { x, .. } => n(x),
            Op::Uniform { y, .. } => 2 * n(y),
            Op::Adam { p, .. } => 14 * n(p),
            Op::Broadcast { .. } | Op::Fill { .. } | Op::Copy { .. } | Op::Gather { .. } | Op::Advance { .. } | Op::Store { .. } => 0,
        };
        let moved = match self {
            // Only the rows that are gathered move, not the whole data set; of a ring one entry, of a table one row.
            Op::Gather { data, y, .. } => n(y) * (data.dtype().size() as u64 + 4) + 4 * y.shape.rows() as u64,
            Op::Store { x, .. } => 8 * n(x) + 8,
            Op::Adam { p, .. } => 28 * n(p),
            Op::Add { y, .. } => 12 * n(y),
            _ => bytes(&self.reads()) + bytes(&self.writes()),
        };
        Cost { flops, bytes: moved }
    }
}
