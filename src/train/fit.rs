//! The settings of a training, and its history.

use super::schedule::Steps;
use super::{Hyperparameters, Schedule};
use crate::data::Dataset;
use crate::nn::{Corruption, Loss, Sparsity};
use crate::{AdamConfig, Result};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The columns that `metrics.csv` always has.
pub(crate) const COLUMNS: [&str; 7] =
    ["epoch", "train_loss", "test_loss", "seconds", "steps_per_second", "learning_rate", "validation_loss"];

/// How to train. The defaults are the article's: 10 epochs, batches of 128, Adam at 1e-3, MSE.
#[derive(Clone, Debug, Default)]
pub struct Fit {
    pub(super) hyper: Hyperparameters,
    pub(super) first_order: Option<Vec<u32>>,
    pub(super) test: Option<Dataset>,
    pub(super) validation: Option<Dataset>,
    pub(super) interrupt: Option<Arc<AtomicBool>>,
    pub(super) counter: Option<Arc<AtomicUsize>>,
    #[cfg(feature = "files")]
    pub(super) checkpoints: Option<std::path::PathBuf>,
    #[cfg(feature = "files")]
    pub(super) resume: bool,
}

/// What happened in one epoch, or in the epochs since the last evaluation where [`Fit::evaluate_every`] is above 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Epoch {
    /// The number of the (last) epoch, counted from 1.
    pub epoch: usize,
    /// The training loss: the mean over the rows, each measured before the step that used it.
    pub train_loss: f64,
    /// The error on the test rows after the epoch, if there are any.
    pub test_loss: Option<f64>,
    /// The error on the validation rows after the epoch, if there are any.
    pub validation_loss: Option<f64>,
    /// Seconds of training alone, evaluation excluded.
    pub seconds: f64,
    /// Steps, including the short last one of each epoch.
    pub steps: usize,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// The other losses that the training keeps, by their names: means as `train_loss`.
    pub losses: Vec<(String, f64)>,
    /// The loss of each step; empty for an epoch before the training was resumed.
    pub step_losses: Vec<f32>,
}

/// What happened in a training run.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// An entry per evaluation: per epoch, unless [`Fit::evaluate_every`] is above 1.
    pub epochs: Vec<Epoch>,
    /// Why it ended.
    pub ended: Ended,
    /// The epoch with the smallest error on the validation rows, counted from 1, if there are any.
    pub best: Option<usize>,
}

/// Why a training ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ended {
    /// All epochs are done.
    #[default]
    Complete,
    /// The error on the validation rows did not fall for [`Fit::patience`] evaluations.
    Patience,
    /// The callback ended it.
    Stopped,
    /// The flag of [`Fit::interrupt`] was set, possibly within an epoch.
    Interrupted,
}

/// What a callback returns: nothing, or whether to go on.
pub trait Flow {
    /// Whether to go on.
    fn flow(self) -> ControlFlow<()>;
}

impl Flow for () {
    fn flow(self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl Flow for ControlFlow<()> {
    fn flow(self) -> ControlFlow<()> {
        self
    }
}

/// The progress of a training.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Progress {
    /// The evaluations that are done.
    pub(super) epochs: Vec<Epoch>,
    /// The steps that are done since the last of them.
    pub(super) step: usize,
    /// The seconds that they took.
    pub(super) seconds: f64,
    pub(super) best: Option<Best>,
    /// Evaluations since the error fell by enough.
    pub(super) waited: usize,
}

impl Progress {
    /// The epochs that were done at the last evaluation.
    pub(super) fn epoch(&self) -> usize {
        self.epochs.last().map_or(0, |last| last.epoch)
    }
}

/// The epoch with the smallest validation loss.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Best {
    pub(super) epoch: usize,
    pub(super) loss: f64,
    pub(super) weights: Vec<f32>,
}

impl From<Hyperparameters> for Fit {
    fn from(hyper: Hyperparameters) -> Fit {
        Fit { hyper, ..Fit::default() }
    }
}

impl Fit {
    /// The numbers and choices of the training, as plain data.
    pub fn hyperparameters(&self) -> &Hyperparameters {
        &self.hyper
    }

    /// Passes over the data, at least 1. Default 10.
    pub fn epochs(mut self, epochs: usize) -> Fit {
        self.hyper.epochs = epochs;
        self
    }

    /// Rows in a step, at least 1. Default 128. The remaining rows make a shorter last step.
    pub fn batch_size(mut self, rows: usize) -> Fit {
        self.hyper.batch_size = rows;
        self
    }

    /// Adam's learning rate. Default 1e-3.
    pub fn learning_rate(mut self, rate: f64) -> Fit {
        self.hyper.lr = rate;
        self
    }

    /// Decoupled weight decay, as AdamW's. Default 0.
    pub fn weight_decay(mut self, decay: f64) -> Fit {
        self.hyper.weight_decay = decay;
        self
    }

    /// How the learning rate changes. Default constant.
    pub fn schedule(mut self, schedule: Schedule) -> Fit {
        self.hyper.schedule = schedule;
        self
    }

    /// Steps at the beginning in which the learning rate rises to the schedule's value. Default 0.
    pub fn warmup(mut self, steps: usize) -> Fit {
        self.hyper.warmup = steps;
        self
    }

    /// The loss to minimise. Default the mean squared error.
    pub fn loss(mut self, loss: Loss) -> Fit {
        self.hyper.loss = loss;
        self
    }

    /// What is done to the rows before the network sees them, in training: a denoising autoencoder. Its output is
    /// compared with the clean rows. Default nothing.
    pub fn noise(mut self, corruption: Corruption) -> Fit {
        self.hyper.noise = Some(corruption);
        self
    }

    /// The weight of a variational code's divergence from a normal distribution, at least 0. Default 1: the evidence
    /// lower bound; above 1, this is a beta-VAE (Higgins et al. 2017). With the squared error, the model is Gaussian
    /// with a variance of beta / 2.
    pub fn beta(mut self, weight: f32) -> Fit {
        self.hyper.beta = weight;
        self
    }

    /// Epochs in which that weight rises from 0, step by step (Sønderby et al. 2016). Default 0.
    pub fn kl_warmup(mut self, epochs: usize) -> Fit {
        self.hyper.kl_warmup = epochs;
        self
    }

    /// Nats that each unit of a variational code has for free: its divergence, mean over the batch, costs at least this
    /// much, and less brings nothing (Kingma et al. 2016). Default 0.
    pub fn free_bits(mut self, nats: f32) -> Fit {
        self.hyper.free_bits = nats;
        self
    }

    /// A penalty that keeps the code sparse. Default none.
    pub fn sparse(mut self, sparsity: Sparsity) -> Fit {
        self.hyper.sparse = Some(sparsity);
        self
    }

    /// The weight of the loss that revives dead units of a code of its largest units, at least 0: what they make of a
    /// row is to predict the residual (Gao et al. 2024). Default 1/32 where the decoder has one layer, else 0.
    pub fn revive(mut self, weight: f32) -> Fit {
        self.hyper.revive = Some(weight);
        self
    }

    /// The weight of the squared Frobenius norm of the code's Jacobian, mean over the rows, at least 0: a contractive
    /// autoencoder (Rifai et al. 2011). Exact for one layer; for deep encoders estimated by one random direction a row
    /// and step. Default 0.
    pub fn contractive(mut self, weight: f32) -> Fit {
        self.hyper.contractive = weight;
        self
    }

    /// The largest norm of all gradients together: longer ones are shortened to it before each step. Default none.
    pub fn clip_norm(mut self, norm: f32) -> Fit {
        self.hyper.clip = Some(norm);
        self
    }

    /// All of Adam's numbers.
    pub fn adam(mut self, config: AdamConfig) -> Fit {
        let AdamConfig { learning_rate: lr, beta1, beta2, eps, weight_decay } = config;
        self.hyper = Hyperparameters { lr, beta1, beta2, eps, weight_decay, ..self.hyper };
        self
    }

    /// The seed of the order of the rows. Default 0.
    pub fn seed(mut self, seed: u64) -> Fit {
        self.hyper.seed = seed;
        self
    }

    /// The order of the rows in the first epoch, instead of a random one: each row's number once. It serves to compare
    /// with other programs.
    pub fn first_order(mut self, order: Vec<u32>) -> Fit {
        self.first_order = Some(order);
        self
    }

    /// Epochs from one evaluation to the next, at least 1. Each evaluation measures the errors, writes a checkpoint and
    /// makes an entry of the history; the last epoch always has one. Default 1. Raise it where an epoch is a few steps.
    pub fn evaluate_every(mut self, epochs: usize) -> Fit {
        self.hyper.evaluate_every = epochs;
        self
    }

    /// Rows to measure the error on at each evaluation.
    pub fn test(mut self, data: &Dataset) -> Fit {
        self.test = Some(data.clone());
        self
    }

    /// Rows to select the best epoch: the error on them is measured at each evaluation, and with patience the training
    /// ends with the best epoch's weights. Do not pass the test rows: their error would then be too good.
    pub fn validate(mut self, data: &Dataset) -> Fit {
        self.validation = Some(data.clone());
        self
    }

    /// Ends the training after this many evaluations in a row, at least 1, none of which lowers the smallest error on
    /// the validation rows by the share [`Fit::min_delta`] of it. However the training ends, the weights of the epoch
    /// with the smallest error are restored.
    pub fn patience(mut self, evaluations: usize) -> Fit {
        self.hyper.patience = Some(evaluations);
        self
    }

    /// The share of the smallest error, in [0, 1), by which an evaluation must lower it so that patience counts anew.
    /// Default 0.005.
    pub fn min_delta(mut self, share: f64) -> Fit {
        self.hyper.min_delta = share;
        self
    }

    /// A flag that others may set, such as a signal handler: the training then ends within a fraction of a second or
    /// after one step, with a checkpoint if there is a folder for checkpoints.
    pub fn interrupt(mut self, flag: Arc<AtomicBool>) -> Fit {
        self.interrupt = Some(flag);
        self
    }

    /// A counter that others may read, such as a progress bar: the steps that are done, those before a resumption
    /// included. It is set a few times a second.
    pub fn count_steps(mut self, counter: Arc<AtomicUsize>) -> Fit {
        self.counter = Some(counter);
        self
    }

    /// A folder for checkpoints: `last.safetensors`, before the first step and at each evaluation; the previous one;
    /// and `best.safetensors`, if there are validation rows.
    #[cfg(feature = "files")]
    pub fn checkpoints(mut self, folder: impl Into<std::path::PathBuf>) -> Fit {
        self.checkpoints = Some(folder.into());
        self
    }

    /// Continues the training whose checkpoints are in the folder: on the same device it reaches the same bits as
    /// without the interruption. Only the number of epochs (unless the schedule depends on it), the patience, its
    /// least improvement and the test rows may differ.
    #[cfg(feature = "files")]
    pub fn resume(mut self, resume: bool) -> Fit {
        self.resume = resume;
        self
    }

    pub(super) fn interrupted(&self) -> bool {
        self.interrupt.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// The learning rate of every step; empty if it is constant.
    pub(super) fn rates(&self, rows: usize) -> Result<Vec<f64>> {
        let Hyperparameters { epochs, batch_size, lr, schedule, warmup, .. } = self.hyper;
        if schedule == Schedule::Constant && warmup == 0 {
            return Ok(Vec::new());
        }
        schedule.rates(lr, Steps { epochs, per_epoch: rows.div_ceil(batch_size), warmup })
    }
}
