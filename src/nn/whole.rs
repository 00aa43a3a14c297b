//! All rows of a data set through a trained network, in few runs of the device: each takes many steps, which gather their rows and keep what comes out in
//! a ring.

use super::{Autoencoder, Way};
use crate::data::{Dataset, Values};
use crate::device::View;
use crate::{Clock, Program, Result, Shape, Tape, Tensor, tensor};
use std::ops::Range;

/// The most numbers that come out of one run, unless those of one step are more: 2 MB.
const NUMBERS: usize = 1 << 19;
/// The most bytes that go into one run where the device has a memory of its own, unless those of one step are more.
const BYTES: usize = 1 << 26;

/// What comes of all rows, at most so many in a step.
pub(super) fn whole(ae: &Autoencoder, data: &Dataset, way: Way, batch: usize) -> Result<Vec<f32>> {
    let (count, to) = (data.len(), way.columns(ae).1);
    let mut all = vec![0.0; count * to];
    if count == 0 {
        return Ok(all);
    }
    // Even steps; where they are more rows than there are, the last one ends with rows that nobody reads.
    let batch = count.div_ceil(count.div_ceil(batch));
    let window = Window::new(ae, data, batch, to)?;
    let mut program = window.program(ae, way, batch)?;
    for start in (0..count).step_by(window.most) {
        window.run(&mut program, batch, start..count.min(start + window.most), &mut all)?;
    }
    Ok(all)
}

/// Rows that one run takes, and what comes of them.
struct Window<'a> {
    data: &'a Dataset,
    /// How many rows at most: whole steps.
    most: usize,
    /// The numbers that come of a row.
    to: usize,
    /// All rows where the device reads the host's memory, else a copy of those of the run.
    rows: Tensor,
    shared: bool,
    /// `rows` one after the other; the clock goes on from run to run.
    order: Tensor,
    clock: Clock,
    /// An entry for each step.
    ring: Tensor,
}

impl<'a> Window<'a> {
    fn new(ae: &Autoencoder, data: &'a Dataset, batch: usize, to: usize) -> Result<Window<'a>> {
        let (device, columns, dtype) = (ae.device(), data.columns(), data.values().dtype());
        let shared = data.shared(device);
        let bytes = if shared.is_some() { 0 } else { batch * columns * dtype.size() };
        let steps = (NUMBERS / (batch * to)).min(BYTES.checked_div(bytes).unwrap_or(usize::MAX)).clamp(1, data.len().div_ceil(batch));
        let most = steps * batch;
        let (rows, shared) = match shared {
            Some(rows) => (rows, true),
            None => (Tensor { view: device.alloc(dtype, Shape::new(&[most, columns])?)?, below: None }, false),
        };
        let count = rows.shape()[0];
        let order = Tensor::indices(device, &(0..count as u32).collect::<Vec<_>>(), count)?;
        let ring = Tensor::zeros(device, &[most, to])?;
        Ok(Window { data, most, to, rows, shared, order, clock: Clock::new(device)?, ring })
    }

    /// The first elements of a tensor, as so many rows.
    fn part(&self, of: &Tensor, rows: usize, columns: usize) -> Result<View> {
        Ok(of.view.part(0, Shape::new(&[rows, columns])?).expect("a window is as large as its steps"))
    }

    /// A program whose steps take so many rows. Past the end of the order, it begins again.
    fn program(&self, ae: &Autoencoder, way: Way, batch: usize) -> Result<Program> {
        let mut tape = Tape::plan(ae.device());
        let x = tape.gather(&self.rows, &self.order, &self.clock, batch)?;
        let y = way.on(ae, &mut tape, x)?;
        tape.store(y, &self.ring, &self.clock)?;
        tape.advance(&self.clock, batch, &self.order)?;
        tape.compile()
    }

    /// Takes some rows, and puts what comes of them in its place among all.
    fn run(&self, program: &mut Program, batch: usize, rows: Range<usize>, all: &mut [f32]) -> Result<()> {
        let columns = self.data.columns();
        let elements = rows.start * columns..rows.end * columns;
        match self.data.values() {
            _ if self.shared => {}
            Values::Bytes(bytes) => tensor::write(&self.part(&self.rows, rows.len(), columns)?, &bytes[elements])?,
            Values::Floats(floats) => tensor::write(&self.part(&self.rows, rows.len(), columns)?, &floats[elements])?,
        }
        // All runs before this one were whole: the ring begins again, and so does the order where it is that of a copy.
        program.run(rows.len().div_ceil(batch))?;
        tensor::read_to(&self.part(&self.ring, rows.len(), self.to)?, &mut all[rows.start * self.to..rows.end * self.to])
    }
}
