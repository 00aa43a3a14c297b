//! The loop: whole epochs on the device.

use super::fit::{Best, Progress};
use super::{Ended, Epoch, Fit, Flow, History, Step};
use crate::data::{Dataset, Values};
use crate::nn::{Recording, Spec};
use crate::rng::{permutation, purpose};
use crate::time::{Duration, Instant};
use crate::{Autoencoder, Device, Error, Params, Program, Result, Tape, Tensor, Val};
use std::sync::atomic::Ordering;

/// What is trained.
pub(super) struct Task<'a> {
    pub(super) params: &'a Params,
    /// What a checkpoint holds about the model.
    #[cfg_attr(not(feature = "files"), allow(dead_code))]
    pub(super) model: Model<'a>,
    /// Records a pass over some rows.
    pass: Pass<'a>,
    /// Measures the error on other rows, in use.
    error: &'a dyn Fn(&Dataset) -> Result<f64>,
}

/// Records a pass over some rows.
type Pass<'a> = &'a dyn Fn(&mut Recording, Val) -> Result<()>;

/// Identifies a model when its training is resumed.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "files"), allow(dead_code))]
pub(super) enum Model<'a> {
    Spec(&'a Spec),
    Named(&'a str),
}

/// Trains an autoencoder: [`Autoencoder::fit_with`].
pub(crate) fn autoencoder<F: Flow>(ae: &Autoencoder, data: &Dataset, fit: &Fit, report: impl FnMut(&Epoch) -> F) -> Result<History> {
    let data = &ae.scaled(data)?;
    fit.check_for(ae, data)?;
    // What `check` rejects later must not end here.
    let objective = fit.hyper.objective(data.len().div_ceil(fit.hyper.batch_size.max(1)));
    let pass = |on: &mut Recording, x| objective.record(ae, on, x);
    let error = |rows: &Dataset| match objective.is_plain(ae) {
        true => ae.evaluate_by(rows, objective.loss),
        false => in_use(ae.params(), fit, &ae.scaled(rows)?, &pass),
    };
    let task = Task { params: ae.params(), model: Model::Spec(ae.spec()), pass: &pass, error: &error };
    run(&task, data, fit, report)
}

impl Fit {
    /// Trains what `pass` records, with all features of a training: shuffled rows, schedules, checkpoints, early
    /// stopping, named losses. [`Autoencoder::fit`] is built on it; use it for models that are not a single
    /// autoencoder. `name` is the model's name: a checkpoint is resumed only under the same name. The errors on test
    /// and validation rows are the means of the pass's loss, in use.
    ///
    /// ```
    /// use narrows::data::Dataset;
    /// use narrows::nn::{Layer, Net};
    /// use narrows::{Device, Fit, Params};
    /// let net = Net { inputs: 2, layers: vec![Layer::Dense(1), Layer::Dense(2)] };
    /// let params = Params::in_groups(&Device::cpu()?, &[("model", net.layout("net"))], &[])?;
    /// params.write("net.0.weight", &[0.5, 0.25])?;
    /// params.write("net.1.weight", &[0.5, 0.25])?;
    /// let rows = Dataset::from_rows("line", vec![1.0, 2.0, -1.0, -2.0, 0.5, 1.0], &[2])?;
    /// let history = Fit::default().epochs(200).learning_rate(0.02).train(&params, &rows, "line", |on, x| {
    ///     let y = net.record(on, "net", x)?;
    ///     let loss = on.tape().mse(y, x)?;
    ///     on.descend(loss, "model")
    /// })?;
    /// assert!(history.epochs[199].train_loss < 1e-3);
    /// # Ok::<(), narrows::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Autoencoder::fit`], or when `pass` fails.
    pub fn train(&self, params: &Params, data: &Dataset, name: &str, pass: impl Fn(&mut Recording, Val) -> Result<()>) -> Result<History> {
        let error = |rows: &Dataset| in_use(params, self, rows, &pass);
        run(&Task { params, model: Model::Named(name), pass: &pass, error: &error }, data, self, |_| {})
    }
}

/// The mean of the pass's loss over other rows, in use.
fn in_use(params: &Params, fit: &Fit, rows: &Dataset, pass: Pass) -> Result<f64> {
    let step = Step::in_use(params, &resident(params.device(), rows)?, steps(fit, rows))?;
    let mut passes = Passes::new(step, fit, rows, pass)?;
    passes.all()?;
    Ok(mean(&passes.step.losses()?[0].1, fit, rows.len()))
}

fn run<F: Flow>(task: &Task, data: &Dataset, fit: &Fit, mut report: impl FnMut(&Epoch) -> F) -> Result<History> {
    #[cfg(feature = "files")]
    let mut training = {
        let (fingerprints, training) = super::recipe::Fingerprints::take(data, fit, || Training::new(task, data, fit));
        Training { fingerprints, ..training? }
    };
    #[cfg(not(feature = "files"))]
    let mut training = Training::new(task, data, fit)?;
    training.begin()?;
    let ended = loop {
        let done = &training.progress;
        if done.epoch() >= fit.hyper.epochs {
            break Ended::Complete;
        }
        if fit.hyper.patience.is_some_and(|patience| done.waited >= patience) {
            break Ended::Patience;
        }
        if fit.interrupted() {
            break Ended::Interrupted;
        }
        let Some(mut entry) = training.stretch()? else {
            training.finite()?;
            training.save(false)?;
            break Ended::Interrupted;
        };
        // The loss of a step is measured before its update, so the weights after the last step are unchecked.
        training.finite()?;
        if let Some(test) = &fit.test {
            entry.test_loss = Some((task.error)(test)?);
        }
        let better = match &fit.validation {
            Some(rows) => {
                let loss = (task.error)(rows)?;
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
    if let (Some(best), Some(_)) = (&best, fit.hyper.patience) {
        task.params.put_back(&best.weights)?;
    }
    Ok(History { epochs, ended, best: best.map(|b| b.epoch) })
}

/// Steps over all rows once.
fn steps(fit: &Fit, rows: &Dataset) -> usize {
    rows.len().div_ceil(fit.hyper.batch_size)
}

/// The mean over all rows of a loss that is known for each step of one epoch or more.
fn mean(losses: &[f32], fit: &Fit, rows: usize) -> f64 {
    let steps = rows.div_ceil(fit.hyper.batch_size);
    let batch = |step: usize| fit.hyper.batch_size.min(rows - step % steps * fit.hyper.batch_size);
    let sum: f64 = losses.iter().enumerate().map(|(step, &loss)| f64::from(loss) * batch(step) as f64).sum();
    sum / (losses.len() / steps * rows) as f64
}

/// The rows on the device: the host's own memory if the device reads it, else a copy.
fn resident(device: &Device, data: &Dataset) -> Result<Tensor> {
    let shape = [data.len(), data.columns()];
    match (data.shared(device), data.values()) {
        (Some(shared), _) => Ok(shared),
        (None, Values::Bytes(bytes)) => Tensor::bytes(device, bytes, &shape),
        (None, values) => Tensor::new(device, &values.unscaled(data.name(), data.columns())?, &shape),
    }
}

/// The programs that go through all rows once.
struct Passes {
    step: Step,
    /// The program for full batches, and how often an epoch runs it.
    full: Option<(Program, usize)>,
    /// The program for the remaining rows.
    short: Option<Program>,
}

impl Passes {
    fn new(mut step: Step, fit: &Fit, rows: &Dataset, pass: Pass) -> Result<Passes> {
        let mut program = |batch: usize| -> Result<Program> {
            let mut tape = Tape::plan(&step.device().clone());
            step.record(&mut tape, batch, pass)?;
            tape.compile()
        };
        let batch = fit.hyper.batch_size;
        let (steps, left) = (rows.len() / batch, rows.len() % batch);
        let full = if steps > 0 { Some((program(batch)?, steps)) } else { None };
        let short = if left > 0 { Some(program(left)?) } else { None };
        Ok(Passes { step, full, short })
    }

    /// All steps.
    fn all(&mut self) -> Result<()> {
        if let Some((program, steps)) = &mut self.full {
            program.run(*steps)?;
        }
        self.short.as_mut().map_or(Ok(()), |program| program.run(1))
    }
}

/// A training: its state on the device, and its progress.
pub(super) struct Training<'a> {
    pub(super) task: &'a Task<'a>,
    pub(super) fit: &'a Fit,
    pub(super) rows: usize,
    pub(super) progress: Progress,
    /// The learning rate of every step; empty if it is constant.
    rates: Vec<f64>,
    passes: Passes,
    /// Steps between two looks at the interrupt flag, and two settings of the counter.
    slice: usize,
    /// The fingerprints of the data in checkpoints.
    #[cfg(feature = "files")]
    pub(super) fingerprints: super::recipe::Fingerprints,
}

/// The longest time between two looks at the interrupt flag.
const SLICE: Duration = Duration::from_millis(200);
/// The most steps between two looks, however short the steps are.
const MOST_STEPS: usize = 1 << 16;

impl<'a> Training<'a> {
    fn new(task: &'a Task<'a>, data: &Dataset, fit: &'a Fit) -> Result<Training<'a>> {
        fit.check(data)?;
        let rates = fit.rates(data.len())?;
        let rows = resident(task.params.device(), data)?;
        let between = fit.hyper.evaluate_every * steps(fit, data);
        let step = Step::training(task.params, &rows, fit.hyper.adam(), &rates, between)?;
        let step = step.seed(fit.hyper.seed).clip_norm(fit.hyper.clip);
        let passes = Passes::new(step, fit, data, task.pass)?;
        Ok(Training {
            task,
            fit,
            rows: data.len(),
            progress: Progress::default(),
            rates,
            passes,
            slice: 4,
            #[cfg(feature = "files")]
            fingerprints: Default::default(),
        })
    }

    #[cfg(feature = "files")]
    pub(super) fn step(&self) -> &Step {
        &self.passes.step
    }

    /// Steps of an epoch.
    pub(super) fn steps(&self) -> usize {
        self.rows.div_ceil(self.fit.hyper.batch_size)
    }

    /// The epochs that will be done at the next evaluation. An epoch that has begun is ended, even where a resumed
    /// training is to have fewer.
    fn next_evaluation(&self) -> usize {
        let (done, every) = (self.progress.epoch(), self.fit.hyper.evaluate_every);
        let begun = done + self.progress.step.div_ceil(self.steps());
        ((done / every + 1) * every).min(self.fit.hyper.epochs).max(begun)
    }

    /// Runs the epochs up to the next evaluation; `None` if it was interrupted.
    fn stretch(&mut self) -> Result<Option<Epoch>> {
        let start = Instant::now();
        let (begin, end, steps) = (self.progress.epoch(), self.next_evaluation(), self.steps());
        for epoch in begin + self.progress.step / steps..end {
            self.set_order(epoch)?;
            while self.progress.step < (epoch + 1 - begin) * steps {
                self.run_slice()?;
                if self.fit.interrupted() {
                    self.progress.seconds += start.elapsed().as_secs_f64();
                    return Ok(None);
                }
            }
        }
        let losses = self.losses(begin, end)?;
        let seconds = self.progress.seconds + start.elapsed().as_secs_f64();
        (self.progress.step, self.progress.seconds) = (0, 0.0);
        let mut means = losses.iter().map(|(name, values)| (name.to_string(), mean(values, self.fit, self.rows)));
        Ok(Some(Epoch {
            epoch: end,
            train_loss: means.next().map_or(f64::NAN, |(_, loss)| loss),
            test_loss: None,
            validation_loss: None,
            seconds,
            steps: (end - begin) * steps,
            learning_rate: self.learning_rate(end * steps - 1),
            losses: means.collect(),
            step_losses: losses.into_iter().next().map(|(_, values)| values).unwrap_or_default(),
        }))
    }

    /// Puts the rows into the order of an epoch.
    fn set_order(&self, epoch: usize) -> Result<()> {
        match &self.fit.first_order {
            Some(order) if epoch == 0 => self.passes.step.set_order(order),
            _ => self.passes.step.set_order(&permutation(self.rows as u32, self.fit.hyper.seed, purpose::SHUFFLE, epoch as u32)),
        }
    }

    /// The losses of each step of the epochs since the last evaluation, all of them finite.
    fn losses(&self, begin: usize, end: usize) -> Result<Vec<(&'static str, Vec<f32>)>> {
        let steps = self.steps();
        // A training that went on beyond its last epoch begins within the ring.
        let first = begin % self.fit.hyper.evaluate_every * steps;
        let mut losses = self.passes.step.losses()?;
        for (_, values) in &mut losses {
            *values = values[first..first + (end - begin) * steps].to_vec();
            if let Some(at) = values.iter().position(|l| !l.is_finite()) {
                let step = begin * steps + at;
                return Err(Error::Diverged { step: step as u64, what: "the loss", learning_rate: self.learning_rate(step) as f32 });
            }
        }
        Ok(losses)
    }

    /// Runs some of the epoch's steps: all steps of one program if nobody waits for a flag or a counter, else those of
    /// a fraction of a second.
    fn run_slice(&mut self) -> Result<()> {
        let start = Instant::now();
        let full = self.passes.full.as_ref().map_or(0, |(_, steps)| *steps);
        let patient = self.fit.interrupt.is_none() && self.fit.counter.is_none();
        let at = self.progress.step % self.steps();
        match (&mut self.passes.full, &mut self.passes.short) {
            (Some((program, _)), _) if at < full => {
                let left = full - at;
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
            let step = self.passes.step.clock().step()?;
            if let Some(counter) = &self.fit.counter {
                counter.store(step as usize, Ordering::Relaxed);
            }
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

    /// Rejects weights and state that are not finite.
    pub(super) fn finite(&self) -> Result<()> {
        let Some(what) = self.task.params.not_finite()? else { return Ok(()) };
        let step = u64::from(self.passes.step.clock().step()?).saturating_sub(1);
        let learning_rate = self.learning_rate(step as usize) as f32;
        Err(Error::Diverged { step, what, learning_rate })
    }

    fn learning_rate(&self, step: usize) -> f64 {
        self.rates.get(step).copied().unwrap_or(self.fit.hyper.lr)
    }

    /// Records a validation loss; returns whether it is the smallest so far.
    fn validated(&mut self, epoch: usize, loss: f64) -> Result<bool> {
        let before = self.progress.best.as_ref().map(|best| best.loss);
        let better = before.is_none_or(|before| loss < before);
        let enough = before.is_none_or(|before| before - loss >= self.fit.hyper.min_delta * before.abs());
        if better {
            let weights = self.task.params.snapshot()?;
            self.progress.best = Some(Best { epoch, loss, weights });
        }
        self.progress.waited = if better && enough { 0 } else { self.progress.waited + 1 };
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
