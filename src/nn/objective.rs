//! The objective of a training, as plain data.

use super::bottleneck::Code;
use super::{Autoencoder, Corruption, GROUP, Output, Recording, Sparsity};
use crate::spelling::spelled;
use crate::{Result, Tensor, Val};

/// How a reconstruction is compared with its row.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loss {
    /// The mean over all elements of `(y - x)^2`.
    #[default]
    Mse,
    /// The mean over all elements of the binary cross-entropy `-x log y - (1 - x) log(1 - y)`, for data in [0, 1].
    Bce,
}

spelled!(Loss, "loss": Mse "mse", Bce "bce");

/// How much the divergence of a variational code from a normal distribution counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Divergence {
    /// Its weight (Higgins et al. 2017). Default 1: the evidence lower bound.
    pub beta: f32,
    /// Steps in which the weight rises from 0 to beta, in training (Sønderby et al. 2016). Default 0.
    pub warmup: usize,
    /// Nats that each unit has for free: the sum over the units of `max(free_bits, its mean over the batch)` (Kingma et
    /// al. 2016). Default 0.
    pub free_bits: f32,
}

impl Default for Divergence {
    fn default() -> Divergence {
        Divergence { beta: 1.0, warmup: 0, free_bits: 0.0 }
    }
}

/// The objective of an autoencoder's training.
///
/// The loss is the mean over all elements of the error, plus the weighted penalties. With a variational bottleneck it
/// is the mean over the rows of the sum over their elements of the error, plus beta times the divergence of the codes
/// from a normal distribution, in nats where the error is a cross-entropy.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Objective {
    /// How a reconstruction is compared with its row.
    pub loss: Loss,
    /// What is done to the rows that the network sees in training.
    pub corruption: Option<Corruption>,
    /// What a variational code costs.
    pub divergence: Divergence,
    /// What keeps the code sparse.
    pub sparsity: Option<Sparsity>,
    /// The weight of the loss by which dead units of a code of its largest units learn what the others leave over. Not
    /// named, it is 1/32 where the decoder has one layer, and else 0.
    pub revival: Option<f32>,
    /// The weight of the squared Frobenius norm of the code's Jacobian, mean over the rows. Default 0.
    pub contraction: f32,
}

impl Objective {
    /// Only a loss.
    pub fn new(loss: Loss) -> Objective {
        Objective { loss, ..Objective::default() }
    }

    /// Whether the loss in use is the error alone.
    pub(crate) fn is_plain(&self, ae: &Autoencoder) -> bool {
        !ae.spec().variational && self.sparsity.is_none() && self.contraction == 0.0
    }

    /// One pass over rows x [B, inputs]: corrupt, encode, narrow, decode, compare. Training, validation and use record
    /// the same pass; only training has noise and steps of the optimiser. Where the loss has several terms, they are
    /// kept as `reconstruction`, `kl` and `penalty`; beside another penalty, that of a contractive network is
    /// `jacobian`. What revives dead units is kept as `revival` and is no part of the loss that is reported.
    ///
    /// # Errors
    /// When x has another number of columns, or no rows.
    pub fn record(&self, ae: &Autoencoder, on: &mut Recording, x: Val) -> Result<()> {
        let unit = ae.output() == Output::Sigmoid;
        let seen = self.corruption.map_or(Ok(x), |corruption| corruption.record(on, x, unit))?;
        let h = ae.encode_in(on, seen)?;
        let code = ae.narrow_in(on, h)?;
        let z = ae.decode_in(on, code.z)?;
        let error = self.compare(ae, on, z, x)?;
        let loss = self.penalise(ae, on, error, seen, &code)?;
        let Some((weight, revived)) = self.revive(ae, on, &code, z, x)? else { return on.descend(loss, GROUP) };
        on.keep("revival", revived)?;
        on.report(loss)?;
        let all = on.tape().axpy(loss, revived, weight)?;
        on.descend(all, GROUP)
    }

    /// The error of the decoder's outputs z, before the final sigmoid, on the rows x: the mean over all elements, or,
    /// for a variational code, over the rows.
    pub(super) fn compare(&self, ae: &Autoencoder, on: &mut Recording, z: Val, x: Val) -> Result<Val> {
        let [rows, columns] = [on.tape().shape(x)?[0], ae.inputs()];
        let scale = (1.0 / if ae.spec().variational { rows as f64 } else { (rows * columns) as f64 }) as f32;
        match self.loss {
            Loss::Mse => {
                let y = ae.output_in(on, z)?;
                on.tape().squares(y, x, scale)
            }
            Loss::Bce => {
                // Outside of [0, 1] the cross-entropy has no lower bound. Training refuses such rows.
                let x = if on.trains() { x } else { on.tape().clamp(x, 0.0, 1.0)? };
                on.tape().entropies(z, x, scale)
            }
        }
    }

    /// The error and what the code costs.
    fn penalise(&self, ae: &Autoencoder, on: &mut Recording, error: Val, seen: Val, code: &Code) -> Result<Val> {
        if self.is_plain(ae) {
            return Ok(error);
        }
        on.keep("reconstruction", error)?;
        let mut loss = error;
        if let Some(gaussian) = code.gaussian {
            let (kl, cost) = self.divergence.record(on, gaussian)?;
            on.keep("kl", kl)?;
            loss = on.tape().add(loss, cost)?;
        }
        if let Some(sparsity) = self.sparsity {
            let (weight, penalty) = sparsity.record(on, code.z)?;
            on.keep("penalty", penalty)?;
            loss = on.tape().axpy(loss, penalty, weight)?;
        }
        if self.contraction > 0.0 {
            let norm = ae.contraction_in(on, seen)?;
            on.keep(if self.sparsity.is_some() { "jacobian" } else { "penalty" }, norm)?;
            loss = on.tape().axpy(loss, norm, self.contraction)?;
        }
        Ok(loss)
    }
}

impl Divergence {
    /// The divergence of codes from a normal distribution, mean over the rows; and what it adds to the loss.
    fn record(&self, on: &mut Recording, [mu, logvar]: [Val; 2]) -> Result<(Val, Val)> {
        let rows = on.tape().shape(mu)?[0];
        let half = (0.5 / rows as f64) as f32;
        let kl = on.tape().kl(mu, logvar, half)?;
        let cost = match self.free_bits {
            0.0 => kl,
            least => {
                let terms = on.tape().kl_terms(mu, logvar)?;
                let sums = on.tape().dense_db(terms)?;
                let units = on.tape().scale(sums, half)?;
                let paid = on.tape().clamp(units, least, f32::INFINITY)?;
                on.tape().sum(paid)?
            }
        };
        Ok((kl, self.weigh(on, cost)?))
    }

    /// Beta times a cost. In training it is a table of the steps while beta rises.
    fn weigh(&self, on: &mut Recording, cost: Val) -> Result<Val> {
        let clock = on.clock().filter(|_| self.warmup > 0);
        let Some(clock) = clock else { return on.tape().scale(cost, self.beta) };
        let steps = 0..=self.warmup;
        let betas: Vec<f32> = steps.map(|step| (f64::from(self.beta) * step as f64 / self.warmup as f64) as f32).collect();
        let table = Tensor::new(on.tape().device(), &betas, &[betas.len(), 1])?;
        on.tape().scale_by(cost, &table, 0, clock)
    }
}
