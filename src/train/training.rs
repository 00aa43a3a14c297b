//! The loop: whole epochs on the device.

use super::fit::{Best, Progress};
use super::{Ended, Epoch, Fit, Flow, History};
use crate::data::{Dataset, Values};
use crate::rng::{permutation, purpose};
use crate::{Adam, Autoencoder, Clock, Error, Program, Result, Tape, Tensor, tensor};
use std::time::{Duration, Instant};

impl Autoencoder {
    /// Trains on all rows of `data`.
    ///
    /// # Errors
    /// When the rows do not fit the network, there are none, a number of `fit` is out of its range, the device fails, a checkpoint can't be written or
    /// continued, or the loss stops being finite ([`Error::Diverged`]).
    pub fn fit(&self, data: &Dataset, fit: &Fit) -> Result<History> {
        self.fit_with(data, fit, |_| {})
    }

    /// Trains, and calls `report` after each epoch. What it returns may be nothing, or a [`ControlFlow`](std::ops::ControlFlow) that ends the training.
    ///
    /// ```
    /// use narrows::{Autoencoder, Device, Fit, data, train::Ended};
    /// use std::ops::ControlFlow;
    /// let few = data::open("builtin")?.train.head(256);
    /// let ae = Autoencoder::builder(784).hidden([16]).code(4).build(&Device::cpu()?)?;
    /// let history = ae.fit_with(&few, &Fit::default().epochs(50), |epoch| match epoch.train_loss < 0.2 {
    ///     true => ControlFlow::Break(()),
    ///     false => ControlFlow::Continue(()),
    /// })?;
    /// assert_eq!(history.ended, Ended::Stopped);
    /// # Ok::<(), narrows::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Autoencoder::fit`].
    pub fn fit_with<F: Flow>(&self, data: &Dataset, fit: &Fit, mut report: impl FnMut(&Epoch) -> F) -> Result<History> {
        let data = &self.scaled(data)?;
        #[cfg(feature = "files")]
        let mut training = {
            let (fingerprints, training) = super::checkpoint::Fingerprints::take(data, fit, || Training::new(self, data, fit));
            Training { fingerprints, ..training? }
        };
        #[cfg(not(feature = "files"))]
        let mut training = Training::new(self, data, fit)?;
        training.begin()?;
        let ended = loop {
            let done = &training.progress;
            if done.epochs.len() >= fit.epochs {
                break Ended::Complete;
            }
            if fit.patience.is_some_and(|patience| done.waited >= patience) {
                break Ended::Patience;
            }
            if fit.interrupted() {
                break Ended::Interrupted;
            }
            let Some(mut entry) = training.epoch()? else {
                training.save(false)?;
                break Ended::Interrupted;
            };
            // The loss of a step is measured before its update, so nobody has looked at the last one.
            if !self.params().are_finite()? {
                let step = (entry.epoch * entry.steps) as u64 - 1;
                return Err(Error::Diverged { step, what: "the weights", learning_rate: entry.learning_rate as f32 });
            }
            if let Some(test) = &fit.test {
                entry.test_loss = Some(self.evaluate_by(test, fit.loss)?);
            }
            let better = match &fit.validation {
                Some(rows) => {
                    let loss = self.evaluate_by(rows, fit.loss)?;
                    entry.validation_loss = Some(loss);
                    training.validated(entry.epoch, loss)?
                }
                None => false,
            };
            training.progress.epochs.push(entry.clone());
            training.save(better)?;
            if report(&entry).flow().is_break() {
                break Ended::Stopped;
            }
        };
        let Progress { epochs, best, .. } = training.progress;
        if let (Some(best), Some(_)) = (&best, fit.patience)
            && ended != Ended::Interrupted
        {
            tensor::write(self.params().values(), &best.weights)?;
        }
        Ok(History { epochs, ended, best: best.map(|b| b.epoch) })
    }
}

/// A training: what stays on the device, and how far it is.
pub(super) struct Training<'a> {
    pub(super) ae: &'a Autoencoder,
    pub(super) fit: &'a Fit,
    pub(super) rows: usize,
    #[cfg(feature = "files")]
    pub(super) adam: Adam,
    pub(super) clock: Clock,
    pub(super) losses: Tensor,
    pub(super) progress: Progress,
    /// The learning rate of every step; none where it is always the same.
    rates: Vec<f64>,
    order: Tensor,
    /// The program for full batches, and how often an epoch runs it.
    full: Option<(Program, usize)>,
    /// The program for the rows that are left over.
    short: Option<Program>,
    /// Steps between two looks at the interrupt flag.
    slice: usize,
    /// What checkpoints say of the data.
    #[cfg(feature = "files")]
    pub(super) fingerprints: super::checkpoint::Fingerprints,
}

/// How long the device may work between two looks at the interrupt flag.
const SLICE: Duration = Duration::from_millis(200);
/// The most steps between two looks, however short they are.
const MOST_STEPS: usize = 1 << 16;

impl<'a> Training<'a> {
    fn new(ae: &'a Autoencoder, data: &Dataset, fit: &'a Fit) -> Result<Training<'a>> {
        let rows = data.len();
        fit.check(ae, data)?;
        let device = ae.device();
        let shape = [rows, data.columns()];
        let resident = match (data.shared(device), data.values()) {
            (Some(shared), _) => shared,
            (None, Values::Bytes(bytes)) => Tensor::bytes(device, bytes, &shape)?,
            (None, Values::Floats(floats)) => Tensor::new(device, floats, &shape)?,
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
            let loss = ae.loss_on(&mut tape, x, fit.loss)?;
            tape.backward(loss)?;
            if let Some(most) = fit.clip_norm {
                tape.clip_grads(ae.params(), most)?;
            }
            adam.step(&mut tape)?;
            tape.store(loss, &losses, &clock)?;
            tape.advance(&clock, batch, &order)?;
            tape.compile()
        };
        let (steps, left) = (rows / fit.batch_size, rows % fit.batch_size);
        let full = if steps > 0 { Some((step(fit.batch_size)?, steps)) } else { None };
        let short = if left > 0 { Some(step(left)?) } else { None };
        Ok(Training {
            ae,
            fit,
            rows,
            #[cfg(feature = "files")]
            adam,
            clock,
            losses,
            progress: Progress::default(),
            rates,
            order,
            full,
            short,
            slice: 4,
            #[cfg(feature = "files")]
            fingerprints: Default::default(),
        })
    }

    /// Steps of an epoch.
    pub(super) fn steps(&self) -> usize {
        self.rows.div_ceil(self.fit.batch_size)
    }

    /// Runs what is left of the current epoch; `None` when it was interrupted.
    fn epoch(&mut self) -> Result<Option<Epoch>> {
        let start = Instant::now();
        let epoch = self.progress.epochs.len();
        match &self.fit.first_order {
            Some(order) if epoch == 0 => self.order.write_u32(order)?,
            _ => self.order.write_u32(&permutation(self.rows as u32, self.fit.seed, purpose::SHUFFLE, epoch as u32))?,
        }
        while self.progress.step < self.steps() {
            self.run_slice()?;
            if self.fit.interrupted() {
                self.progress.seconds += start.elapsed().as_secs_f64();
                return Ok(None);
            }
        }
        let step_losses = self.losses.read()?;
        let seconds = self.progress.seconds + start.elapsed().as_secs_f64();
        (self.progress.step, self.progress.seconds) = (0, 0.0);
        let steps = step_losses.len();
        let learning_rate = |step: usize| self.rates.get(step).copied().unwrap_or(self.fit.adam.learning_rate);
        if let Some(at) = step_losses.iter().position(|l| !l.is_finite()) {
            let step = epoch * steps + at;
            return Err(Error::Diverged { step: step as u64, what: "the loss", learning_rate: learning_rate(step) as f32 });
        }
        let batch = |step: usize| self.fit.batch_size.min(self.rows - step * self.fit.batch_size);
        let total: f64 = step_losses.iter().enumerate().map(|(step, &loss)| f64::from(loss) * batch(step) as f64).sum();
        Ok(Some(Epoch {
            epoch: epoch + 1,
            train_loss: total / self.rows as f64,
            test_loss: None,
            validation_loss: None,
            seconds,
            steps,
            learning_rate: learning_rate((epoch + 1) * steps - 1),
            step_losses,
        }))
    }

    /// Runs some of the epoch's steps: all that one program has where nobody may interrupt, else as many as a fraction of a second takes.
    fn run_slice(&mut self) -> Result<()> {
        let start = Instant::now();
        let full = self.full.as_ref().map_or(0, |(_, steps)| *steps);
        let patient = self.fit.interrupt.is_none();
        match (&mut self.full, &mut self.short) {
            (Some((program, _)), _) if self.progress.step < full => {
                let left = full - self.progress.step;
                let steps = if patient { left } else { left.min(self.slice) };
                program.run(steps)?;
                self.progress.step += steps;
            }
            (_, Some(program)) => {
                program.run(1)?;
                self.progress.step += 1;
            }
            _ => {}
        }
        if !patient {
            // Reading waits for the device: without it a GPU's queue would take the whole epoch at once.
            self.clock.step()?;
            let took = start.elapsed();
            self.slice = if took < SLICE / 2 {
                (self.slice * 2).min(MOST_STEPS)
            } else if took > SLICE {
                (self.slice / 2).max(1)
            } else {
                self.slice
            };
        }
        Ok(())
    }

    /// Takes note of a validation loss; whether it is the best so far.
    fn validated(&mut self, epoch: usize, loss: f64) -> Result<bool> {
        let better = self.progress.best.as_ref().is_none_or(|best| loss < best.loss);
        if better {
            let weights = tensor::read(self.ae.params().values())?;
            self.progress.best = Some(Best { epoch, loss, weights });
            self.progress.waited = 0;
        } else {
            self.progress.waited += 1;
        }
        Ok(better)
    }
}

#[cfg(not(feature = "files"))]
impl Training<'_> {
    /// Without files there are no checkpoints.
    fn begin(&mut self) -> Result<()> {
        Ok(())
    }

    fn save(&self, _: bool) -> Result<()> {
        Ok(())
    }
}
