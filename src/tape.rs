//! Tapes: ops run as they are called, and are recorded by that. Gradients are in `tape/backward.rs`.

mod backward;

use crate::clock::Clock;
use crate::device::View;
use crate::op::{self, Op};
use crate::params::Params;
use crate::program::{Program, Slot};
use crate::tensor::{self, Tensor};
use crate::{Device, Dtype, Error, Result, Shape};
use std::sync::atomic::{AtomicU64, Ordering};

/// A value on a [`Tape`]: an index that is good on that tape, and on the program compiled from it, and nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Val {
    tape: u64,
    index: usize,
}

/// Runs ops as they are called ([`Tape::new`]) or only checks and records them ([`Tape::plan`]); gives gradients; compiles into a [`Program`].
///
/// A tape keeps every value until it is dropped or compiled.
///
/// ```
/// use narrows::{Device, Tape, Tensor};
/// let device = Device::cpu()?;
/// let mut tape = Tape::new(&device);
/// let x = tape.variable(&Tensor::new(&device, &[-1.0, 2.0], &[1, 2])?)?;
/// let y = tape.relu(x)?;
/// let loss = tape.sum(y)?;
/// tape.backward(loss)?;
/// assert_eq!(tape.read(y)?, [0.0, 2.0]);
/// assert_eq!(tape.read(tape.grad(x)?)?, [0.0, 1.0]);
/// # Ok::<(), narrows::Error>(())
/// ```
#[derive(Debug)]
pub struct Tape {
    id: u64,
    device: Device,
    eager: bool,
    ops: Vec<Op>,
    nodes: Vec<Node>,
    params: Vec<Params>,
}

#[derive(Debug)]
struct Node {
    view: View,
    source: Source,
    /// In the order of the tape method.
    inputs: Vec<Val>,
    /// Whether a gradient is wanted: it is, or depends on, a variable or a parameter.
    tracked: bool,
    grad: Option<Val>,
}

#[derive(Clone, Debug)]
enum Source {
    /// A tensor of the user's.
    Leaf,
    /// A parameter: which set, and where in it.
    Param(usize, usize),
    /// The op with that number.
    Op(usize),
    Reshape,
    /// A gradient; what is computed from it can't be differentiated again.
    Gradient,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl Tape {
    /// A tape that runs each op as it is called.
    pub fn new(device: &Device) -> Tape {
        Tape::with(device, true)
    }

    /// A tape that checks and records ops and runs none: values can't be read until it is compiled and run.
    pub fn plan(device: &Device) -> Tape {
        Tape::with(device, false)
    }

    fn with(device: &Device, eager: bool) -> Tape {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Tape { id, device: device.clone(), eager, ops: Vec::new(), nodes: Vec::new(), params: Vec::new() }
    }

    #[cfg(test)]
    pub(crate) fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// The device that it records for.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The funnel that every op goes through.
    fn push(&mut self, op: Op) -> Result<usize> {
        op.check()?;
        let at = op.writes()[0].1.device();
        if !at.same(&self.device) {
            return Err(Error::op(
                op.name(),
                format!("its operands are on {} but the tape is for {}", at.id(), self.device.id()),
                "Put all on one device.",
            ));
        }
        if self.eager {
            self.device.backend().run(&op)?;
        }
        self.ops.push(op);
        Ok(self.ops.len() - 1)
    }

    fn node(&mut self, view: View, source: Source, inputs: Vec<Val>, tracked: bool) -> Val {
        self.nodes.push(Node { view, source, inputs, tracked, grad: None });
        Val { tape: self.id, index: self.nodes.len() - 1 }
    }

    /// Pushes an op whose result is the new value `view`.
    fn value(&mut self, view: View, op: Op, inputs: &[Val]) -> Result<Val> {
        let at = self.push(op)?;
        let tracked = inputs.iter().any(|v| self.nodes[v.index].tracked);
        Ok(self.node(view, Source::Op(at), inputs.to_vec(), tracked))
    }

    fn get(&self, val: Val) -> Result<&Node> {
        Ok(&self.nodes[val.on(self.id)?])
    }

    pub(crate) fn view(&self, val: Val) -> Result<&View> {
        Ok(&self.get(val)?.view)
    }

    fn new_view(&self, shape: Shape) -> Result<View> {
        self.device.alloc(Dtype::F32, shape)
    }

    /// The dimensions of a value.
    ///
    /// # Errors
    /// When it belongs to another tape.
    pub fn shape(&self, val: Val) -> Result<&[usize]> {
        Ok(self.view(val)?.shape.dims())
    }

    /// A tensor as a value. It is the tensor itself, not a copy: `program.write` on it writes the tensor. No gradient is taken.
    ///
    /// # Errors
    /// When the tensor is on another device or does not hold f32.
    pub fn input(&mut self, tensor: &Tensor) -> Result<Val> {
        self.leaf("input", tensor, false)
    }

    /// A tensor as a value that gradients are taken of.
    ///
    /// # Errors
    /// As [`Tape::input`].
    pub fn variable(&mut self, tensor: &Tensor) -> Result<Val> {
        self.leaf("variable", tensor, true)
    }

    fn leaf(&mut self, verb: &'static str, tensor: &Tensor, tracked: bool) -> Result<Val> {
        self.here(verb, tensor.device())?;
        if tensor.dtype() != Dtype::F32 {
            return Err(Error::op(
                verb,
                format!("the tensor holds {}", tensor.dtype()),
                "Pass a tensor of f32; bytes come in through `gather`.",
            ));
        }
        Ok(self.node(tensor.view.clone(), Source::Leaf, vec![], tracked))
    }

    fn here(&self, verb: &'static str, device: &Device) -> Result<()> {
        if device.same(&self.device) {
            return Ok(());
        }
        Err(Error::op(
            verb,
            format!("it is on {} but the tape is for {}", device.id(), self.device.id()),
            "Put all on one device (two openings of the same one are two devices).",
        ))
    }

    /// A parameter as a value. `backward` leaves its gradient in the parameters' gradient buffer.
    ///
    /// # Errors
    /// When there is none of that name, or the parameters are on another device.
    pub fn param(&mut self, params: &Params, name: &str) -> Result<Val> {
        self.here("param", params.device())?;
        let at = params.position(name)?;
        let set = self.params.iter().position(|p| p.same(params)).unwrap_or_else(|| {
            self.params.push(params.clone());
            self.params.len() - 1
        });
        // A parameter is one value however often it is asked for: its gradient is written once and then added to.
        let known = self.nodes.iter().position(|n| matches!(n.source, Source::Param(s, a) if (s, a) == (set, at)));
        Ok(match known {
            Some(index) => Val { tape: self.id, index },
            None => self.node(params.value(at).clone(), Source::Param(set, at), vec![], true),
        })
    }

    /// The dense layer `y = x w^T + b`: `x [B, I]`, `w [O, I]`, `b [O]` give `y [B, O]`.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn dense(&mut self, x: Val, w: Val, b: Val) -> Result<Val> {
        let (xv, wv, bv) = (self.view(x)?.clone(), self.view(w)?.clone(), self.view(b)?.clone());
        let y = self.new_view(Shape::new(&[xv.shape.rows(), wv.shape.rows()])?)?;
        self.value(y.clone(), Op::Dense { x: xv, w: wv, b: bv, y }, &[x, w, b])
    }

    /// `y = max(x, 0)`, elementwise. NaN stays; the derivative at 0 is 0.
    ///
    /// # Errors
    /// When the device fails.
    pub fn relu(&mut self, x: Val) -> Result<Val> {
        self.unary(x, |x, y| Op::Relu { x, y })
    }

    /// `y = 1 / (1 + exp(-x))`, elementwise.
    ///
    /// # Errors
    /// When the device fails.
    pub fn sigmoid(&mut self, x: Val) -> Result<Val> {
        self.unary(x, |x, y| Op::Sigmoid { x, y })
    }

    /// `y = tanh(x)`, elementwise.
    ///
    /// # Errors
    /// When the device fails.
    pub fn tanh(&mut self, x: Val) -> Result<Val> {
        self.unary(x, |x, y| Op::Tanh { x, y })
    }

    /// `y = x * factor`, elementwise.
    ///
    /// # Errors
    /// When the device fails.
    pub fn scale(&mut self, x: Val, factor: f32) -> Result<Val> {
        self.unary(x, |x, y| Op::Scale { x, y, factor })
    }

    fn unary(&mut self, x: Val, op: impl FnOnce(View, View) -> Op) -> Result<Val> {
        let xv = self.view(x)?.clone();
        let y = self.new_view(xv.shape)?;
        self.value(y.clone(), op(xv, y), &[x])
    }

    /// `y = a + b`, elementwise; the result has the shape of a.
    ///
    /// # Errors
    /// When the numbers of elements differ.
    pub fn add(&mut self, a: Val, b: Val) -> Result<Val> {
        let (av, bv) = (self.view(a)?.clone(), self.view(b)?.clone());
        let y = self.new_view(av.shape)?;
        self.value(y.clone(), Op::Add { a: av, b: bv, y }, &[a, b])
    }

    /// The sum of all elements, of shape `[1]`; 0 of none.
    ///
    /// # Errors
    /// When the device fails.
    pub fn sum(&mut self, x: Val) -> Result<Val> {
        let xv = self.view(x)?.clone();
        let work = self.new_view(Shape::new(&[op::chunks(xv.len())])?)?;
        let y = self.new_view(Shape::new(&[1])?)?;
        self.value(y.clone(), Op::Sum { x: xv, work, y }, &[x])
    }

    /// The mean over all elements of `(y - target)^2`, of shape `[1]`.
    ///
    /// # Errors
    /// When the numbers of elements differ, or there are none.
    pub fn mse(&mut self, y: Val, target: Val) -> Result<Val> {
        let (yv, tv) = (self.view(y)?.clone(), self.view(target)?.clone());
        let work = self.new_view(Shape::new(&[op::chunks(yv.len())])?)?;
        let loss = self.new_view(Shape::new(&[1])?)?;
        let scale = (1.0 / yv.len().max(1) as f64) as f32;
        self.value(loss.clone(), Op::Mse { y: yv, target: tv, work, loss, scale }, &[y, target])
    }

    /// The mean over all elements of the binary cross-entropy `-t log s - (1 - t) log(1 - s)`, s = sigmoid(z), of shape `[1]`: taken from the logits z,
    /// so that neither large nor small ones lose it. Targets are probabilities, such as pixels in [0, 1].
    ///
    /// # Errors
    /// When the numbers of elements differ, there are none, or the target is one of what is differentiated.
    pub fn bce_with_logits(&mut self, z: Val, target: Val) -> Result<Val> {
        let (zv, tv) = (self.view(z)?.clone(), self.view(target)?.clone());
        if self.get(target)?.tracked {
            return Err(Error::op(
                "bce",
                "the target depends on a variable or a parameter, and the loss has no derivative by its target",
                "Pass the target with `input`.",
            ));
        }
        let work = self.new_view(Shape::new(&[op::chunks(zv.len())])?)?;
        let loss = self.new_view(Shape::new(&[1])?)?;
        let scale = (1.0 / zv.len().max(1) as f64) as f32;
        self.value(loss.clone(), Op::Bce { z: zv, target: tv, work, loss, scale }, &[z, target])
    }

    /// Scales all gradients of `params` down, so that their norm as one vector is at most `most`: `g = g * min(1, most / (norm + 1e-6))`.
    /// Comes between `backward` and the optimiser's step.
    ///
    /// # Errors
    /// When `most` is not a finite number above 0, or the parameters are on another device.
    pub fn clip_grads(&mut self, params: &Params, most: f32) -> Result<()> {
        let x = params.grads().clone();
        let work = self.new_view(Shape::new(&[op::chunks(x.len())])?)?;
        let square = self.new_view(Shape::new(&[1])?)?;
        self.push(Op::SquareSum { x: x.clone(), work, y: square.clone() })?;
        self.push(Op::Clip { x: x.clone(), square, y: x, most }).map(drop)
    }

    /// The same elements under another shape. Free.
    ///
    /// # Errors
    /// When the shape has another number of elements.
    pub fn reshape(&mut self, x: Val, shape: &[usize]) -> Result<Val> {
        let node = self.get(x)?;
        let (view, tracked) = (tensor::reshaped(&node.view, shape)?, node.tracked);
        Ok(self.node(view, Source::Reshape, vec![x], tracked))
    }

    /// `rows` rows of `data`, f32 or bytes, taken by `order` from the clock's cursor on; past the end the order begins again.
    /// The result has `data`'s shape with `rows` as the first dimension. Bytes become i / 255.
    ///
    /// # Errors
    /// When the order names rows that `data` has not.
    pub fn gather(&mut self, data: &Tensor, order: &Tensor, clock: &Clock, rows: usize) -> Result<Val> {
        let have = data.view.shape.rows();
        if order.below.is_none_or(|below| below as usize > have) {
            let below = order.below.map_or("no".into(), |b| b.to_string());
            return Err(Error::op(
                "gather",
                format!("the order is for {below} rows but the data has {have}"),
                "Make it with `Tensor::indices(device, order, rows of the data)`.",
            ));
        }
        let mut dims = data.shape().to_vec();
        dims[0] = rows;
        let y = self.new_view(Shape::new(&dims)?)?;
        let op = Op::Gather { data: data.view.clone(), order: order.view.clone(), clock: clock.tensor.view.clone(), y: y.clone() };
        self.value(y, op, &[])
    }

    /// Numbers uniform from lo to hi (hi itself comes only by rounding), a function of (seed, purpose, the clock's step, position).
    ///
    /// # Errors
    /// When lo and hi are not finite, or hi is below lo.
    pub fn uniform(&mut self, shape: &[usize], (lo, hi): (f32, f32), seed: u64, purpose: u32, clock: &Clock) -> Result<Val> {
        if !(lo.is_finite() && hi.is_finite() && (hi - lo).is_finite() && lo <= hi) {
            return Err(Error::op("uniform", format!("the range is [{lo}, {hi})"), "Use finite bounds, the lower first."));
        }
        let y = self.new_view(Shape::new(shape)?)?;
        self.value(y.clone(), Op::Uniform { clock: clock.tensor.view.clone(), y, lo, range: hi - lo, seed, purpose }, &[])
    }

    /// A value that is `value` everywhere.
    ///
    /// # Errors
    /// When the shape is none.
    pub fn fill(&mut self, shape: &[usize], value: f32) -> Result<Val> {
        let y = self.new_view(Shape::new(shape)?)?;
        self.value(y.clone(), Op::Fill { y, value }, &[])
    }

    /// Moves the clock: the cursor by `rows`, around the length of `order`; the step by one.
    ///
    /// # Errors
    /// When the order is empty.
    pub fn advance(&mut self, clock: &Clock, rows: usize, order: &Tensor) -> Result<()> {
        self.push_advance(clock, rows, order.view.len())
    }

    pub(crate) fn push_advance(&mut self, clock: &Clock, rows: usize, period: usize) -> Result<()> {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.push(Op::Advance { clock: clock.tensor.view.clone(), rows: small(rows), period: small(period) }).map(drop)
    }

    /// Keeps a value of each step, such as its loss: `ring` has T entries of as many elements as `x`, and the one at the clock's step modulo T becomes `x`.
    ///
    /// ```
    /// use narrows::{Clock, Device, Tape, Tensor};
    /// let device = Device::cpu()?;
    /// let data = Tensor::new(&device, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[3, 2])?;
    /// let (order, clock, ring) = (Tensor::indices(&device, &[2, 0, 1], 3)?, Clock::new(&device)?, Tensor::zeros(&device, &[3, 2])?);
    /// let mut tape = Tape::plan(&device);
    /// let x = tape.gather(&data, &order, &clock, 1)?;
    /// let y = tape.scale(x, 10.0)?;
    /// tape.store(y, &ring, &clock)?;
    /// tape.advance(&clock, 1, &order)?;
    /// tape.compile()?.run(3)?;
    /// assert_eq!(ring.read()?, [50.0, 60.0, 10.0, 20.0, 30.0, 40.0]);
    /// # Ok::<(), narrows::Error>(())
    /// ```
    ///
    /// # Errors
    /// When `x` has no elements, or `ring` not a whole number of entries and at least one.
    pub fn store(&mut self, x: Val, ring: &Tensor, clock: &Clock) -> Result<()> {
        let x = self.view(x)?.clone();
        self.push(Op::Store { x, clock: clock.tensor.view.clone(), ring: ring.view.clone() }).map(drop)
    }

    /// An op without a value, for optimisers.
    pub(crate) fn push_update(&mut self, op: Op) -> Result<()> {
        self.push(op).map(drop)
    }

    /// The numbers of a value, on the host. Waits for the device.
    ///
    /// # Errors
    /// On a tape made by [`Tape::plan`], where nothing has run; or when the device fails.
    pub fn read(&self, val: Val) -> Result<Vec<f32>> {
        let view = self.view(val)?;
        if !self.eager {
            return Err(Error::op(
                "read",
                "the tape only plans, so nothing has run",
                "Compile it and run the program, or use `Tape::new`.",
            ));
        }
        tensor::read(view)
    }

    /// Freezes the list of ops into a program, on which this tape's values stay good.
    ///
    /// # Errors
    /// When the device can't prepare an op.
    pub fn compile(self) -> Result<Program> {
        let slots =
            self.nodes.iter().map(|n| Slot { view: n.view.clone(), written: matches!(n.source, Source::Leaf), grad: n.grad }).collect();
        Program::new(self.id, self.device, self.ops, slots)
    }
}

impl Val {
    /// The index on the tape with that number.
    pub(crate) fn on(self, tape: u64) -> Result<usize> {
        if self.tape == tape {
            return Ok(self.index);
        }
        Err(Error::argument("value", "it belongs to another tape", "Use values only on the tape that made them, or on its program."))
    }
}
