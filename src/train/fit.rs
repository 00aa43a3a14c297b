//! What to do in a training, and what came of it.

use super::Schedule;
use super::schedule::Steps;
use crate::data::Dataset;
use crate::{AdamConfig, Result};

/// How to train. The defaults are the article's: 10 epochs, batches of 128, Adam at 1e-3, MSE.
#[derive(Clone, Debug)]
pub struct Fit {
    pub(super) epochs: usize,
    pub(super) batch_size: usize,
    pub(super) adam: AdamConfig,
    pub(super) schedule: Schedule,
    pub(super) warmup: usize,
    pub(super) seed: u64,
    pub(super) first_order: Option<Vec<u32>>,
    pub(super) test: Option<Dataset>,
}

impl Default for Fit {
    fn default() -> Fit {
        Fit {
            epochs: 10,
            batch_size: 128,
            adam: AdamConfig::default(),
            schedule: Schedule::Constant,
            warmup: 0,
            seed: 0,
            first_order: None,
            test: None,
        }
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

    /// Decoupled weight decay, as AdamW's. Default 0.
    pub fn weight_decay(mut self, decay: f64) -> Fit {
        self.adam.weight_decay = decay;
        self
    }

    /// How the learning rate changes. Default constant.
    pub fn schedule(mut self, schedule: Schedule) -> Fit {
        self.schedule = schedule;
        self
    }

    /// Steps at the beginning in which the learning rate rises to where the schedule has it. Default 0.
    pub fn warmup(mut self, steps: usize) -> Fit {
        self.warmup = steps;
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

    /// The learning rate of every step; none where it is always the same.
    pub(super) fn rates(&self, rows: usize) -> Result<Vec<f64>> {
        if self.schedule == Schedule::Constant && self.warmup == 0 {
            return Ok(Vec::new());
        }
        let per_epoch = rows.div_ceil(self.batch_size);
        self.schedule.rates(self.adam.learning_rate, Steps { epochs: self.epochs, per_epoch, warmup: self.warmup })
    }
}
