//! `narrows eval`

use super::common::{Common, print};
use super::input::Halves;
use super::model::Model;
use super::outside::Outside;
use super::settings::{Settings, run_of};
use clap::Args;
use narrows::data::Dataset;
use narrows::nn::{Corruption, Output};
use narrows::tasks::{self, Activity, Denoising, Latent, Likelihood};
use narrows::train::Evaluation;
use narrows::{Autoencoder, Loss, Result};
use serde_json::{Value, json};
use std::fmt::Display;

#[derive(Args)]
pub(super) struct Eval {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    halves: Halves,
    /// Adds noise to the test rows, in the network's units, and measures what the network makes of them.
    #[arg(long, value_name = "gaussian:S|mask:P|salt-pepper:P", value_parser = super::flags::noise)]
    noise: Option<Corruption>,
    /// Of a variational network: estimates the log likelihood of the test rows by this many drawn codes a row.
    #[arg(long, value_name = "K")]
    nll: Option<usize>,
    /// Measures the squared Frobenius norm of the code's Jacobian, mean over the test rows. Always of a contractive
    /// network.
    #[arg(long)]
    jacobian: bool,
    /// Seed of the noise and of drawn codes.
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Prints one JSON document instead of text.
    #[arg(long)]
    json: bool,
}

/// What is measured of the test rows besides their reconstructions.
#[derive(Default)]
struct More {
    noise: Option<Denoising>,
    activity: Option<Activity>,
    latent: Option<Latent>,
    likelihood: Option<Likelihood>,
    /// The squared norm of the code's Jacobian.
    jacobian: Option<f64>,
}

impl Eval {
    /// Prints the errors on training and test rows.
    pub(super) fn run(&self) -> Result<()> {
        let ae = self.model.load(&self.common)?;
        let (split, _) = self.halves.open(self.model.path(), &ae, &self.common)?;
        let both = Evaluation { train: ae.measure(&split.train)?, test: ae.measure(&split.test)? };
        let more = self.more(&ae, &split.test)?;
        let outside = Outside::default();
        for part in [&both.train, &both.test] {
            outside.add(part.outside.unwrap_or(0), part.rows * part.columns);
        }
        outside.say(&self.common);
        if let Some(latent) = more.latent.as_ref().filter(|latent| latent.is_collapsed()) {
            let (idle, units) = (latent.variances.len() - latent.active(), latent.variances.len());
            self.common.say(format_args!(
                "{idle} of {units} units say nothing about a row: their posterior has collapsed to the prior. Where they are wanted: --beta below {}, --kl-warmup, --free-bits",
                latent.beta
            ));
        }
        match self.json {
            true => print(more.put_into(serde_json::from_str(&both.json()).unwrap_or_default())),
            false => print(more.after(&both)),
        }
    }

    fn more(&self, ae: &Autoencoder, test: &Dataset) -> Result<More> {
        let mut more = More { noise: self.noise.map(|noise| Denoising::of(ae, test, noise, self.seed)).transpose()?, ..More::default() };
        let run = run_of(self.model.path()).map(Settings::read).transpose()?;
        if self.jacobian || run.is_some_and(|settings| settings.fit.contractive > 0.0) {
            more.jacobian = Some(tasks::jacobian_norm(ae, test)?);
        }
        more.activity = Some(Activity::of(ae, test)?).filter(|activity| activity.on < activity.shares.len() as f64);
        if ae.spec().variational || self.nll.is_some() {
            let (loss, beta) = self.trained_by(ae)?;
            more.latent = Some(Latent::of(ae, test, loss, beta, self.seed)?);
            more.likelihood = self.nll.map(|draws| Likelihood::of(ae, test, (loss, beta), draws, self.seed)).transpose()?;
        }
        Ok(more)
    }

    /// The loss and the weight of the divergence that the network was trained by. Of a network that is in no folder of
    /// a run, those that are usual for its output.
    fn trained_by(&self, ae: &Autoencoder) -> Result<(Loss, f32)> {
        let run = run_of(self.model.path()).map(Settings::read).transpose()?;
        let usual = if ae.output() == Output::Sigmoid { Loss::Bce } else { Loss::Mse };
        Ok(run.map_or((usual, 1.0), |settings| (settings.fit.loss, settings.fit.beta)))
    }
}

impl More {
    fn after(&self, first: &dyn Display) -> String {
        let jacobian = self.jacobian.map(|norm| format!("squared norm of the code's Jacobian, mean over rows: {norm:.5}"));
        let all: [Option<&dyn Display>; 6] = [
            Some(first),
            self.noise.as_ref().map(|part| part as _),
            self.activity.as_ref().map(|part| part as _),
            self.latent.as_ref().map(|part| part as _),
            self.likelihood.as_ref().map(|part| part as _),
            jacobian.as_ref().map(|part| part as _),
        ];
        all.into_iter().flatten().map(|part| part.to_string()).collect::<Vec<_>>().join("\n")
    }

    fn put_into(&self, mut document: Value) -> Value {
        if let Some(noise) = &self.noise {
            let quality =
                |q: &narrows::tasks::Quality| json!({ "mse": q.mse, "psnr_of_rows": q.psnr_of_rows, "psnr_of_mean": q.psnr_of_mean });
            document["noise"] = json!({
                "noise": noise.noise.to_string(), "noisy": quality(&noise.noisy), "denoised": quality(&noise.denoised),
            });
        }
        if let Some(activity) = &self.activity {
            document["activity"] = json!({
                "on": activity.on, "dead": activity.dead(), "units": activity.shares.len(),
                "explained_variance": activity.explained_variance,
            });
        }
        if let Some(latent) = &self.latent {
            let whole = |error: f64| error + f64::from(latent.beta) * latent.divergence();
            document["latent"] = json!({
                "loss": whole(latent.drawn), "loss_of_means": whole(latent.with_means), "reconstruction": latent.drawn,
                "reconstruction_of_means": latent.with_means, "kl": latent.divergence(), "beta": latent.beta,
                "active": latent.active(), "units": latent.divergences, "variances": latent.variances,
            });
        }
        if let Some(likelihood) = &self.likelihood {
            document["log_likelihood"] = json!({
                "mean": likelihood.log_likelihood, "standard_error": likelihood.standard_error, "draws": likelihood.draws,
                "model": likelihood.model.to_string(),
            });
        }
        if let Some(norm) = self.jacobian {
            document["jacobian"] = json!(norm);
        }
        document
    }
}
