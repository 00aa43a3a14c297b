//! The loop: whole epochs on the device.

use super::{Epoch, Fit, History};
use crate::data::{Dataset, Values};
use crate::rng::{permutation, purpose};
use crate::{Adam, Autoencoder, Clock, Error, Program, Result, Tape, Tensor};
use std::time::Instant;

impl Autoencoder {
    /// Trains on all rows of `data`.
    ///
    /// # Errors
    /// When the rows do not fit the network, there are none, a number of `fit` is out of its range, the device fails, or the loss stops being finite
    /// ([`Error::Diverged`]).
    pub fn fit(&self, data: &Dataset, fit: &Fit) -> Result<History> {
        self.fit_with(data, fit, |_| {})
    }

    /// Trains, and calls `report` after each epoch.
    ///
    /// # Errors
    /// As [`Autoencoder::fit`].
    pub fn fit_with(&self, data: &Dataset, fit: &Fit, mut report: impl FnMut(&Epoch)) -> Result<History> {
        let mut training = Training::new(self, data, fit)?;
        let mut history = History::default();
        for epoch in 0..fit.epochs {
            let mut entry = training.epoch(epoch)?;
            if let Some(test) = &fit.test {
                entry.test_loss = Some(self.evaluate(test)?);
            }
            report(&entry);
            history.epochs.push(entry);
        }
        Ok(history)
    }
}

/// What stays on the device while training.
struct Training<'a> {
    fit: &'a Fit,
    rows: usize,
    /// The learning rate of every step; none where it is always the same.
    rates: Vec<f64>,
    order: Tensor,
    losses: Tensor,
    /// The program for full batches, and how often an epoch runs it.
    full: Option<(Program, usize)>,
    /// The program for the rows that are left over.
    short: Option<Program>,
}

impl<'a> Training<'a> {
    fn new(ae: &Autoencoder, data: &Dataset, fit: &'a Fit) -> Result<Training<'a>> {
        let rows = data.len();
        check(ae, data, fit)?;
        let device = ae.device();
        let shape = [rows, data.columns()];
        let resident = match data.values() {
            Values::Bytes(bytes) => Tensor::bytes(device, bytes, &shape)?,
            Values::Floats(floats) => Tensor::new(device, floats, &shape)?,
        };
        let order = Tensor::indices(device, &vec![0; rows], rows)?;
        let clock = Clock::new(device)?;
        let losses = Tensor::zeros(device, &[rows.div_ceil(fit.batch_size)])?;
        let rates = fit.rates(rows)?;
        let adam = match rates.as_slice() {
            [] => Adam::with_clock(ae.params(), fit.adam, &clock)?,
            rates => Adam::with_rates(ae.params(), fit.adam, &clock, rates)?,
        };
        let step = |batch: usize| -> Result<Program> {
            let mut tape = Tape::plan(device);
            let x = tape.gather(&resident, &order, &clock, batch)?;
            let y = ae.forward(&mut tape, x)?;
            let loss = tape.mse(y, x)?;
            tape.backward(loss)?;
            adam.step(&mut tape)?;
            tape.store_loss(loss, &losses, &clock)?;
            tape.advance(&clock, batch, &order)?;
            tape.compile()
        };
        let (steps, left) = (rows / fit.batch_size, rows % fit.batch_size);
        let full = if steps > 0 { Some((step(fit.batch_size)?, steps)) } else { None };
        let short = if left > 0 { Some(step(left)?) } else { None };
        Ok(Training { fit, rows, rates, order, losses, full, short })
    }

    fn epoch(&mut self, epoch: usize) -> Result<Epoch> {
        let start = Instant::now();
        match &self.fit.first_order {
            Some(order) if epoch == 0 => self.order.write_u32(order)?,
            _ => self.order.write_u32(&permutation(self.rows as u32, self.fit.seed, purpose::SHUFFLE, epoch as u32))?,
        }
        if let Some((program, steps)) = &mut self.full {
            program.run(*steps)?;
        }
        if let Some(program) = &mut self.short {
            program.run(1)?;
        }
        let step_losses = self.losses.read()?;
        let seconds = start.elapsed().as_secs_f64();
        let steps = step_losses.len();
        let learning_rate = |step: usize| self.rates.get(step).copied().unwrap_or(self.fit.adam.learning_rate);
        if let Some(at) = step_losses.iter().position(|l| !l.is_finite()) {
            let step = epoch * steps + at;
            return Err(Error::Diverged { step: step as u64, loss: step_losses[at], learning_rate: learning_rate(step) as f32 });
        }
        let batch = |step: usize| self.fit.batch_size.min(self.rows - step * self.fit.batch_size);
        let total: f64 = step_losses.iter().enumerate().map(|(step, &loss)| f64::from(loss) * batch(step) as f64).sum();
        let (train_loss, learning_rate) = (total / self.rows as f64, learning_rate((epoch + 1) * steps - 1));
        Ok(Epoch { epoch: epoch + 1, train_loss, test_loss: None, seconds, steps, learning_rate, step_losses })
    }
}

fn check(ae: &Autoencoder, data: &Dataset, fit: &Fit) -> Result<()> {
    let needs = |name: &str, value: usize| Err(Error::argument(name, format!("it is {value}"), "Use at least 1."));
    if data.columns() != ae.inputs() {
        return Err(Error::data(
            data.name(),
            format!("its rows have {} columns but the network takes {}", data.columns(), ae.inputs()),
            format!("Build it with `Autoencoder::builder({})`.", data.columns()),
        ));
    }
    if data.is_empty() {
        return Err(Error::data(data.name(), "there are no rows to train on", "Pass at least one row."));
    }
    if fit.epochs == 0 {
        return needs("epochs", fit.epochs);
    }
    if fit.batch_size == 0 {
        return needs("batch size", fit.batch_size);
    }
    if let Some(test) = &fit.test
        && (test.columns() != ae.inputs() || test.is_empty())
    {
        return Err(Error::data(
            test.name(),
            format!("{} test rows of {} columns where rows of {} are needed", test.len(), test.columns(), ae.inputs()),
            "Pass at least one row of that width.",
        ));
    }
    if let Some(order) = &fit.first_order {
        let mut seen = vec![false; data.len()];
        let fits =
            order.len() == data.len() && order.iter().all(|&i| seen.get_mut(i as usize).is_some_and(|s| !std::mem::replace(s, true)));
        if !fits {
            return Err(Error::argument(
                "first order",
                format!("{} numbers that are not each row of {} once", order.len(), data.len()),
                "Pass a permutation of the row numbers.",
            ));
        }
    }
    Ok(())
}
