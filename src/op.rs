//! THE INSTRUCTION SET. An op is plain data: the views it reads, the views it writes, its few scalars.
//!
//! What each op computes, down to the order of its roundings, is defined in `docs/numerics.md`. The shapes are here:
//! B batch, I inputs, O outputs, N elements of any shape.
//!
//! [`Op::form`] says everything else that the rest of the engine needs to know about an op: its name, how a GPU runs
//! it, and what it does with each operand. Checks, costs, both GPU plans, the CPU's partitioning, the table of tests
//! and every printed list read it.

mod check;
mod family;

pub(crate) use family::{Map, Term, Zip};

use crate::device::View;
use crate::{Dtype, Shape};

/// `V` is the type of an operand: `Op` alone means `Op<View>`; the table of tests plans with `Op<Shape>`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Op<V = View> {
    /// `y[r, o] = sum_i x[r, i] w[o, i] + b[o]`: x [B, I], w [O, I], b [O] or none, y [B, O].
    Dense { x: V, w: V, b: Option<V>, y: V },
    /// `dx[r, i] = sum_o dz[r, o] w[o, i]`: dz [B, O], w [O, I], dx [B, I].
    DenseDx { dz: V, w: V, dx: V },
    /// `dw[o, i] = sum_r dz[r, o] x[r, i]`: dz [B, O], x [B, I], dw [O, I].
    DenseDw { dz: V, x: V, dw: V },
    /// `db[o] = sum_r dz[r, o]`: dz [B, O], db [O].
    DenseDb { dz: V, db: V },
    /// `y[r, c] = v[c]`: v [C], y [R, C]. The transpose of `dense_db`.
    Rows { v: V, y: V },
    /// The k largest numbers of each row, as a threshold: x [R, C], cut [R, 2] of u32, the key of the smallest that is
    /// taken and the index of the last one of that key.
    Cut { x: V, cut: V, k: u32 },
    /// Of the K numbers kept of each row and of its new ones the K largest, in the order in which they came, and where
    /// they stood: x [R, C]; clock [2], whose cursor is the index of the first column; values [R, K], index [R, K] of
    /// u32.
    MergeTopk { x: V, clock: V, values: V, index: V },
    /// `dx = dy` where `cut` takes x, else 0: x [R, C], cut [R, 2] of u32, dy and dx R C each. dy may be x.
    Select { x: V, cut: V, dy: V, dx: V },
    /// `idle = 0` where any row of the code has the unit on, else `idle + R`, at most 2^24: code [R, C], idle [C].
    Idle { code: V, idle: V },
    /// `y[r, c] = idle[c] >= least ? x[r, c] : other`: x [R, C], idle [C], y R C.
    Dead { x: V, idle: V, y: V, least: f32, other: f32 },
    /// `y = f(x)`, N each.
    Map { f: Map, x: V, y: V },
    /// `dx = dy f'(x)`, N each.
    MapGrad { f: Map, x: V, dy: V, dx: V },
    /// `y = f(a, b)`, N each. y may be a or b.
    Zip { f: Zip, a: V, b: V, y: V },
    /// `y = a + factor * b`, N each. y may be a or b.
    Axpy { a: V, b: V, y: V, factor: f32 },
    /// `y = x`, but at least lo and at most hi, N each.
    Clamp { x: V, y: V, lo: f32, hi: f32 },
    /// `dx = dy` where x is neither below lo nor above hi, else 0, N each.
    ClampGrad { x: V, dy: V, dx: V, lo: f32, hi: f32 },
    /// `y = scale * sum f(x, other)`: x N, other N where f takes it, parts [chunks(N)], y [1].
    Reduce { f: Term, x: V, other: Option<V>, parts: V, y: V, scale: f32 },
    /// `dx = scale * dy * f'(x, other)`: x, other and dx as in `Reduce`, dy [1]. x is there where the derivative
    /// depends on it.
    ReduceGrad { f: Term, x: Option<V>, other: Option<V>, dy: V, dx: V, scale: f32 },
    /// `loss[r] = ln(sum_c exp(z[r, c])) - z[r, label[r]]`, the logarithm in `lse`: z [R, C], label [R] u32, below C;
    /// lse, loss [R].
    Xent { z: V, label: V, lse: V, loss: V },
    /// `dz[r, c] = dy[r] * (exp(z[r, c] - lse[r]) - (c == label[r]))`: z, dz [R, C]; label [R] u32; lse, dy [R].
    XentGrad { z: V, label: V, lse: V, dy: V, dz: V },
    /// `y = x * min(1, most / (sqrt(square) + 1e-6))`: x, y N; square [1]. y may be x.
    Clip { x: V, square: V, y: V, most: f32 },
    /// `y = x * factor`, N each. y may be x.
    Scale { x: V, y: V, factor: f32 },
    /// `y = x * table[min(clock[1], T - 1), column]`: x, y N; table [T, C], clock [2].
    ScaleBy { x: V, table: V, clock: V, y: V, column: u32 },
    /// `y[i] = value`.
    Fill { y: V, value: f32 },
    /// `y = x`, N each.
    Copy { x: V, y: V },
    /// `y[r, c] = data[order[(cursor + r) mod M], c]`: data [N, C] of f32, u8 or u32, order [M] of u32, clock [2] of
    /// u32, y [B, C] of u32 where data is, else f32; cursor is clock[0]. A byte b becomes b / 255.
    Gather { data: V, order: V, clock: V, y: V },
    /// `clock[0] = (clock[0] + rows) mod period`, `clock[1] += 1`: clock [2] of u32, the cursor and the step.
    Advance { clock: V, rows: u32, period: u32 },
    /// `ring[clock[1] mod T, i] = x[i]`: x N, at least 1; clock [2]; ring of T N elements, T at least 1.
    Store { x: V, clock: V, ring: V },
    /// `y[i]` uniform from lo to lo + range, a function of (seed, purpose, clock[1], i): clock [2], y N.
    Uniform { clock: V, y: V, lo: f32, range: f32, stream: Stream },
    /// `y[i]` normal with this mean and standard deviation, of the same: clock [2], y N. Two elements share a pair of
    /// words.
    Normal { clock: V, y: V, mean: f32, std: f32, stream: Stream },
    /// `y[i] = word(i) < keep ? x[i] * factor : 0`, word(i) of 24 bits from the stream: x, y N, clock [2].
    Mask { x: V, clock: V, y: V, keep: u32, factor: f32, stream: Stream },
    /// One step of Adam: p, g, m, v N each; table [T, 4] with {learning rate, 1/(1-beta1^t), 1/sqrt(1-beta2^t), what
    /// weight decay leaves} per step; clock [2].
    Adam { p: V, g: V, m: V, v: V, table: V, clock: V, hyper: AdamHyper },
}

/// A stream of random numbers, one for each purpose; the clock's step and the element's index select within it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stream {
    pub(crate) seed: u64,
    pub(crate) purpose: u32,
}

/// The scalars of [`Op::Adam`]. `w1 = 1 - beta1` and `w2 = 1 - beta2` are rounded from f64.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AdamHyper {
    pub(crate) w1: f32,
    pub(crate) beta2: f32,
    pub(crate) w2: f32,
    pub(crate) eps: f32,
}

/// The least that an op costs: floating-point operations (an fma counts as two) and bytes, each moved once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes read and written.
    pub bytes: u64,
}

/// Elements that one chunk of a reduction covers.
pub(crate) const CHUNK: usize = 4096;
/// Where the counters of idle rows stop: up to here f32 counts one by one.
pub(crate) const IDLE_MOST: f32 = 16_777_216.0;
/// Lanes of a reduction.
pub(crate) const LANES: usize = 256;
/// Terms of a dense sum that are added before they join the total.
pub(crate) const BLOCK: usize = 256;
/// Elements that share a block of random numbers.
pub(crate) const FOUR: usize = 4;

/// The partial sums that a reduction of `n` elements needs as workspace.
pub(crate) fn chunks(n: usize) -> usize {
    n.div_ceil(CHUNK).max(1)
}

/// What the rest of the engine needs to know about an op.
pub(crate) struct Form<'a, V> {
    /// The stem of its files, its tape method, its rows in the table.
    pub(crate) name: &'static str,
    pub(crate) kernel: Kernel,
    /// Whether a written operand may be the very same view as one that is read.
    pub(crate) in_place: bool,
    /// Floating-point operations for each element; those of a product depend on its shapes.
    flops: u64,
    operands: Operands<'a, V>,
}

/// How a GPU runs an op, and how the CPU partitions it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    /// A thread for each element.
    Each,
    /// A thread for every four elements, which share a block of random numbers.
    Fours,
    /// Two stages: a block for each chunk, then one for all partial sums.
    Chunks,
    /// A block for each tile of a product, and a thread for each column of a sum of rows.
    Tiles,
    /// A block for each row.
    Rows,
    /// One thread.
    One,
}

/// What an op does with an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Read,
    /// Written in full.
    Write,
    /// Read and written.
    Update,
    /// Workspace: its contents before and after the op mean nothing.
    Scratch,
}

/// How much of an operand one element of the op needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The element with the same index: all such operands have the same number of elements.
    Each,
    /// All of it: one number.
    One,
    /// All of it: the cursor and the step.
    Clock,
    /// The partial sum of the element's chunk.
    Parts,
    /// The row with the same index as the element's; the op's own check proves the shape.
    Row,
    /// All of it; the op's own check proves the shape.
    Whole,
    /// An entry, which the clock selects, with as many elements as the op.
    Entry,
    /// A matrix of which a product needs several elements for each of its own: see the backend.
    Matrix,
}

pub(crate) struct Operand<'a, V> {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    pub(crate) reach: Reach,
    pub(crate) types: &'static [Dtype],
    pub(crate) of: &'a V,
}

impl<V> Clone for Operand<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Operand<'_, V> {}

/// The largest number of operands of an op.
const MOST: usize = 6;

/// The operands of an op, held without an allocation: ops run in loops that must not allocate.
struct Operands<'a, V>([Option<Operand<'a, V>>; MOST]);

impl<'a, V> Form<'a, V> {
    fn new<const N: usize>(name: &'static str, kernel: Kernel, flops: u64, operands: [Option<Operand<'a, V>>; N]) -> Form<'a, V> {
        let mut all = [None; MOST];
        all[..N].copy_from_slice(&operands);
        Form { name, kernel, in_place: false, flops, operands: Operands(all) }
    }

    fn in_place(self) -> Form<'a, V> {
        Form { in_place: true, ..self }
    }

    /// The operands, in the order of every backend's arguments.
    pub(crate) fn operands(&self) -> impl Iterator<Item = Operand<'a, V>> + use<'a, V> {
        self.operands.0.into_iter().flatten()
    }
}

const FLOATS: &[Dtype] = &[Dtype::F32];
const INTEGERS: &[Dtype] = &[Dtype::U32];
const ROWS: &[Dtype] = &[Dtype::F32, Dtype::U8, Dtype::U32];
const WORDS: &[Dtype] = &[Dtype::F32, Dtype::U32];

fn operand<'a, V>(name: &'static str, role: Role, reach: Reach, of: &'a V) -> Option<Operand<'a, V>> {
    let types = if reach == Reach::Clock { INTEGERS } else { FLOATS };
    Some(Operand { name, role, reach, types, of })
}

fn read<'a, V>(name: &'static str, reach: Reach, of: &'a V) -> Option<Operand<'a, V>> {
    operand(name, Role::Read, reach, of)
}

fn write<'a, V>(name: &'static str, reach: Reach, of: &'a V) -> Option<Operand<'a, V>> {
    operand(name, Role::Write, reach, of)
}

fn update<'a, V>(name: &'static str, reach: Reach, of: &'a V) -> Option<Operand<'a, V>> {
    operand(name, Role::Update, reach, of)
}

/// The same operand, of f32 or u32.
fn words<'a, V>(operand: Option<Operand<'a, V>>) -> Option<Operand<'a, V>> {
    operand.map(|o| Operand { types: WORDS, ..o })
}

/// The same operand, of u32.
fn counts<'a, V>(operand: Option<Operand<'a, V>>) -> Option<Operand<'a, V>> {
    operand.map(|o| Operand { types: INTEGERS, ..o })
}

fn typed<'a, V>(name: &'static str, types: &'static [Dtype], of: &'a V) -> Option<Operand<'a, V>> {
    Some(Operand { name, role: Role::Read, reach: Reach::Whole, types, of })
}

impl<V> Op<V> {
    /// One line per op.
    #[rustfmt::skip]
    pub(crate) fn form(&self) -> Form<'_, V> {
        use Kernel::{Chunks, Fours, Tiles};
        use Reach::{Clock, Each, Entry, Matrix, One, Parts, Row, Whole};
        match self {
            Op::Dense { x, w, b, y } => Form::new("dense", Tiles, u64::from(b.is_some()), [read("x", Matrix, x), read("w", Matrix, w), b.as_ref().and_then(|b| read("b", Matrix, b)), write("y", Matrix, y)]),
            Op::DenseDx { dz, w, dx } => Form::new("dense_dx", Tiles, 0, [read("dz", Matrix, dz), read("w", Matrix, w), write("dx", Matrix, dx)]),
            Op::DenseDw { dz, x, dw } => Form::new("dense_dw", Tiles, 0, [read("dz", Matrix, dz), read("x", Matrix, x), write("dw", Matrix, dw)]),
            Op::DenseDb { dz, db } => Form::new("dense_db", Tiles, 0, [read("dz", Matrix, dz), write("db", Matrix, db)]),
            Op::Rows { v, y } => Form::new("rows", Kernel::Each, 0, [read("v", Whole, v), write("y", Each, y)]),
            Op::Cut { x, cut, .. } => Form::new("cut", Kernel::Rows, 0, [read("x", Row, x), counts(write("cut", Row, cut))]),
            Op::MergeTopk { x, clock, values, index } => Form::new("merge_topk", Kernel::Rows, 0, [read("x", Row, x), read("clock", Clock, clock), update("values", Row, values), counts(update("index", Row, index))]),
            Op::Select { x, cut, dy, dx } => Form::new("select", Kernel::Each, 0, [read("x", Each, x), counts(read("cut", Row, cut)), read("dy", Each, dy), write("dx", Each, dx)]),
            Op::Idle { code, idle } => Form::new("idle", Kernel::Each, 0, [read("code", Whole, code), update("idle", Each, idle)]),
            Op::Dead { x, idle, y, .. } => Form::new("dead", Kernel::Each, 0, [read("x", Each, x), read("idle", Whole, idle), write("y", Each, y)]),
            Op::Map { f, x, y } => Form::new(f.names()[0], Kernel::Each, f.flops()[0], [read("x", Each, x), write("y", Each, y)]),
            Op::MapGrad { f, x, dy, dx } => Form::new(f.names()[1], Kernel::Each, f.flops()[1], [read("x", Each, x), read("dy", Each, dy), write("dx", Each, dx)]),
            Op::Zip { f, a, b, y } => {
                let [a_name, b_name] = f.operands();
                Form::new(f.name(), Kernel::Each, f.flops(), [read(a_name, Each, a), read(b_name, Each, b), write("y", Each, y)]).in_place()
            }
            Op::Axpy { a, b, y, .. } => Form::new("axpy", Kernel::Each, 2, [read("a", Each, a), read("b", Each, b), write("y", Each, y)]).in_place(),
            Op::Clamp { x, y, .. } => Form::new("clamp", Kernel::Each, 2, [read("x", Each, x), write("y", Each, y)]),
            Op::ClampGrad { x, dy, dx, .. } => Form::new("clamp_grad", Kernel::Each, 2, [read("x", Each, x), read("dy", Each, dy), write("dx", Each, dx)]),
            Op::Reduce { f, x, other, parts, y, .. } => {
                let other = other.as_ref().and_then(|other| read(f.other()?, Each, other));
                let [x_name, y_name] = f.operands();
                Form::new(f.names()[0], Chunks, f.flops()[0], [read(x_name, Each, x), other, operand("parts", Role::Scratch, Parts, parts), write(y_name, One, y)])
            }
            Op::ReduceGrad { f, x, other, dy, dx, .. } => {
                let x = x.as_ref().and_then(|x| read(f.operands()[0], Each, x));
                let other = other.as_ref().and_then(|other| read(f.other()?, Each, other));
                Form::new(f.names()[1], Kernel::Each, f.flops()[1], [x, other, read("dy", One, dy), write("dx", Each, dx)])
            }
            Op::Xent { z, label, lse, loss } => Form::new("xent", Kernel::Rows, 23, [read("z", Row, z), counts(read("label", Row, label)), write("lse", Row, lse), write("loss", Row, loss)]),
            Op::XentGrad { z, label, lse, dy, dz } => Form::new("xent_grad", Kernel::Each, 23, [read("z", Each, z), counts(read("label", Row, label)), read("lse", Row, lse), read("dy", Row, dy), write("dz", Each, dz)]),
            Op::Clip { x, square, y, .. } => Form::new("clip", Kernel::Each, 1, [read("x", Each, x), read("square", One, square), write("y", Each, y)]).in_place(),
            Op::Scale { x, y, .. } => Form::new("scale", Kernel::Each, 1, [read("x", Each, x), write("y", Each, y)]).in_place(),
            Op::ScaleBy { x, table, clock, y, .. } => Form::new("scale_by", Kernel::Each, 1, [read("x", Each, x), read("table", Whole, table), read("clock", Clock, clock), write("y", Each, y)]),
            Op::Fill { y, .. } => Form::new("fill", Kernel::Each, 0, [write("y", Each, y)]),
            Op::Copy { x, y } => Form::new("copy", Kernel::Each, 0, [read("x", Each, x), write("y", Each, y)]),
            Op::Gather { data, order, clock, y } => Form::new("gather", Kernel::Each, 0, [typed("data", ROWS, data), typed("order", INTEGERS, order), read("clock", Clock, clock), words(write("y", Each, y))]),
            Op::Advance { clock, .. } => Form::new("advance", Kernel::One, 0, [update("clock", Clock, clock)]),
            Op::Store { x, clock, ring } => Form::new("store", Kernel::Each, 0, [read("x", Each, x), read("clock", Clock, clock), update("ring", Entry, ring)]),
            Op::Uniform { clock, y, .. } => Form::new("uniform", Fours, 2, [read("clock", Clock, clock), write("y", Each, y)]),
            Op::Normal { clock, y, .. } => Form::new("normal", Fours, 25, [read("clock", Clock, clock), write("y", Each, y)]),
            Op::Mask { x, clock, y, .. } => Form::new("mask", Fours, 1, [read("x", Each, x), read("clock", Clock, clock), write("y", Each, y)]),
            Op::Adam { p, g, m, v, table, clock, .. } => {
                Form::new("adam", Kernel::Each, 14, [update("p", Each, p), read("g", Each, g), update("m", Each, m), update("v", Each, v), read("table", Whole, table), read("clock", Clock, clock)])
            }
        }
    }

    /// The same op over other operands, which `f` makes in the order of [`Op::form`].
    #[rustfmt::skip]
    pub(crate) fn map<W>(&self, mut f: impl FnMut(&V) -> W) -> Op<W> {
        match *self {
            Op::Dense { ref x, ref w, ref b, ref y } => Op::Dense { x: f(x), w: f(w), b: b.as_ref().map(&mut f), y: f(y) },
            Op::DenseDx { ref dz, ref w, ref dx } => Op::DenseDx { dz: f(dz), w: f(w), dx: f(dx) },
            Op::DenseDw { ref dz, ref x, ref dw } => Op::DenseDw { dz: f(dz), x: f(x), dw: f(dw) },
            Op::DenseDb { ref dz, ref db } => Op::DenseDb { dz: f(dz), db: f(db) },
            Op::Rows { ref v, ref y } => Op::Rows { v: f(v), y: f(y) },
            Op::Cut { ref x, ref cut, k } => Op::Cut { x: f(x), cut: f(cut), k },
            Op::MergeTopk { ref x, ref clock, ref values, ref index } => Op::MergeTopk { x: f(x), clock: f(clock), values: f(values), index: f(index) },
            Op::Select { ref x, ref cut, ref dy, ref dx } => Op::Select { x: f(x), cut: f(cut), dy: f(dy), dx: f(dx) },
            Op::Idle { ref code, ref idle } => Op::Idle { code: f(code), idle: f(idle) },
            Op::Dead { ref x, ref idle, ref y, least, other } => Op::Dead { x: f(x), idle: f(idle), y: f(y), least, other },
            Op::Map { f: of, ref x, ref y } => Op::Map { f: of, x: f(x), y: f(y) },
            Op::MapGrad { f: of, ref x, ref dy, ref dx } => Op::MapGrad { f: of, x: f(x), dy: f(dy), dx: f(dx) },
            Op::Zip { f: of, ref a, ref b, ref y } => Op::Zip { f: of, a: f(a), b: f(b), y: f(y) },
            Op::Axpy { ref a, ref b, ref y, factor } => Op::Axpy { a: f(a), b: f(b), y: f(y), factor },
            Op::Clamp { ref x, ref y, lo, hi } => Op::Clamp { x: f(x), y: f(y), lo, hi },
            Op::ClampGrad { ref x, ref dy, ref dx, lo, hi } => Op::ClampGrad { x: f(x), dy: f(dy), dx: f(dx), lo, hi },
            Op::Reduce { f: of, ref x, ref other, ref parts, ref y, scale } => Op::Reduce { f: of, x: f(x), other: other.as_ref().map(&mut f), parts: f(parts), y: f(y), scale },
            Op::ReduceGrad { f: of, ref x, ref other, ref dy, ref dx, scale } => Op::ReduceGrad { f: of, x: x.as_ref().map(&mut f), other: other.as_ref().map(&mut f), dy: f(dy), dx: f(dx), scale },
            Op::Xent { ref z, ref label, ref lse, ref loss } => Op::Xent { z: f(z), label: f(label), lse: f(lse), loss: f(loss) },
            Op::XentGrad { ref z, ref label, ref lse, ref dy, ref dz } => Op::XentGrad { z: f(z), label: f(label), lse: f(lse), dy: f(dy), dz: f(dz) },
            Op::Clip { ref x, ref square, ref y, most } => Op::Clip { x: f(x), square: f(square), y: f(y), most },
            Op::Scale { ref x, ref y, factor } => Op::Scale { x: f(x), y: f(y), factor },
            Op::ScaleBy { ref x, ref table, ref clock, ref y, column } => Op::ScaleBy { x: f(x), table: f(table), clock: f(clock), y: f(y), column },
            Op::Fill { ref y, value } => Op::Fill { y: f(y), value },
            Op::Copy { ref x, ref y } => Op::Copy { x: f(x), y: f(y) },
            Op::Gather { ref data, ref order, ref clock, ref y } => Op::Gather { data: f(data), order: f(order), clock: f(clock), y: f(y) },
            Op::Advance { ref clock, rows, period } => Op::Advance { clock: f(clock), rows, period },
            Op::Store { ref x, ref clock, ref ring } => Op::Store { x: f(x), clock: f(clock), ring: f(ring) },
            Op::Uniform { ref clock, ref y, lo, range, stream } => Op::Uniform { clock: f(clock), y: f(y), lo, range, stream },
            Op::Normal { ref clock, ref y, mean, std, stream } => Op::Normal { clock: f(clock), y: f(y), mean, std, stream },
            Op::Mask { ref x, ref clock, ref y, keep, factor, stream } => Op::Mask { x: f(x), clock: f(clock), y: f(y), keep, factor, stream },
            Op::Adam { ref p, ref g, ref m, ref v, ref table, ref clock, hyper } => Op::Adam { p: f(p), g: f(g), m: f(m), v: f(v), table: f(table), clock: f(clock), hyper },
        }
    }

    /// The op's name: the stem of its files, its tape method, its rows in the table.
    pub(crate) fn name(&self) -> &'static str {
        self.form().name
    }

    /// The operands that are only read.
    pub(crate) fn reads(&self) -> impl Iterator<Item = &V> {
        self.form().operands().filter(|o| o.role == Role::Read).map(|o| o.of)
    }

    /// The operands that are written. Some are read as well.
    pub(crate) fn writes(&self) -> impl Iterator<Item = &V> {
        self.form().operands().filter(|o| o.role != Role::Read).map(|o| o.of)
    }

    /// The op's result: the last operand that is written and is not workspace.
    pub(crate) fn result(&self) -> &V {
        let written = |o: &Operand<V>| matches!(o.role, Role::Write | Role::Update);
        self.form().operands().filter(written).last().expect("every op has a result").of
    }
}

/// A number of an op that a GPU's kernel takes.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Word {
    U32(u32),
    F32(f32),
}

impl Op {
    /// The operand that determines the op's number of elements.
    pub(crate) fn along(&self) -> &View {
        let of = |reach| self.form().operands().find(|o| o.reach == reach).map(|o| o.of);
        of(Reach::Each).or_else(|| of(Reach::Row)).unwrap_or_else(|| self.result())
    }

    /// How many elements the op has.
    pub(crate) fn elements(&self) -> usize {
        self.along().len()
    }

    /// The numbers that a kernel takes besides its operands and the number of elements, in the order of its parameters.
    /// For a reduction they are those of its second stage, for a product its sizes.
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    pub(crate) fn words(&self) -> Vec<Word> {
        // A `Shape` proves that each is below 2^31.
        let size = |n: usize| Word::U32(n as u32);
        let of = |stream: &Stream| [stream.seed as u32, (stream.seed >> 32) as u32, stream.purpose].map(Word::U32);
        match self {
            Op::Dense { x, w, .. } => [x.shape.rows(), w.shape.columns(), w.shape.rows()].map(size).into(),
            Op::DenseDx { dz, w, .. } => [dz.shape.rows(), w.shape.columns(), w.shape.rows()].map(size).into(),
            Op::DenseDw { dz, x, .. } => [x.shape.rows(), x.shape.columns(), dz.shape.columns()].map(size).into(),
            Op::DenseDb { dz, .. } => [dz.shape.rows(), dz.shape.columns()].map(size).into(),
            Op::Rows { v, .. } => vec![size(v.len())],
            Op::Cut { x, k, .. } => vec![size(x.shape.columns()), Word::U32(*k)],
            Op::MergeTopk { x, values, .. } => [x, values].map(|of| size(of.shape.columns())).into(),
            Op::Select { x, .. } | Op::Xent { z: x, .. } | Op::XentGrad { z: x, .. } => vec![size(x.shape.columns())],
            Op::Idle { code, .. } => [code.shape.rows(), code.shape.columns()].map(size).into(),
            Op::Dead { idle, least, other, .. } => vec![size(idle.len()), Word::F32(*least), Word::F32(*other)],
            Op::Map { .. } | Op::MapGrad { .. } | Op::Zip { .. } | Op::Copy { .. } => vec![],
            Op::Reduce { scale, .. } | Op::ReduceGrad { scale, .. } => vec![Word::F32(*scale)],
            Op::Clip { most, .. } => vec![Word::F32(*most)],
            Op::Clamp { lo, hi, .. } | Op::ClampGrad { lo, hi, .. } => vec![Word::F32(*lo), Word::F32(*hi)],
            Op::Axpy { factor, .. } | Op::Scale { factor, .. } => vec![Word::F32(*factor)],
            Op::ScaleBy { table, column, .. } => vec![size(table.shape.rows()), size(table.shape.columns()), Word::U32(*column)],
            Op::Fill { value, .. } => vec![Word::F32(*value)],
            Op::Gather { data, order, .. } => [data.shape.columns(), data.shape.rows(), order.len()].map(size).into(),
            Op::Advance { rows, period, .. } => vec![Word::U32(*rows), Word::U32(*period)],
            Op::Store { x, ring, .. } => [x.len(), ring.len() / x.len()].map(size).into(),
            Op::Uniform { lo, range, stream, .. } => [Word::F32(*lo), Word::F32(*range)].into_iter().chain(of(stream)).collect(),
            Op::Normal { mean, std, stream, .. } => [Word::F32(*mean), Word::F32(*std)].into_iter().chain(of(stream)).collect(),
            Op::Mask { keep, factor, stream, .. } => [Word::U32(*keep), Word::F32(*factor)].into_iter().chain(of(stream)).collect(),
            Op::Adam { table, hyper, .. } => {
                let numbers = [hyper.w1, hyper.beta2, hyper.w2, hyper.eps].map(Word::F32);
                [size(table.shape.rows())].into_iter().chain(numbers).collect()
            }
        }
    }

    /// The least that the op costs.
    pub(crate) fn cost(&self) -> Cost {
        let form = self.form();
        let terms = match self {
            Op::Dense { x, .. } => x.shape.columns(),
            Op::DenseDx { dz, .. } => dz.shape.columns(),
            Op::DenseDw { dz, .. } | Op::DenseDb { dz, .. } => dz.shape.rows(),
            _ => 0,
        } as u64;
        let each = form.flops + if matches!(self, Op::DenseDb { .. }) { terms } else { 2 * terms };
        let moved = |o: &Operand<View>| {
            let elements = match (o.reach, self) {
                // Only the gathered rows of a data set are moved, one entry of a ring, which is written and not read,
                // and one row of a table, or one number.
                (Reach::Whole, Op::Gather { y, .. }) if o.name == "data" => return (y.len() * o.of.dtype().size()) as u64,
                (Reach::Whole, Op::Gather { y, .. }) => y.shape.rows(),
                (Reach::Whole, Op::Adam { table, .. }) => table.shape.columns(),
                (Reach::Whole, Op::ScaleBy { .. }) => 1,
                (Reach::Entry, _) => return 4 * self.elements() as u64,
                _ => o.of.len(),
            };
            let times = if o.role == Role::Update { 2 } else { 1 };
            (times * elements * o.of.dtype().size()) as u64
        };
        Cost { flops: each * self.elements() as u64, bytes: form.operands().map(|o| moved(&o)).sum() }
    }
}

impl Op<Shape> {
    /// The op's number of elements: how much work it is, apart from the terms of a product.
    pub(crate) fn size(&self) -> usize {
        let of = |reach| self.form().operands().find(|o| o.reach == reach).map(|o| o.of.len());
        of(Reach::Each).or_else(|| of(Reach::Row)).unwrap_or_else(|| self.result().len())
    }
}
