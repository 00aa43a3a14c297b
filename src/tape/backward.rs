//! Gradients: the list of ops read backwards, each by its rule in the derivative table, and where the parts of a gradient meet.

use super::{Node, Source, Tape, Val};
use crate::device::View;
use crate::op::{Op, Zip};
use crate::{Error, Result, grad};

impl Tape {
    /// Pushes the ops that compute the gradient of `loss`, one number, with respect to every variable and parameter that it depends on.
    /// Gradients of parameters that it does not depend on are set to 0. A second call computes all of them afresh: nothing accumulates.
    ///
    /// # Errors
    /// When the loss is not one number, depends on nothing that is differentiated, or is made of gradients.
    pub fn backward(&mut self, loss: Val) -> Result<()> {
        let node = self.get(loss)?;
        if node.view.len() != 1 {
            return Err(Error::op(
                "backward",
                format!("the loss has {} elements ({})", node.view.len(), node.view.shape),
                "Reduce it with `sum` or `mse`.",
            ));
        }
        if !node.tracked {
            return Err(Error::op(
                "backward",
                "the loss depends on no variable and no parameter",
                "Use `variable` or `param` for what is to be differentiated.",
            ));
        }
        if self.ancestors(loss).any(|n| matches!(n.source, Source::Gradient)) {
            return Err(Error::op(
                "backward",
                "the loss is made of gradients, which have no derivatives",
                "Take gradients of a loss that is not itself made of gradients.",
            ));
        }
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
                Source::Op(at) => grad::derivative(self, self.ops[at].clone(), &inputs, dy)?,
                Source::Reshape => self.pass(inputs[0], dy)?,
                // No gradient is an ancestor of the loss.
                Source::Leaf | Source::Param(..) | Source::Gradient => {}
            }
        }
        self.clear_unreached()
    }

    /// What a value was computed from, itself included.
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

    /// One fill with 0 for each parameter gradient that `backward` did not reach.
    fn clear_unreached(&mut self) -> Result<()> {
        let reached = |set: usize, at: usize, nodes: &[Node]| {
            nodes.iter().any(|n| n.grad.is_some() && matches!(n.source, Source::Param(s, a) if (s, a) == (set, at)))
        };
        let unreached: Vec<View> = self
            .params
            .iter()
            .enumerate()
            .flat_map(|(set, params)| (0..params.count()).map(move |at| (set, at, params.grad(at).clone())))
            .filter(|(set, at, _)| !reached(*set, *at, &self.nodes))
            .map(|(_, _, grad)| grad)
            .collect();
        for grad in unreached {
            self.push(Op::Fill { y: grad, value: 0.0 })?;
        }
        Ok(())
    }

    /// Adds to the gradient of `input` what `op` computes into the view that it is given.
    pub(crate) fn contribute(&mut self, input: Val, op: impl FnOnce(View) -> Op) -> Result<()> {
        let node = &self.nodes[input.index];
        if !node.tracked {
            return Ok(());
        }
        let first = node.grad.is_none();
        let to = match node.source {
            Source::Param(set, at) if first => self.params[set].grad(at).clone(),
            _ => self.new_view(node.view.shape)?,
        };
        self.push(op(to.clone()))?;
        let part = self.node(to, Source::Gradient, vec![], true);
        if first {
            self.nodes[input.index].grad = Some(part);
            return Ok(());
        }
        self.accumulate(input, part)
    }

    /// Adds `dy` to the gradient of `input` as it is.
    pub(crate) fn pass(&mut self, input: Val, dy: Val) -> Result<()> {
        let node = &self.nodes[input.index];
        if !node.tracked {
            return Ok(());
        }
        // `add` takes operands of different shapes with as many elements; each gradient has the shape of its own value.
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
        // A parameter's gradient has its place; every other gradient may be somebody else's as well, so the sum gets a place of its own.
        let (a, b) = (self.view(sum)?.clone(), self.view(part)?.clone());
        let y = if let Source::Param(..) = node.source { a.clone() } else { self.new_view(node.view.shape)? };
        self.push(Op::Zip { f: Zip::Add, a, b, y: y.clone() })?;
        let total = self.node(y, Source::Gradient, vec![], true);
        self.nodes[input.index].grad = Some(total);
        Ok(())
    }

    /// The gradient that the last [`Tape::backward`] computed of a value. That of a parameter lies in the parameters' gradient buffer, which the next
    /// `backward` writes anew.
    ///
    /// # Errors
    /// When it computed none: the loss does not depend on the value, or there was no `backward`.
    pub fn grad(&self, val: Val) -> Result<Val> {
        self.get(val)?.grad.ok_or_else(|| {
            Error::op(
                "grad",
                "there is no gradient of this value",
                "Call `backward` on a loss that depends on it, and make it with `variable` or `param`.",
            )
        })
    }
}
