//! The numbers and choices of a training, as plain data.

use super::Schedule;
use crate::AdamConfig;
use crate::nn::{Corruption, Divergence, Loss, Objective, Sparsity};

/// Everything that a training depends on besides the model and the rows. Files and checkpoints hold it under these
/// names.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "files", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
#[non_exhaustive]
pub struct Hyperparameters {
    /// Passes over the data, at least 1. Default 10.
    pub epochs: usize,
    /// Rows in a step, at least 1. Default 128.
    pub batch_size: usize,
    /// Adam's learning rate. Default 1e-3.
    pub lr: f64,
    /// How it changes. Default constant.
    pub schedule: Schedule,
    /// Steps at the beginning in which it rises to its value. Default 0.
    pub warmup: usize,
    /// Decoupled weight decay, as AdamW's. Default 0.
    pub weight_decay: f64,
    /// Adam's decay of the mean of the gradients. Default 0.9.
    pub beta1: f64,
    /// Adam's decay of the mean of their squares. Default 0.999.
    pub beta2: f64,
    /// What Adam adds to the root of that mean. Default 1e-8.
    pub eps: f64,
    /// The largest norm of all gradients of a group together. Default none.
    #[cfg_attr(feature = "files", serde(skip_serializing_if = "Option::is_none"))]
    pub clip: Option<f32>,
    /// How a reconstruction is compared with its row. Default the mean squared error.
    pub loss: Loss,
    /// What is done to the rows that the network sees in training. Default nothing.
    #[cfg_attr(feature = "files", serde(skip_serializing_if = "Option::is_none"))]
    pub noise: Option<Corruption>,
    /// The weight of a variational code's divergence. Default 1.
    #[cfg_attr(feature = "files", serde(skip_serializing_if = "is_one"))]
    pub beta: f32,
    /// Epochs in which that weight rises from 0. Default 0.
    #[cfg_attr(feature = "files", serde(skip_serializing_if = "is_zero"))]
    pub kl_warmup: usize,
    /// Nats of divergence that each unit of a variational code has for free. Default 0.
    #[cfg_attr(feature = "files", serde(skip_serializing_if = "is_zero"))]
    pub free_bits: f32,
    /// What keeps the code sparse. Default nothing.
    #[cfg_attr(feature = "files", serde(skip_serializing_if = "Option::is_none"))]
    pub sparse: Option<Sparsity>,
    /// The weight of the loss that revives dead units of a code of its largest units. Default 1/32 where the decoder
    /// has one layer, else 0.
    #[cfg_attr(feature = "files", serde(skip_serializing_if = "Option::is_none"))]
    pub revive: Option<f32>,
    /// The weight of the squared norm of the code's Jacobian. Default 0.
    #[cfg_attr(feature = "files", serde(skip_serializing_if = "is_zero"))]
    pub contractive: f32,
    /// Epochs from one evaluation to the next, at least 1. Default 1.
    // Checkpoints of a training that is evaluated after every epoch do not hold it.
    #[cfg_attr(feature = "files", serde(skip_serializing_if = "is_one"))]
    pub evaluate_every: usize,
    /// Evaluations in a row that do not lower the smallest error on the validation rows by `min_delta`, after which the
    /// training ends. Default none.
    #[cfg_attr(feature = "files", serde(skip_serializing_if = "Option::is_none"))]
    pub patience: Option<usize>,
    /// The share of the smallest error, in [0, 1), by which an evaluation must lower it so that patience counts anew.
    /// Default 0.005.
    pub min_delta: f64,
    /// The seed of the order of the rows and of the noise. Default 0.
    #[cfg_attr(feature = "files", serde(with = "crate::spelling::seed"))]
    pub seed: u64,
}

#[cfg(feature = "files")]
fn is_one<T: From<u8> + PartialEq>(number: &T) -> bool {
    *number == T::from(1)
}

#[cfg(feature = "files")]
fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

impl Default for Hyperparameters {
    fn default() -> Hyperparameters {
        let AdamConfig { learning_rate: lr, beta1, beta2, eps, weight_decay } = AdamConfig::default();
        let (schedule, loss) = (Schedule::default(), Loss::default());
        Hyperparameters {
            epochs: 10,
            batch_size: 128,
            lr,
            schedule,
            warmup: 0,
            weight_decay,
            beta1,
            beta2,
            eps,
            clip: None,
            loss,
            noise: None,
            beta: 1.0,
            kl_warmup: 0,
            free_bits: 0.0,
            sparse: None,
            revive: None,
            contractive: 0.0,
            evaluate_every: 1,
            patience: None,
            min_delta: 0.005,
            seed: 0,
        }
    }
}

impl Hyperparameters {
    pub(super) fn adam(&self) -> AdamConfig {
        let Hyperparameters { lr: learning_rate, beta1, beta2, eps, weight_decay, .. } = *self;
        AdamConfig { learning_rate, beta1, beta2, eps, weight_decay }
    }

    /// The objective, with epochs of this many steps.
    pub(super) fn objective(&self, steps: usize) -> Objective {
        let Hyperparameters { loss, noise, beta, kl_warmup, free_bits, sparse, revive, contractive, .. } = *self;
        let mut objective = Objective::new(loss);
        objective.corruption = noise;
        objective.divergence = Divergence { beta, warmup: kl_warmup.saturating_mul(steps), free_bits };
        objective.sparsity = sparse;
        objective.revival = revive;
        objective.contraction = contractive;
        objective
    }
}
