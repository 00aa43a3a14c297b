//! Functions of one number and of two, for each element.

use super::{Tape, Val};
use crate::clock::Clock;
use crate::device::View;
use crate::op::{Map, Op, Zip};
use crate::tensor::Tensor;
use crate::{Error, Result};

impl Tape {
    /// `y = max(x, 0)`, elementwise. NaN stays; the derivative at 0 is 0.
    ///
    /// # Errors
    /// When the device fails.
    pub fn relu(&mut self, x: Val) -> Result<Val> {
        self.map(Map::Relu, x)
    }

    /// `y = x` above 0, else `0.01 x` (Maas et al. 2013, PyTorch's slope), elementwise. The derivative at 0 is 0.01.
    ///
    /// # Errors
    /// When the device fails.
    pub fn leaky(&mut self, x: Val) -> Result<Val> {
        self.map(Map::Leaky, x)
    }

    /// `y = 1 / (1 + exp(-x))`, elementwise.
    ///
    /// # Errors
    /// When the device fails.
    pub fn sigmoid(&mut self, x: Val) -> Result<Val> {
        self.map(Map::Sigmoid, x)
    }

    /// `y = tanh(x)`, elementwise.
    ///
    /// # Errors
    /// When the device fails.
    pub fn tanh(&mut self, x: Val) -> Result<Val> {
        self.map(Map::Tanh, x)
    }

    /// `y = log(1 + exp(x))`, elementwise: a smooth relu, above 0 everywhere.
    ///
    /// # Errors
    /// When the device fails.
    pub fn softplus(&mut self, x: Val) -> Result<Val> {
        self.map(Map::Softplus, x)
    }

    /// `y = x sigmoid(x)`, elementwise: silu, or swish (Elfwing et al. 2018).
    ///
    /// # Errors
    /// When the device fails.
    pub fn silu(&mut self, x: Val) -> Result<Val> {
        self.map(Map::Silu, x)
    }

    /// `y = exp(x)`, elementwise.
    ///
    /// # Errors
    /// When the device fails.
    pub fn exp(&mut self, x: Val) -> Result<Val> {
        self.map(Map::Exp, x)
    }

    /// `y = |x|`, elementwise. The derivative at 0 is 0.
    ///
    /// # Errors
    /// When the device fails.
    pub fn abs(&mut self, x: Val) -> Result<Val> {
        self.map(Map::Abs, x)
    }

    /// `y = x`, but at least `lo` and at most `hi`, elementwise. NaN stays. The derivative is 0 outside, and 1 inside
    /// and at both bounds. An infinite bound bounds nothing.
    ///
    /// # Errors
    /// When `lo` is above `hi`, or one of them is NaN.
    pub fn clamp(&mut self, x: Val, lo: f32, hi: f32) -> Result<Val> {
        self.unary(x, |x, y| Op::Clamp { x, y, lo, hi })
    }

    /// `y = x * factor`, elementwise.
    ///
    /// # Errors
    /// When the device fails.
    pub fn scale(&mut self, x: Val, factor: f32) -> Result<Val> {
        self.unary(x, |x, y| Op::Scale { x, y, factor })
    }

    /// `y = x * table[min(step, T - 1), column]`, elementwise: `table [T, C]` has what changes with the step, such as a
    /// weight that warms up, and the clock has the step. After the table's end its last row stays. The table has no
    /// gradient.
    ///
    /// ```
    /// use narrows::{Clock, Device, Tape, Tensor};
    /// let device = Device::cpu()?;
    /// let (warm_up, clock) = (Tensor::new(&device, &[0.0, 0.5, 1.0], &[3, 1])?, Clock::new(&device)?);
    /// let order = Tensor::indices(&device, &[0], 1)?;
    /// let mut tape = Tape::plan(&device);
    /// let x = tape.input(&Tensor::new(&device, &[8.0], &[1])?)?;
    /// let y = tape.scale_by(x, &warm_up, 0, &clock)?;
    /// tape.advance(&clock, 1, &order)?;
    /// let mut program = tape.compile()?;
    /// for want in [0.0, 4.0, 8.0, 8.0] {
    ///     program.run(1)?;
    ///     assert_eq!(program.read(y)?, [want]);
    /// }
    /// # Ok::<(), narrows::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the table is no matrix, has no row or has no such column.
    pub fn scale_by(&mut self, x: Val, table: &Tensor, column: usize, clock: &Clock) -> Result<Val> {
        let shape = table.view.shape;
        if shape.dims().len() != 2 || column >= shape.columns() {
            return Err(Error::op(
                "scale_by",
                format!("column {column} of a table of {shape}"),
                "Write a row for each step, and count the columns from 0.",
            ));
        }
        let (table, clock, column) = (table.view.clone(), clock.tensor.view.clone(), column as u32);
        self.unary(x, |x, y| Op::ScaleBy { x, table, clock, y, column })
    }

    /// `y = a + b`, elementwise; the result has the shape of a.
    ///
    /// # Errors
    /// When the numbers of elements differ.
    pub fn add(&mut self, a: Val, b: Val) -> Result<Val> {
        self.zip(Zip::Add, a, b)
    }

    /// `y = a * b`, elementwise; the result has the shape of a.
    ///
    /// # Errors
    /// When the numbers of elements differ.
    pub fn mul(&mut self, a: Val, b: Val) -> Result<Val> {
        self.zip(Zip::Mul, a, b)
    }

    /// `y = a + factor * b`, elementwise, rounded once; the result has the shape of a.
    ///
    /// # Errors
    /// When the numbers of elements differ.
    pub fn axpy(&mut self, a: Val, b: Val, factor: f32) -> Result<Val> {
        self.binary(a, b, |a, b, y| Op::Axpy { a, b, y, factor })
    }

    /// `y = mu^2 + exp(logvar) - logvar - 1`, elementwise; the result has the shape of mu. Half of it is the divergence
    /// that [`Tape::kl`] sums, number by number: for the divergence of each unit, and for free bits.
    ///
    /// # Errors
    /// When the numbers of elements differ.
    pub fn kl_terms(&mut self, mu: Val, logvar: Val) -> Result<Val> {
        self.zip(Zip::KlTerms, mu, logvar)
    }

    fn map(&mut self, f: Map, x: Val) -> Result<Val> {
        self.unary(x, |x, y| Op::Map { f, x, y })
    }

    /// `dx = dy f'(x)`, elementwise, as a value.
    pub(crate) fn map_grad(&mut self, f: Map, x: Val, dy: Val) -> Result<Val> {
        let (xv, dyv) = (self.view(x)?.clone(), self.view(dy)?.clone());
        let dx = self.new_view(xv.shape)?;
        self.value(dx.clone(), Op::MapGrad { f, x: xv, dy: dyv, dx }, &[x, dy])
    }

    fn zip(&mut self, f: Zip, a: Val, b: Val) -> Result<Val> {
        self.binary(a, b, |a, b, y| Op::Zip { f, a, b, y })
    }

    fn binary(&mut self, a: Val, b: Val, op: impl FnOnce(View, View, View) -> Op) -> Result<Val> {
        let (av, bv) = (self.view(a)?.clone(), self.view(b)?.clone());
        let y = self.new_view(av.shape)?;
        self.value(y.clone(), op(av, bv, y), &[a, b])
    }

    pub(super) fn unary(&mut self, x: Val, op: impl FnOnce(View, View) -> Op) -> Result<Val> {
        let xv = self.view(x)?.clone();
        let y = self.new_view(xv.shape)?;
        self.value(y.clone(), op(xv, y), &[x])
    }
}
