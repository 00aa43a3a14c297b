//! What a training rejects before it begins.

use super::{Fit, Hyperparameters};
use crate::data::{Dataset, Values};
use crate::nn::{CodeActivation, Loss, Output, Sparsity};
use crate::{Autoencoder, Error, Result};

/// The most steps between two evaluations: their losses take 4 bytes each on the device.
const MOST_STEPS: usize = 1 << 28;

impl Fit {
    /// Rejects what does not fit an autoencoder.
    pub(super) fn check_for(&self, ae: &Autoencoder, data: &Dataset) -> Result<()> {
        if data.columns() != ae.inputs() {
            return Err(Error::data(
                data.name(),
                format!("its rows have {} columns but the network takes {}", data.columns(), ae.inputs()),
                format!("Build it with `Autoencoder::builder({})`.", data.columns()),
            ));
        }
        self.check_parts(ae)?;
        if self.hyper.loss == Loss::Bce && ae.output() == Output::Linear {
            return Err(Error::argument(
                "loss",
                "binary cross-entropy needs probabilities, and this network's output is linear",
                "Train by mean squared error, or build it with a sigmoid at its end (--output sigmoid).",
            ));
        }
        // Outside of [0, 1] the cross-entropy has no lower bound, and training would run away along it.
        let checked = |rows: &Dataset| match rows.values() {
            Values::Floats(floats) if self.hyper.loss == Loss::Bce => match floats.iter().position(|x| !(0.0..=1.0).contains(x)) {
                Some(at) => Err(Error::data(
                    rows.name(),
                    format!("row {} has a {}, and binary cross-entropy is for numbers in [0, 1]", at / rows.columns(), floats[at]),
                    "Scale the data to [0, 1], or train by mean squared error.",
                )),
                None => Ok(()),
            },
            _ => Ok(()),
        };
        checked(data)
    }

    /// Rejects parts of the objective that are out of range, or mean nothing to this network.
    fn check_parts(&self, ae: &Autoencoder) -> Result<()> {
        let Hyperparameters { noise, beta, kl_warmup, free_bits, sparse, revive, contractive, .. } = self.hyper;
        if let Some(noise) = noise {
            noise.check()?;
        }
        let weights = [
            ("beta", beta, "1"),
            ("free bits", free_bits, "0.1"),
            ("revive", revive.unwrap_or(0.0), "0.03125"),
            ("contractive", contractive, "0.01"),
        ];
        for (name, value, usual) in weights {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::argument(
                    name,
                    format!("it is {value}"),
                    format!("Use a finite number of at least 0; {usual} is usual."),
                ));
            }
        }
        let asked = [("beta", beta != 1.0), ("kl warmup", kl_warmup > 0), ("free bits", free_bits > 0.0)];
        if let Some((name, _)) = asked.into_iter().find(|(_, asked)| *asked && !ae.spec().variational) {
            let problem = "it weighs the divergence of a variational code, and this code is not variational";
            return Err(Error::argument(name, problem, "Leave it out, or build a variational network (--variational)."));
        }
        if revive.is_some_and(|weight| weight > 0.0) && !ae.spec().can_revive() {
            let problem = match ae.spec().sparse {
                None => "it revives units of a code of its largest units, and this code has no such choice",
                Some(_) => "it revives units by what one layer of weights makes of them, and this decoder has more layers",
            };
            return Err(Error::argument("revive", problem, "Leave it out, or train one layer with --sparse topk:K or batchtopk:K."));
        }
        if let Some(sparse) = sparse {
            sparse.check()?;
            if matches!(sparse, Sparsity::Kl { .. }) && ae.spec().code != CodeActivation::Sigmoid {
                let problem = format!("{sparse} is for activities between 0 and 1, and this code is {}", ae.spec().code);
                return Err(Error::argument("sparse", problem, "Build it with a sigmoid code (--code sigmoid), or use l1."));
            }
        }
        Ok(())
    }

    /// Rejects evaluations too seldom for their losses to be kept, and a least improvement that is no share.
    fn check_evaluations(&self, data: &Dataset) -> Result<()> {
        let (every, delta) = (self.hyper.evaluate_every, self.hyper.min_delta);
        let steps = data.len().div_ceil(self.hyper.batch_size);
        if every.checked_mul(steps).is_none_or(|all| !(1..=MOST_STEPS).contains(&all)) {
            let problem = format!("an evaluation every {every} epochs of {steps} steps");
            return Err(Error::argument("evaluate every", problem, format!("Use at least 1 epoch and at most {MOST_STEPS} steps.")));
        }
        if !(0.0..1.0).contains(&delta) {
            return Err(Error::argument("min delta", format!("it is {delta}"), "Use a share from 0 to below 1, such as 0.005."));
        }
        Ok(())
    }

    /// Rejects what does not fit any training.
    pub(super) fn check(&self, data: &Dataset) -> Result<()> {
        let needs = |name: &str, value: usize| Err(Error::argument(name, format!("it is {value}"), "Use at least 1."));
        if data.is_empty() {
            return Err(Error::data(data.name(), "there are no rows to train on", "Pass at least one row."));
        }
        if self.hyper.epochs == 0 {
            return needs("epochs", self.hyper.epochs);
        }
        if self.hyper.batch_size == 0 {
            return needs("batch size", self.hyper.batch_size);
        }
        for (what, rows) in [("test", &self.test), ("validation", &self.validation)] {
            if let Some(rows) = rows
                && (rows.columns() != data.columns() || rows.is_empty())
            {
                return Err(Error::data(
                    rows.name(),
                    format!("{} {what} rows of {} columns where rows of {} are needed", rows.len(), rows.columns(), data.columns()),
                    "Pass at least one row of that width.",
                ));
            }
        }
        self.check_evaluations(data)?;
        if self.hyper.patience == Some(0) {
            return needs("patience", 0);
        }
        if self.hyper.patience.is_some() && self.validation.is_none() {
            return Err(Error::argument(
                "patience",
                "there are no validation rows to measure the error on",
                "Name some with `Fit::validate`, or --validation FRACTION.",
            ));
        }
        if let Some(most) = self.hyper.clip
            && !(most > 0.0 && most.is_finite())
        {
            return Err(Error::argument("clip norm", format!("it is {most}"), "Use a finite number above 0; 1 is usual."));
        }
        if let Some(order) = &self.first_order {
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
}
