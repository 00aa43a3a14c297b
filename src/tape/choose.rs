//! Choosing: the largest numbers of a row or of a batch, and units that have been idle for long.

use super::{Tape, Val};
use crate::device::View;
use crate::op::{IDLE_MOST, Op};
use crate::{Clock, Dtype, Error, Largest, Result, Shape, Tensor};

impl Tape {
    /// The `k` largest numbers of each row, by value and not by magnitude, and 0 elsewhere: `x [R, C]` gives
    /// `y [R, C]`. Exactly `k` are taken: of equal numbers those of the lowest index, -0 is below 0, and a NaN is above
    /// all. The gradient flows through what is taken alone. The code of a k-sparse autoencoder (Makhzani and
    /// Frey 2014).
    ///
    /// ```
    /// use narrows::{Device, Tape, Tensor};
    /// let device = Device::cpu()?;
    /// let mut tape = Tape::new(&device);
    /// let x = tape.variable(&Tensor::new(&device, &[1.0, -3.0, 2.0, -1.0, -2.0, -1.0], &[2, 3])?)?;
    /// let y = tape.topk(x, 1)?;
    /// let loss = tape.sum(y)?;
    /// tape.backward(loss)?;
    /// assert_eq!(tape.read(y)?, [0.0, 0.0, 2.0, -1.0, 0.0, 0.0]);
    /// assert_eq!(tape.read(tape.grad(x)?)?, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    /// # Ok::<(), narrows::Error>(())
    /// ```
    ///
    /// # Errors
    /// When `x` is not a matrix, or `k` is 0 or more than it has columns.
    pub fn topk(&mut self, x: Val, k: usize) -> Result<Val> {
        let by = self.view(x)?.clone();
        self.largest("topk", by, x, k)
    }

    /// The `k R` largest numbers of the whole batch, however many that takes of each row, and 0 elsewhere: `x [R, C]`
    /// gives `y [R, C]`. Ties, signs and gradients are those of [`Tape::topk`], with the batch as one row (Bussmann,
    /// Leask and Nanda 2024).
    ///
    /// # Errors
    /// When `x` is not a matrix, has no rows, or `k` is 0 or more than it has columns.
    pub fn batch_topk(&mut self, x: Val, k: usize) -> Result<Val> {
        let by = self.view(x)?.clone();
        let (rows, columns) = (by.shape.rows(), by.shape.columns());
        if by.shape.dims().len() != 2 || rows == 0 {
            return Err(Error::op("batch_topk", format!("x is {}", by.shape), "Pass a matrix of at least one row."));
        }
        taken("batch_topk", k, &by)?;
        let flat = View { shape: Shape::matrix(1, rows * columns), ..by };
        self.largest("batch_topk", flat, x, k * rows)
    }

    /// The largest numbers of each row that come by one after another: `top` keeps the k largest of those that it has
    /// and of `x [R, C]`, and their indices, of which the first column has the clock's cursor. Of equal numbers those
    /// that came first stay, -0 is below 0, and a NaN is above all. They lie in the order in which they came.
    ///
    /// ```
    /// use narrows::{Clock, Device, Tape, Tensor, Largest};
    /// let device = Device::cpu()?;
    /// let (clock, top) = (Clock::new(&device)?, Largest::new(&device, 1, 2)?);
    /// let mut tape = Tape::new(&device);
    /// for row in [[5.0, 1.0, 3.0], [4.0, 0.0, 9.0]] {
    ///     let x = tape.input(&Tensor::new(&device, &row, &[1, 3])?)?;
    ///     tape.merge_topk(x, &clock, &top)?;
    ///     clock.set(3, 0)?;
    /// }
    /// assert_eq!(top.read()?, (vec![5.0, 9.0], vec![0, 5]));
    /// # Ok::<(), narrows::Error>(())
    /// ```
    ///
    /// # Errors
    /// When `x` is not a matrix with as many rows as `top`, or has no columns.
    pub fn merge_topk(&mut self, x: Val, clock: &Clock, top: &Largest) -> Result<()> {
        let x = self.view(x)?.clone();
        let [clock, values, index] = [&clock.tensor, &top.values, &top.index].map(|tensor| tensor.view.clone());
        self.push(Op::MergeTopk { x, clock, values, index }).map(drop)
    }

    /// Counts for how many rows each unit has been idle: 0 where any row of `code` has it on, which is anything but 0;
    /// else as many more as `code` has rows, at most 2^24. `code [R, C]`, `idle [C]`. A gradient that selects by
    /// the counters must come before, or be of a later forward pass.
    ///
    /// # Errors
    /// When `code` is not a matrix with as many columns as there are units.
    pub fn idle(&mut self, code: Val, idle: &Tensor) -> Result<()> {
        let code = self.view(code)?.clone();
        self.push(Op::Idle { code, idle: idle.view.clone() }).map(drop)
    }

    /// The numbers of units that have been idle for at least `least` rows, and 0 elsewhere: `x [R, C]` for `idle [C]`
    /// gives `y [R, C]`.
    ///
    /// # Errors
    /// When `x` is not a matrix with as many columns as there are units, or `least` is above 2^24, which no counter
    /// exceeds.
    pub fn dead(&mut self, x: Val, idle: &Tensor, least: u32) -> Result<Val> {
        let (idle, least) = (idle.view.clone(), rows_idle(least)?);
        self.unary(x, |x, y| Op::Dead { x, idle, y, least, other: 0.0 })
    }

    /// The `k` largest numbers of each row among the units that have been idle for at least `least` rows, and 0
    /// elsewhere: `x [R, C]` for `C` units gives `y [R, C]`. Where fewer than `k` units are dead, all of these are
    /// taken and no other; the others' numbers and gradients are exactly 0. What the auxiliary loss of Gao et al. 2024
    /// reconstructs the residual from.
    ///
    /// # Errors
    /// When `x` is not a matrix with as many columns as there are units, `k` is 0 or more than that, or `least` is
    /// above 2^24.
    pub fn topk_dead(&mut self, x: Val, k: usize, idle: &Tensor, least: u32) -> Result<Val> {
        let xv = self.view(x)?.clone();
        let by = self.new_view(xv.shape)?;
        let (counters, rows) = (idle.view.clone(), rows_idle(least)?);
        // Units that are not dead come last in the choice. Where it reaches them, they count as 0.
        self.push(Op::Dead { x: xv, idle: counters, y: by.clone(), least: rows, other: f32::NEG_INFINITY })?;
        let x = self.dead(x, idle, least)?;
        self.largest("topk_dead", by, x, k)
    }

    /// `x` where `by` is among the k largest of its row, else 0.
    fn largest(&mut self, name: &'static str, by: View, x: Val, k: usize) -> Result<Val> {
        taken(name, k, &by)?;
        let xv = self.view(x)?.clone();
        let cut = self.device.alloc(Dtype::U32, Shape::new(&[by.shape.rows(), 2])?)?;
        self.push(Op::Cut { x: by.clone(), cut: cut.clone(), k: k as u32 })?;
        let y = self.new_view(xv.shape)?;
        self.value(y.clone(), Op::Select { x: by, cut, dy: xv, dx: y }, &[x])
    }
}

/// A number of rows as a counter has it.
fn rows_idle(least: u32) -> Result<f32> {
    match f64::from(least) <= f64::from(IDLE_MOST) {
        true => Ok(least as f32),
        false => Err(Error::op("dead", format!("idle for at least {least} rows"), format!("Use at most {IDLE_MOST}."))),
    }
}

/// Checks how many of a row are taken.
fn taken(name: &'static str, k: usize, x: &View) -> Result<()> {
    if (1..=x.shape.columns()).contains(&k) {
        return Ok(());
    }
    let problem = format!("{k} of {} numbers a row are wanted (x is {})", x.shape.columns(), x.shape);
    Err(Error::op(name, problem, "Take at least 1, and at most as many as a row has."))
}
