//! Ops that move rows and count steps: batches from a data set, and values kept from each step.

use super::{Tape, Val};
use crate::clock::Clock;
use crate::device::View;
use crate::op::Op;
use crate::tensor::Tensor;
use crate::{Dtype, Error, Result, Shape};

impl Tape {
    /// `rows` rows of `data`, f32 or bytes, in the order of `order` from the clock's cursor on; past its end the order
    /// begins again. The result has `data`'s shape with `rows` as the first dimension. Bytes become i / 255.
    ///
    /// # Errors
    /// When the order names rows that `data` does not have.
    pub fn gather(&mut self, data: &Tensor, order: &Tensor, clock: &Clock, rows: usize) -> Result<Val> {
        Ok(self.gathered(data, order, clock, rows, Dtype::F32)?.0)
    }

    fn gathered(&mut self, data: &Tensor, order: &Tensor, clock: &Clock, rows: usize, dtype: Dtype) -> Result<(Val, View)> {
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
        let y = self.device.alloc(dtype, Shape::new(&dims)?)?;
        let op = Op::Gather { data: data.view.clone(), order: order.view.clone(), clock: clock.tensor.view.clone(), y: y.clone() };
        Ok((self.value(y.clone(), op, &[])?, y))
    }

    /// Labels, or other integers, of the rows that [`Tape::gather`] takes: `labels` of [`Tensor::indices`], one a row
    /// of the data, give `rows` of them. What is gathered counts as below the same number.
    ///
    /// # Errors
    /// As [`Tape::gather`]; also when `labels` are no indices.
    pub fn gather_indices(&mut self, labels: &Tensor, order: &Tensor, clock: &Clock, rows: usize) -> Result<Tensor> {
        if labels.below.is_none() {
            return Err(Error::op("gather", "the labels are no indices", "Make them with `Tensor::indices`."));
        }
        Ok(Tensor { view: self.gathered(labels, order, clock, rows, Dtype::U32)?.1, below: labels.below })
    }

    /// Advances the clock: the cursor by `rows`, modulo the length of `order`; the step by one.
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

    /// Keeps a value of each step, such as its loss: `ring` has T entries of the size of `x`, and the entry at the
    /// clock's step modulo T becomes `x`.
    ///
    /// ```
    /// use narrows::{Clock, Device, Tape, Tensor};
    /// let device = Device::cpu()?;
    /// let data = Tensor::new(&device, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[3, 2])?;
    /// let order = Tensor::indices(&device, &[2, 0, 1], 3)?;
    /// let (clock, ring) = (Clock::new(&device)?, Tensor::zeros(&device, &[3, 2])?);
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
    /// When `x` has no elements, or `ring` does not hold a whole number of entries, at least one.
    pub fn store(&mut self, x: Val, ring: &Tensor, clock: &Clock) -> Result<()> {
        let x = self.view(x)?.clone();
        self.push(Op::Store { x, clock: clock.tensor.view.clone(), ring: ring.view.clone() }).map(drop)
    }
}
