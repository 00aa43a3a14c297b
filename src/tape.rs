//! Tapes: they run ops as they are called, and record them. Gradients are in `tape/backward.rs`.

mod backward;
mod choose;
mod elementwise;
mod layers;
mod losses;
mod random;
mod rows;

use crate::device::View;
use crate::op::Op;
use crate::params::Params;
use crate::program::{Program, Slot};
use crate::tensor::{self, Tensor};
use crate::val::Val;
use crate::{Device, Dtype, Error, Result, Shape};
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs ops as they are called ([`Tape::new`]) or only checks and records them ([`Tape::plan`]); gives gradients;
/// compiles into a [`Program`].
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
    /// By node: whether the current `backward` takes its gradient.
    wanted: Vec<bool>,
}

#[derive(Debug)]
struct Node {
    view: View,
    source: Source,
    /// In the order of the tape method's arguments.
    inputs: Vec<Val>,
    /// Whether it has a gradient: it is, or depends on, a variable or a parameter.
    tracked: bool,
    grad: Option<Val>,
}

#[derive(Clone, Debug)]
enum Source {
    /// A tensor that the user passed in.
    Leaf,
    /// A parameter: its set, and its index there.
    Param(usize, usize),
    /// The op with this index.
    Op(usize),
    Reshape,
    /// A value without history.
    Constant,
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
        Tape { id, device: device.clone(), eager, ops: Vec::new(), nodes: Vec::new(), params: Vec::new(), wanted: Vec::new() }
    }

    pub(crate) fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// The device whose ops it records.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Every op passes through here.
    fn push(&mut self, op: Op) -> Result<usize> {
        op.check()?;
        let at = op.result().device();
        if !at.same(&self.device) {
            return Err(Error::op(
                op.name(),
                format!("its operands are on {} but the tape is for {}", at.id(), self.device.id()),
                "Put everything on one device.",
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

    /// A tensor as a value. It is the tensor itself, not a copy: `program.write` on it writes the tensor. It has no
    /// gradient.
    ///
    /// # Errors
    /// When the tensor is on another device or does not hold f32.
    pub fn input(&mut self, tensor: &Tensor) -> Result<Val> {
        self.leaf("input", tensor, false)
    }

    /// A tensor as a value that has a gradient.
    ///
    /// # Errors
    /// As [`Tape::input`].
    pub fn variable(&mut self, tensor: &Tensor) -> Result<Val> {
        self.leaf("variable", tensor, true)
    }

    fn leaf(&mut self, verb: &'static str, tensor: &Tensor, tracked: bool) -> Result<Val> {
        self.here(verb, tensor.device())?;
        if tensor.dtype() != Dtype::F32 {
            return Err(Error::op(verb, format!("the tensor holds {}", tensor.dtype()), "Pass a tensor of f32; use `gather` for bytes."));
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
            "Put everything on one device (opening the same one twice gives two devices).",
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
        // A parameter is one value however often it is requested: its gradient is written once and then added to.
        let known = self.nodes.iter().position(|n| matches!(n.source, Source::Param(s, a) if (s, a) == (set, at)));
        Ok(match known {
            Some(index) => Val { tape: self.id, index },
            None => self.node(params.value(at).clone(), Source::Param(set, at), vec![], true),
        })
    }

    /// A parameter as a constant: it has no gradient. The value that [`Tape::param`] gives of the same parameter still
    /// has one.
    ///
    /// # Errors
    /// When there is none of that name, or the parameters are on another device.
    pub fn frozen(&mut self, params: &Params, name: &str) -> Result<Val> {
        self.here("frozen", params.device())?;
        let at = params.position(name)?;
        Ok(self.node(params.value(at).clone(), Source::Constant, vec![], false))
    }

    /// The same elements without their history: no gradient passes through. Costs nothing.
    ///
    /// # Errors
    /// When the value belongs to another tape.
    pub fn detach(&mut self, x: Val) -> Result<Val> {
        let view = self.view(x)?.clone();
        Ok(self.node(view, Source::Constant, vec![], false))
    }

    /// The same elements in another shape. Costs nothing.
    ///
    /// # Errors
    /// When the shape has another number of elements.
    pub fn reshape(&mut self, x: Val, shape: &[usize]) -> Result<Val> {
        let node = self.get(x)?;
        let (view, tracked) = (tensor::reshaped(&node.view, shape)?, node.tracked);
        Ok(self.node(view, Source::Reshape, vec![x], tracked))
    }

    /// Pushes an op that has no value, for optimisers.
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

    /// Freezes the list of ops into a program. This tape's values stay valid in it.
    ///
    /// # Errors
    /// When the device can't prepare an op.
    pub fn compile(self) -> Result<Program> {
        let slots =
            self.nodes.iter().map(|n| Slot { view: n.view.clone(), written: matches!(n.source, Source::Leaf), grad: n.grad }).collect();
        Program::new(self.id, self.device, self.ops, slots)
    }
}
