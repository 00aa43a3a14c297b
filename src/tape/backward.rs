//! Gradients: the list of ops read backwards, each by its rule in the derivative table, and the sums of the parts of a
//! gradient.

use super::{Node, Source, Tape, Val};
use crate::device::View;
use crate::op::{Op, Zip};
use crate::params::Params;
use crate::{Error, Result, Shape, grad};

impl Tape {
    /// Pushes the ops that compute the gradient of `loss`, one number, with respect to every variable and parameter
    /// that it depends on. Gradients of parameters that it does not depend on are set to 0. A second call computes all
    /// of them again: nothing accumulates.
    ///
    /// # Errors
    /// When the loss is not one number, depends on no variable or parameter, or is made of gradients; or when a weight
    /// or a value that a gradient needs has been written since the loss was computed from it.
    pub fn backward(&mut self, loss: Val) -> Result<()> {
        self.check_loss(loss)?;
        if !self.get(loss)?.tracked {
            return Err(Error::op(
                "backward",
                "the loss depends on no variable and no parameter",
                "Use `variable` or `param` for what needs a gradient.",
            ));
        }
        self.wanted = self.nodes.iter().map(|n| n.tracked).collect();
        self.differentiate(loss)?;
        let all = self.params.iter().enumerate().flat_map(|(set, params)| (0..params.count()).map(move |at| (set, at))).collect();
        self.clear_unreached(all)
    }

    /// Pushes the ops that compute the gradient of `loss` with respect to the parameters of one group. In this pass
    /// everything else is constant: no other gradient is computed, and the gradients of other groups stay as they are.
    /// Gradients of the group that the loss does not depend on are set to 0.
    ///
    /// ```
    /// use narrows::{Device, Params, Tape};
    /// let device = Device::cpu()?;
    /// let one = |name: &str| vec![(name.to_string(), vec![1])];
    /// let params = Params::in_groups(&device, &[("left", one("a")), ("right", one("b"))], &[])?;
    /// let mut tape = Tape::new(&device);
    /// let (a, b) = (tape.param(&params, "a")?, tape.param(&params, "b")?);
    /// let sum = tape.add(a, b)?;
    /// let loss = tape.scale(sum, 3.0)?;
    /// tape.backward_on(loss, &params, "right")?;
    /// assert_eq!((params.read_grad("a")?, params.read_grad("b")?), (vec![0.0], vec![3.0]));
    /// # Ok::<(), narrows::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there is no such group, the loss depends on no parameter of it, or as [`Tape::backward`].
    pub fn backward_on(&mut self, loss: Val, params: &Params, group: &str) -> Result<()> {
        self.check_loss(loss)?;
        let entries = params.group(group)?.entries.clone();
        let set = self.params.iter().position(|p| p.same(params));
        self.wanted = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let own = matches!(node.source, Source::Param(s, at) if Some(s) == set && entries.contains(&at));
            let wanted = own || node.tracked && node.inputs.iter().any(|input| self.wanted[input.index]);
            self.wanted.push(wanted);
        }
        let Some(set) = set.filter(|_| self.wanted[loss.index]) else {
            return Err(Error::op(
                "backward",
                format!("the loss depends on no parameter of the group `{group}`"),
                "Name the group that the loss trains, and use `param` for its parameters, not `frozen`.",
            ));
        };
        self.differentiate(loss)?;
        self.clear_unreached(entries.map(|at| (set, at)).collect())
    }

    fn check_loss(&self, loss: Val) -> Result<()> {
        let view = self.view(loss)?;
        if view.len() != 1 {
            return Err(Error::op(
                "backward",
                format!("the loss has {} elements ({})", view.len(), view.shape),
                "Reduce it with `sum` or `mse`.",
            ));
        }
        if self.ancestors(loss).any(|n| matches!(n.source, Source::Gradient)) {
            return Err(Error::op(
                "backward",
                "the loss is made of gradients, which have no derivatives",
                "Take gradients of a loss that is not itself made of gradients.",
            ));
        }
        Ok(())
    }

    /// Reads the list backwards from the loss, towards everything that needs a gradient.
    fn differentiate(&mut self, loss: Val) -> Result<()> {
        let seed = self.new_view(self.view(loss)?.shape)?;
        self.nodes.iter_mut().for_each(|n| n.grad = None);
        self.push(Op::Fill { y: seed.clone(), value: 1.0 })?;
        let seed = self.node(seed, Source::Gradient, vec![], true);
        self.pass(loss, seed)?;
        for index in (0..=loss.index).rev() {
            let node = &self.nodes[index];
            let Some(dy) = node.grad else { continue };
            let (source, inputs) = (node.source.clone(), node.inputs.clone());
            match source {
                Source::Op(at) => {
                    let pushed = self.ops.len();
                    grad::derivative(self, self.ops[at].clone(), &inputs, dy)?;
                    self.check_fresh(at, pushed)?;
                }
                Source::Reshape => self.pass(inputs[0], dy)?,
                // No ancestor of the loss is a gradient.
                Source::Leaf | Source::Constant | Source::Param(..) | Source::Gradient => {}
            }
        }
        Ok(())
    }

    /// Rejects a derivative, among the ops from `pushed` on, that reads an operand of the op `at` which another op has
    /// written since.
    fn check_fresh(&self, at: usize, pushed: usize) -> Result<()> {
        let op = &self.ops[at];
        let own = |view: &View| op.form().operands().find(|own| own.of.identical(view));
        for operand in self.ops[pushed..].iter().flat_map(Op::reads).filter_map(own) {
            let mut between = self.ops[at + 1..pushed].iter();
            if let Some(writer) = between.find(|op| op.writes().any(|written| written.overlaps(operand.of))) {
                return Err(Error::op(
                    op.name(),
                    format!("its gradient needs {} as it was, and `{}` has written it since", operand.name, writer.name()),
                    "Compute the loss again after the optimiser's step, or take all gradients before it.",
                ));
            }
        }
        Ok(())
    }

    /// Everything that a value was computed from, including itself.
    fn ancestors(&self, val: Val) -> impl Iterator<Item = &Node> {
        let mut reached = vec![false; val.index + 1];
        reached[val.index] = true;
        for index in (0..=val.index).rev() {
            if reached[index] {
                self.nodes[index].inputs.iter().for_each(|input| reached[input.index] = true);
            }
        }
        self.nodes.iter().zip(reached).filter_map(|(node, reached)| reached.then_some(node))
    }

    /// A fill with 0 for each of these parameter gradients that was not reached.
    fn clear_unreached(&mut self, all: Vec<(usize, usize)>) -> Result<()> {
        for (set, at) in all {
            let reached = |n: &Node| n.grad.is_some() && matches!(n.source, Source::Param(s, a) if (s, a) == (set, at));
            if !self.nodes.iter().any(reached) {
                let grad = self.params[set].grad(at).clone();
                self.push(Op::Fill { y: grad, value: 0.0 })?;
            }
        }
        Ok(())
    }

    /// Whether the current `backward` takes the gradient of this value. Values made since it began are gradients
    /// themselves.
    fn wants(&self, val: Val) -> bool {
        self.wanted.get(val.index).copied().unwrap_or(false)
    }

    /// Adds to the gradient of `input` what `op` computes; `op` is given the view to write to.
    pub(crate) fn contribute(&mut self, input: Val, op: impl FnOnce(View) -> Op) -> Result<()> {
        self.contribute_after(input, |_, to| Ok(op(to)))
    }

    /// As [`Tape::contribute`], for what takes several ops: `last` pushes all but the last of them and gives that.
    pub(crate) fn contribute_after(&mut self, input: Val, last: impl FnOnce(&mut Tape, View) -> Result<Op>) -> Result<()> {
        if !self.wants(input) {
            return Ok(());
        }
        let node = &self.nodes[input.index];
        let first = node.grad.is_none();
        let to = match node.source {
            Source::Param(set, at) if first => self.params[set].grad(at).clone(),
            _ => self.new_view(node.view.shape)?,
        };
        let op = last(self, to.clone())?;
        self.push(op)?;
        let part = self.node(to, Source::Gradient, vec![], true);
        if first {
            self.nodes[input.index].grad = Some(part);
            return Ok(());
        }
        self.accumulate(input, part)
    }

    /// A step on the way to a gradient: what `op` computes, in a view of that shape.
    pub(crate) fn step(&mut self, shape: Shape, op: impl FnOnce(View) -> Op) -> Result<View> {
        let to = self.new_view(shape)?;
        self.push(op(to.clone()))?;
        Ok(to)
    }

    /// Adds `dy`, unchanged, to the gradient of `input`.
    pub(crate) fn pass(&mut self, input: Val, dy: Val) -> Result<()> {
        if !self.wants(input) {
            return Ok(());
        }
        let node = &self.nodes[input.index];
        // `add` takes operands of different shapes with the same number of elements; each gradient has the shape of its
        // value.
        let (shape, view) = (node.view.shape, self.view(dy)?.clone());
        let dy = if view.shape == shape { dy } else { self.node(View { shape, ..view }, Source::Gradient, vec![], true) };
        let node = &self.nodes[input.index];
        if node.grad.is_some() {
            return self.accumulate(input, dy);
        }
        if let Source::Param(..) = node.source {
            let x = self.view(dy)?.clone();
            return self.contribute(input, |y| Op::Copy { x, y });
        }
        self.nodes[input.index].grad = Some(dy);
        Ok(())
    }

    fn accumulate(&mut self, input: Val, part: Val) -> Result<()> {
        let node = &self.nodes[input.index];
        let Some(sum) = node.grad else { return Ok(()) };
        // A parameter's gradient has a fixed place. Any other gradient may also belong to another value, so the sum
        // gets a new view.
        let (a, b) = (self.view(sum)?.clone(), self.view(part)?.clone());
        let y = if let Source::Param(..) = node.source { a.clone() } else { self.new_view(node.view.shape)? };
        self.push(Op::Zip { f: Zip::Add, a, b, y: y.clone() })?;
        let total = self.node(y, Source::Gradient, vec![], true);
        self.nodes[input.index].grad = Some(total);
        Ok(())
    }

    /// The gradient of a value, from the last [`Tape::backward`]. A parameter's gradient lies in the parameters'
    /// gradient buffer, which the next `backward` overwrites.
    ///
    /// # Errors
    /// When there is none: the loss does not depend on the value, or there was no `backward`.
    pub fn grad(&self, val: Val) -> Result<Val> {
        self.get(val)?.grad.ok_or_else(|| {
            Error::op(
                "grad",
                "this value has no gradient",
                "Call `backward` on a loss that depends on it, and make it with `variable` or `param`.",
            )
        })
    }
}
