//! The dense layer, and the products of which its gradients consist.

use super::{Tape, Val};
use crate::op::Op;
use crate::{Result, Shape};

impl Tape {
    /// The dense layer `y = x w^T + b`: `x [B, I]`, `w [O, I]`, `b [O]` or `None` give `y [B, O]`.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn dense(&mut self, x: Val, w: Val, b: impl Into<Option<Val>>) -> Result<Val> {
        let b = b.into();
        let (xv, wv) = (self.view(x)?.clone(), self.view(w)?.clone());
        let bv = b.map(|b| self.view(b).cloned()).transpose()?;
        let y = self.new_view(Shape::new(&[xv.shape.rows(), wv.shape.rows()])?)?;
        let inputs: Vec<Val> = [x, w].into_iter().chain(b).collect();
        self.value(y.clone(), Op::Dense { x: xv, w: wv, b: bv, y }, &inputs)
    }

    /// The dense layer backwards, `dx = dz w`: `dz [B, O]`, `w [O, I]` give `dx [B, I]`. It is also the layer of a
    /// decoder whose weights are the encoder's, transposed.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn dense_dx(&mut self, dz: Val, w: Val) -> Result<Val> {
        let (dzv, wv) = (self.view(dz)?.clone(), self.view(w)?.clone());
        let dx = self.new_view(Shape::new(&[dzv.shape.rows(), wv.shape.columns()])?)?;
        self.value(dx.clone(), Op::DenseDx { dz: dzv, w: wv, dx }, &[dz, w])
    }

    /// The gradient of a dense layer's weights, `dw = dz^T x`: `dz [B, O]`, `x [B, I]` give `dw [O, I]`.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn dense_dw(&mut self, dz: Val, x: Val) -> Result<Val> {
        let (dzv, xv) = (self.view(dz)?.clone(), self.view(x)?.clone());
        let dw = self.new_view(Shape::new(&[dzv.shape.columns(), xv.shape.columns()])?)?;
        self.value(dw.clone(), Op::DenseDw { dz: dzv, x: xv, dw }, &[dz, x])
    }

    /// The sum of all rows: `dz [B, O]` gives `[O]`.
    ///
    /// # Errors
    /// When `dz` is not a matrix.
    pub fn dense_db(&mut self, dz: Val) -> Result<Val> {
        let dzv = self.view(dz)?.clone();
        let db = self.new_view(Shape::new(&[dzv.shape.columns()])?)?;
        self.value(db.clone(), Op::DenseDb { dz: dzv, db }, &[dz])
    }

    /// The row `v`, repeated `rows` times: `v [C]` gives `[rows, C]`. Its gradient is the sum of the rows.
    ///
    /// # Errors
    /// When the result would be too large.
    pub fn rows(&mut self, v: Val, rows: usize) -> Result<Val> {
        let vv = self.view(v)?.clone();
        let y = self.new_view(Shape::new(&[rows, vv.len()])?)?;
        self.value(y.clone(), Op::Rows { v: vv, y }, &[v])
    }
}
