//! Training: whole epochs on the device, a report after each.

mod metrics;

pub use metrics::{ClassMetrics, Evaluation, Metrics, UnitMetrics};

use crate::data::{Dataset, Values};
use crate::rng::{permutation, purpose};
use crate::{Adam, AdamConfig, Autoencoder, Clock, Error, Program, Result, Tape, Tensor};
use std::time::Instant;

/// How to train. The defaults are the article's: 10 epochs, batches of 128, Adam at 1e-3, MSE.
#[derive(Clone, Debug)]
pub struct Fit {
    epochs: usize,
    batch_size: usize,
    adam: AdamConfig,
    seed: u64,
    first_order: Option<Vec<u32>>,
    test: Option<Dataset>,
}

impl Default for Fit {
    fn default() -> Fit {
        Fit { epochs: 10, batch_size: 128, adam: AdamConfig::default(), seed: 0, first_order: None, test: None }
    }
}

/// What happened in one epoch.
#[derive(Clone, Debug)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// The loss as training saw it: the mean over the epoch's rows, each measured before the step that it led to.
    pub train_loss: f64,
    /// The error on the test rows after the epoch, where there are any.
    pub test_loss: Option<f64>,
    /// Seconds of training alone, evaluation excluded.
    pub seconds: f64,
    /// Steps, the short last one included.
    pub steps: usize,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// The loss of each step.
    pub step_losses: Vec<f32>,
}

/// What happened in a training run.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// An entry per epoch.
    pub epochs: Vec<Epoch>,
}

impl Fit {
    /// Passes over the data, at least 1. Default 10.
    pub fn epochs(mut self, epochs: usize) -> Fit {
        self.epochs = epochs;
        self
    }

    /// Rows in a step, at least 1. Default 128. The rows that are left over make a shorter last step.
    pub fn batch_size(mut self, rows: usize) -> Fit {
        self.batch_size = rows;
        self
    }

    /// Adam's learning rate. Default 1e-3.
    pub fn learning_rate(mut self, rate: f64) -> Fit {
        self.adam.learning_rate = rate;
        self
    }

    /// All of Adam's numbers.
    pub fn adam(mut self, config: AdamConfig) -> Fit {
        self.adam = config;
        self
    }

    /// The seed of the order of the rows. Default 0.
    pub fn seed(mut self, seed: u64) -> Fit {
        self.seed = seed;
        self
    }

    /// The order of the rows in the first epoch, in place of a random one: each row's number once. To compare with other programs.
    pub fn first_order(mut self, order: Vec<u32>) -> Fit {
        self.first_order = Some(order);
        self
    }

    /// Rows to measure the error on after each epoch.
    pub fn test(mut self, data: &Dataset) -> Fit {
        self.test = Some(data.clone());
        self
    }
}

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
        let adam = Adam::with_clock(ae.params(), fit.adam, &clock)?;
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
        Ok(Training { fit, rows, order, losses, full, short })
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
        let learning_rate = self.fit.adam.learning_rate;
        if let Some(at) = step_losses.iter().position(|l| !l.is_finite()) {
            let step = (epoch * steps + at) as u64;
            return Err(Error::Diverged { step, loss: step_losses[at], learning_rate: learning_rate as f32 });
        }
        let batch = |step: usize| self.fit.batch_size.min(self.rows - step * self.fit.batch_size);
        let total: f64 = step_losses.iter().enumerate().map(|(step, &loss)| f64::from(loss) * batch(step) as f64).sum();
        let train_loss = total / self.rows as f64;
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
