//! Sums over all elements: losses, and the norm of gradients.

use super::{Tape, Val};
use crate::device::View;
use crate::op::{Op, Term, chunks};
use crate::params::Params;
use crate::tensor::Tensor;
use crate::{Error, Result, Shape};

impl Tape {
    /// The sum of all elements, of shape `[1]`; 0 if there are none.
    ///
    /// # Errors
    /// When the device fails.
    pub fn sum(&mut self, x: Val) -> Result<Val> {
        self.reduce(Term::Sum, x, None, 1.0)
    }

    /// `scale` times the sum of the absolute values of all elements, of shape `[1]`; 0 if there are none. The
    /// derivative of an absolute value at 0 is 0.
    ///
    /// # Errors
    /// When the device fails.
    pub fn abs_sum(&mut self, x: Val, scale: f32) -> Result<Val> {
        self.reduce(Term::AbsSum, x, None, scale)
    }

    /// `scale` times the sum over all elements of `mu^2 + exp(logvar) - logvar - 1`, of shape `[1]`; 0 if there are
    /// none. With `scale` = 1/2 / rows it is the divergence (Kullback and Leibler) of N(mu, exp(logvar)) from N(0, 1),
    /// the mean over rows, in nats (Kingma and Welling 2014, appendix B).
    ///
    /// # Errors
    /// When the numbers of elements differ.
    pub fn kl(&mut self, mu: Val, logvar: Val, scale: f32) -> Result<Val> {
        self.reduce(Term::Kl, mu, Some(logvar), scale)
    }

    /// The mean over all elements of `(y - target)^2`, of shape `[1]`.
    ///
    /// # Errors
    /// When the numbers of elements differ, or there are none.
    pub fn mse(&mut self, y: Val, target: Val) -> Result<Val> {
        let scale = self.one_over(y)?;
        self.squares(y, target, scale)
    }

    /// `scale` times the sum over all elements of `(y - target)^2`.
    pub(crate) fn squares(&mut self, y: Val, target: Val, scale: f32) -> Result<Val> {
        self.reduce(Term::Mse, y, Some(target), scale)
    }

    /// The mean over all elements of the binary cross-entropy `-t log s - (1 - t) log(1 - s)`, s = sigmoid(z), of shape
    /// `[1]`. It is computed from the logits z, so that large and small ones lose no precision. Targets are
    /// probabilities, such as pixels in [0, 1].
    ///
    /// # Errors
    /// When the numbers of elements differ, there are none, or the target depends on a variable or a parameter.
    pub fn bce_with_logits(&mut self, z: Val, target: Val) -> Result<Val> {
        let scale = self.one_over(z)?;
        self.entropies(z, target, scale)
    }

    /// `scale` times the sum over all elements of what [`Tape::bce_with_logits`] takes the mean of.
    pub(crate) fn entropies(&mut self, z: Val, target: Val, scale: f32) -> Result<Val> {
        if self.get(target)?.tracked {
            return Err(Error::op(
                "bce",
                "the target depends on a variable or a parameter, and the loss has no derivative with respect to its target",
                "Pass the target with `input`.",
            ));
        }
        self.reduce(Term::Bce, z, Some(target), scale)
    }

    /// The mean over all rows of the cross-entropy of softmax(z) and a label, `ln sum_c exp(z[r, c]) - z[r, label[r]]`,
    /// of shape `[1]`: `z [R, C]`, a number for each of C classes; R labels below C, as [`Tensor::indices`] makes them.
    /// The largest z of a row is taken out before the exponentials, so that none overflows.
    ///
    /// ```
    /// use narrows::{Device, Tape, Tensor};
    /// let device = Device::cpu()?;
    /// let labels = Tensor::indices(&device, &[2, 0], 3)?;
    /// let mut tape = Tape::new(&device);
    /// let z = tape.variable(&Tensor::new(&device, &[0.0, 0.0, 0.0, 1000.0, 0.0, 0.0], &[2, 3])?)?;
    /// let loss = tape.xent(z, &labels)?;
    /// tape.backward(loss)?;
    /// // One row knows nothing, the other is sure and right.
    /// assert!((tape.read(loss)?[0] - 3f32.ln() / 2.0).abs() < 1e-6);
    /// assert_eq!(tape.read(tape.grad(z)?)?[3..], [0.0; 3]);
    /// # Ok::<(), narrows::Error>(())
    /// ```
    ///
    /// # Errors
    /// When z is not a matrix or has no elements, there is not a label for each row, or the labels were made for more
    /// classes than z has.
    pub fn xent(&mut self, z: Val, labels: &Tensor) -> Result<Val> {
        let zv = self.view(z)?.clone();
        let (rows, classes) = (zv.shape.rows(), zv.shape.columns());
        if labels.below.is_none_or(|below| below as usize > classes) {
            let below = labels.below.map_or("no".into(), |b| b.to_string());
            return Err(Error::op(
                "xent",
                format!("the labels are for {below} classes but z has {classes} columns (z is {})", zv.shape),
                "Make them with `Tensor::indices(device, labels, columns of z)`.",
            ));
        }
        if zv.len() == 0 {
            return Err(Error::op(
                "xent",
                format!("a mean over no elements (z is {})", zv.shape),
                "Pass at least one row of at least one class.",
            ));
        }
        let of = |n: usize| self.new_view(Shape::new(&[n])?);
        let (lse, loss) = (of(rows)?, of(rows)?);
        let each = self.value(loss.clone(), Op::Xent { z: zv, label: labels.view.clone(), lse, loss }, &[z])?;
        self.reduce(Term::Sum, each, None, (1.0 / rows as f64) as f32)
    }

    /// How far the mean activities `q` of units are from a wanted one, of shape `[1]`: the sum over all units of
    /// `rho ln(rho / q) + (1 - rho) ln((1 - rho) / (1 - q))`, the Kullback-Leibler divergence of Bernoulli(rho) from
    /// Bernoulli(q). It is the sparsity penalty of Ng's lecture notes ("Sparse autoencoder", 2011).
    ///
    /// q is the means over a batch of a code between 0 and 1: `dense_db` of it, times 1 / B. It is kept 2^-20 away from
    /// 0 and 1, and the derivative is that at the kept value, so that a unit that is off in all rows still feels it.
    ///
    /// ```
    /// use narrows::{Device, Tape, Tensor};
    /// let device = Device::cpu()?;
    /// let mut tape = Tape::new(&device);
    /// let code = tape.variable(&Tensor::new(&device, &[0.9, 0.1, 0.7, 0.3], &[2, 2])?)?;
    /// let sums = tape.dense_db(code)?;
    /// let q = tape.scale(sums, 0.5)?;
    /// let penalty = tape.rho_kl(q, 0.2)?;
    /// tape.backward(penalty)?;
    /// // The first unit is on far too often; the second is right.
    /// let grad = tape.read(tape.grad(code)?)?;
    /// assert!(grad[0] > 1.0 && grad[1].abs() < 1e-6);
    /// # Ok::<(), narrows::Error>(())
    /// ```
    ///
    /// # Errors
    /// When `rho` is not in (0, 1), or q has no elements.
    pub fn rho_kl(&mut self, q: Val, rho: f32) -> Result<Val> {
        if !(rho > 0.0 && rho < 1.0) {
            return Err(Error::op("rho_kl", format!("the wanted activity is {rho}"), "Use a number between 0 and 1, such as 0.05."));
        }
        let shape = self.view(q)?.shape;
        let target = self.fill(shape.dims(), rho)?;
        self.reduce(Term::RhoKl, q, Some(target), 1.0)
    }

    /// Scales all gradients of `params` down, so that their norm as one vector is at most `most`:
    /// `g = g * min(1, most / (norm + 1e-6))`. Call it between `backward` and the optimiser's step.
    ///
    /// # Errors
    /// When `most` is not a finite number above 0, or the parameters are on another device.
    pub fn clip_grads(&mut self, params: &Params, most: f32) -> Result<()> {
        self.clip(params.grads().clone(), most)
    }

    /// Scales the gradients of one group down, as [`Tape::clip_grads`] does those of all.
    ///
    /// # Errors
    /// When there is no such group, or as [`Tape::clip_grads`].
    pub fn clip_grads_on(&mut self, params: &Params, group: &str, most: f32) -> Result<()> {
        self.clip(params.group(group)?.part(params.grads()), most)
    }

    fn clip(&mut self, x: View, most: f32) -> Result<()> {
        let parts = self.new_view(Shape::new(&[chunks(x.len())])?)?;
        let square = self.new_view(Shape::new(&[1])?)?;
        self.push(Op::Reduce { f: Term::SquareSum, x: x.clone(), other: None, parts, y: square.clone(), scale: 1.0 })?;
        self.push(Op::Clip { x: x.clone(), square, y: x, most }).map(drop)
    }

    /// 1 over the number of elements, rounded once.
    fn one_over(&self, x: Val) -> Result<f32> {
        Ok((1.0 / self.view(x)?.len().max(1) as f64) as f32)
    }

    fn reduce(&mut self, f: Term, x: Val, other: Option<Val>, scale: f32) -> Result<Val> {
        let xv = self.view(x)?.clone();
        let otherv = other.map(|other| self.view(other).cloned()).transpose()?;
        let parts = self.new_view(Shape::new(&[chunks(xv.len())])?)?;
        let y = self.new_view(Shape::new(&[1])?)?;
        let inputs: Vec<Val> = [x].into_iter().chain(other).collect();
        self.value(y.clone(), Op::Reduce { f, x: xv, other: otherv, parts, y, scale }, &inputs)
    }
}
