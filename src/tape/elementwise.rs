//! Functions of one number and of two, for each element.

use super::{Tape, Val};
use crate::Result;
use crate::device::View;
use crate::op::{Map, Op, Zip};

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

    /// `y = x * factor`, elementwise.
    ///
    /// # Errors
    /// When the device fails.
    pub fn scale(&mut self, x: Val, factor: f32) -> Result<Val> {
        self.unary(x, |x, y| Op::Scale { x, y, factor })
    }

    /// `y = a + b`, elementwise; the result has the shape of a.
    ///
    /// # Errors
    /// When the numbers of elements differ.
    pub fn add(&mut self, a: Val, b: Val) -> Result<Val> {
        self.zip(Zip::Add, a, b)
    }

    fn map(&mut self, f: Map, x: Val) -> Result<Val> {
        self.unary(x, |x, y| Op::Map { f, x, y })
    }

    fn zip(&mut self, f: Zip, a: Val, b: Val) -> Result<Val> {
        let (av, bv) = (self.view(a)?.clone(), self.view(b)?.clone());
        let y = self.new_view(av.shape)?;
        self.value(y.clone(), Op::Zip { f, a: av, b: bv, y }, &[a, b])
    }

    pub(super) fn unary(&mut self, x: Val, op: impl FnOnce(View, View) -> Op) -> Result<Val> {
        let xv = self.view(x)?.clone();
        let y = self.new_view(xv.shape)?;
        self.value(y.clone(), op(xv, y), &[x])
    }
}
