//! What a variational code holds, and how likely rows are under its model.

use super::sampling::{Draws, drawn};
use crate::data::Dataset;
use crate::nn::{Decoder, Output};
use crate::rng::Rng;
use crate::{Autoencoder, Error, Loss, Result};
use rayon::prelude::*;
use std::f64::consts::PI;
use std::fmt;

/// A unit is active if its mean has a larger variance over the rows (Burda et al. 2016).
const ACTIVE: f64 = 0.01;
/// Rows whose likelihood is estimated at a time.
const BLOCK: usize = 256;

/// What a variational network makes of rows, in its units.
#[derive(Clone, Debug, PartialEq)]
pub struct Latent {
    /// How reconstructions are compared: the sum over a row's elements.
    pub loss: Loss,
    /// The weight of the divergence in the network's loss.
    pub beta: f32,
    /// The error with one drawn code a row, mean over the rows.
    pub drawn: f64,
    /// The error with the means as codes.
    pub with_means: f64,
    /// The divergence of each unit from a standard normal distribution in nats, mean over the rows.
    pub divergences: Vec<f64>,
    /// The variance of each unit's mean over the rows.
    pub variances: Vec<f64>,
}

/// An estimate of the log likelihood of rows by importance sampling, in nats (Burda et al. 2016): a lower bound in
/// expectation, which rises to the truth with the number of draws.
#[derive(Clone, Debug, PartialEq)]
pub struct Likelihood {
    /// The mean over the rows of ln p(x).
    pub log_likelihood: f64,
    /// The standard error of that mean: the standard deviation over the rows, over the root of their number.
    pub standard_error: f64,
    /// Codes drawn for each row.
    pub draws: usize,
    /// What the model says of a row, given its code.
    pub model: Model,
}

/// The distribution of a row, given its code.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Model {
    /// Each element is 1 with the probability that the sigmoid gives, else 0.
    Bernoulli {
        /// Whether grey values were drawn as 0 or 1, with themselves as probability.
        binarised: bool,
    },
    /// Each element is normal around the output, with this variance.
    Gaussian {
        /// beta / 2: what the squared error per row and beta times the divergence make of it.
        variance: f64,
    },
}

impl Latent {
    /// Measures all rows. The network was trained by `loss` and `beta`; the codes are drawn by `seed`.
    ///
    /// # Errors
    /// When the network is not variational, the rows do not fit it, there are none, or the device fails.
    pub fn of(ae: &Autoencoder, data: &Dataset, loss: Loss, beta: f32, seed: u64) -> Result<Latent> {
        let [mu, logvar] = ae.distributions(data)?;
        if data.is_empty() {
            return Err(Error::data(data.name(), "a mean over no rows", "Pass at least one row."));
        }
        let (rows, units) = (data.len(), ae.code_width());
        let clean = ae.scaled(data)?;
        let x = clean.rows_f32(0..rows);
        let mut decoder = Decoder::new(ae);
        let mut error = |codes: &[f32]| -> Result<f64> {
            let z = decoder.logits(codes)?;
            let columns = ae.inputs();
            let each = x.par_chunks(columns).zip(z.par_chunks(columns)).map(|(x, z)| row_error(x, z, loss, ae.output()));
            Ok(each.collect::<Vec<f64>>().iter().sum::<f64>() / rows as f64)
        };
        let with_means = error(&mu.values)?;
        let mut draws = Draws::new(ae.device(), units, seed, drawn::CODES)?;
        let mut codes = Vec::with_capacity(mu.values.len());
        for (mu, logvar) in mu.values.chunks(BLOCK * units).zip(logvar.values.chunks(BLOCK * units)) {
            codes.extend(code(mu, logvar, &draws.next(mu.len() / units)?));
        }
        let drawn = error(&codes)?;
        let mean = |of: &dyn Fn(usize) -> f64, unit: usize| (0..rows).map(|row| of(row * units + unit)).sum::<f64>() / rows as f64;
        let kl = |at: usize| {
            let (mu, logvar) = (f64::from(mu.values[at]), f64::from(logvar.values[at]));
            0.5 * (mu * mu + libm::exp(logvar) - logvar - 1.0)
        };
        let divergences = (0..units).map(|unit| mean(&kl, unit)).collect();
        let variances = (0..units)
            .map(|unit| {
                let center = mean(&|at| f64::from(mu.values[at]), unit);
                mean(&|at| (f64::from(mu.values[at]) - center).powi(2), unit)
            })
            .collect();
        Ok(Latent { loss, beta, drawn, with_means, divergences, variances })
    }

    /// The divergence of the whole code in nats, mean over the rows.
    pub fn divergence(&self) -> f64 {
        self.divergences.iter().sum()
    }

    /// Units whose mean varies over the rows by more than 0.01.
    pub fn active(&self) -> usize {
        self.variances.iter().filter(|&&variance| variance > ACTIVE).count()
    }

    /// Whether the code holds nothing, or some of its units do not: posterior collapse.
    pub fn is_collapsed(&self) -> bool {
        self.active() < self.variances.len()
    }
}

/// The error of a row: the sum over its elements, z being what comes before the output's activation.
fn row_error(x: &[f32], z: &[f32], loss: Loss, output: Output) -> f64 {
    let element = |(&x, &z): (&f32, &f32)| {
        let (x, z) = (f64::from(x), f64::from(z));
        match (loss, output) {
            (Loss::Bce, _) => cross_entropy(x.clamp(0.0, 1.0), z),
            (Loss::Mse, Output::Sigmoid) => (1.0 / (1.0 + libm::exp(-z)) - x).powi(2),
            (Loss::Mse, Output::Linear) => (z - x).powi(2),
        }
    };
    x.iter().zip(z).map(element).sum()
}

/// Of the probability x and the logit z.
fn cross_entropy(x: f64, z: f64) -> f64 {
    z.max(0.0) - z * x + libm::log1p(libm::exp(-z.abs()))
}

/// `mu + exp(logvar / 2) eps`.
fn code(mu: &[f32], logvar: &[f32], eps: &[f32]) -> Vec<f32> {
    let one = |((mu, logvar), eps): ((&f32, &f32), &f32)| (f64::from(*mu) + deviation(*logvar) * f64::from(*eps)) as f32;
    mu.iter().zip(logvar).zip(eps).map(one).collect()
}

fn deviation(logvar: f32) -> f64 {
    libm::exp(0.5 * f64::from(logvar))
}

impl Likelihood {
    /// Estimates the log likelihood of rows with `draws` codes each, drawn by `seed`. The network was trained by a loss
    /// and a beta. For cross-entropy the model is Bernoulli, and grey values are drawn as 0 or 1 first; for the squared
    /// error it is Gaussian with variance beta / 2.
    ///
    /// # Errors
    /// When the network is not variational, the rows do not fit it, there are none, beta is 0, no draws are asked for,
    /// or the device fails.
    pub fn of(ae: &Autoencoder, data: &Dataset, (loss, beta): (Loss, f32), draws: usize, seed: u64) -> Result<Likelihood> {
        ae.check_variational()?;
        if draws == 0 {
            return Err(Error::argument("nll", "it draws no codes", "Use at least 1; 100 is usual."));
        }
        let data = &ae.scaled(data)?;
        let (data, model) = match loss {
            Loss::Bce => binarised(data, seed)?,
            Loss::Mse if beta > 0.0 => (data.clone(), Model::Gaussian { variance: f64::from(beta) / 2.0 }),
            Loss::Mse => {
                let problem = "with a beta of 0 the model's variance is 0";
                return Err(Error::argument("nll", problem, "Train with a beta above 0."));
            }
        };
        let plain = ae.clone().without_scaler()?;
        let [mu, logvar] = plain.distributions(&data)?;
        let (rows, units, columns) = (data.len(), ae.code_width(), ae.inputs());
        let mut decoder = Decoder::new(ae);
        let mut normals = Draws::new(ae.device(), units, seed, drawn::WEIGHTS)?;
        let mut logs = Vec::with_capacity(rows);
        for start in (0..rows).step_by(BLOCK) {
            let end = rows.min(start + BLOCK);
            let x = data.rows_f32(start..end);
            let (mu, logvar) = (&mu.values[start * units..end * units], &logvar.values[start * units..end * units]);
            let mut sums = vec![LogSum::default(); end - start];
            for _ in 0..draws {
                let eps = normals.next(end - start)?;
                let codes = code(mu, logvar, &eps);
                let logits = decoder.logits(&codes)?;
                let parts = sums.par_iter_mut().zip(x.par_chunks(columns)).zip(logits.par_chunks(columns));
                parts.zip(codes.par_chunks(units).zip(eps.par_chunks(units)).zip(logvar.par_chunks(units))).for_each(
                    |(((sum, x), z), ((code, eps), logvar))| {
                        let prior_over_posterior = |((z, eps), logvar): ((&f32, &f32), &f32)| {
                            let [z, eps, logvar] = [*z, *eps, *logvar].map(f64::from);
                            0.5 * (eps * eps + logvar - z * z)
                        };
                        let codes = code.iter().zip(eps).zip(logvar).map(prior_over_posterior).sum::<f64>();
                        sum.add(model.log_density(x, z, ae.output()) + codes);
                    },
                );
            }
            logs.extend(sums.iter().map(|sum| sum.value() - libm::log(draws as f64)));
        }
        let mean = logs.iter().sum::<f64>() / rows as f64;
        let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (rows as f64 - 1.0).max(1.0);
        Ok(Likelihood { log_likelihood: mean, standard_error: (variance / rows as f64).sqrt(), draws, model })
    }
}

impl Model {
    /// The log density of a row, z being what comes before the output's activation.
    fn log_density(self, x: &[f32], z: &[f32], output: Output) -> f64 {
        match self {
            Model::Bernoulli { .. } => -row_error(x, z, Loss::Bce, output),
            Model::Gaussian { variance } => {
                -0.5 * (row_error(x, z, Loss::Mse, output) / variance + x.len() as f64 * libm::log(2.0 * PI * variance))
            }
        }
    }
}

/// The logarithm of a sum of exponentials.
#[derive(Clone, Copy)]
struct LogSum {
    most: f64,
    /// The sum of the exponentials of what is less than the most by so much.
    sum: f64,
}

impl Default for LogSum {
    fn default() -> LogSum {
        LogSum { most: f64::NEG_INFINITY, sum: 0.0 }
    }
}

impl LogSum {
    fn add(&mut self, log: f64) {
        if log > self.most {
            self.sum = self.sum * libm::exp(self.most - log) + 1.0;
            self.most = log;
        } else if log > f64::NEG_INFINITY {
            self.sum += libm::exp(log - self.most);
        }
    }

    fn value(self) -> f64 {
        self.most + libm::log(self.sum)
    }
}

/// The rows with each value between 0 and 1 drawn as 0 or 1, where there are such values.
fn binarised(data: &Dataset, seed: u64) -> Result<(Dataset, Model)> {
    let values = data.rows_f32(0..data.len());
    if let Some(at) = values.iter().position(|x| !(0.0..=1.0).contains(x)) {
        let problem = format!("row {} has a {}, and the model is of numbers from 0 to 1", at / data.columns(), values[at]);
        return Err(Error::data(data.name(), problem, "Scale the rows to [0, 1], or train with a linear output."));
    }
    let binarised = values.iter().any(|&x| x != 0.0 && x != 1.0);
    let mut rng = Rng::at_step(seed, drawn::BITS, 0);
    let values = values.into_iter().map(|x| f32::from(u8::from(rng.uniform() < x))).collect();
    Ok((data.with_floats(values), Model::Bernoulli { binarised }))
}

impl fmt::Display for Latent {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let kl = self.divergence();
        let of = |error: f64| error + f64::from(self.beta) * kl;
        writeln!(f, "variational code of {}: {} active units", self.variances.len(), self.active())?;
        writeln!(
            f,
            "  loss, one drawn code a row    {:.4} (reconstruction {:.4}, kl {kl:.4}, beta {})",
            of(self.drawn),
            self.drawn,
            self.beta
        )?;
        writeln!(f, "  loss, the mean as code        {:.4} (reconstruction {:.4})", of(self.with_means), self.with_means)?;
        write!(f, "  {:>6} {:>12} {:>18}", "unit", "kl (nats)", "variance of mu")?;
        for (unit, (kl, variance)) in self.divergences.iter().zip(&self.variances).enumerate() {
            write!(f, "\n  {unit:>6} {kl:>12.4} {variance:>18.4}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Likelihood {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Likelihood { log_likelihood, standard_error, draws, model } = self;
        write!(f, "log likelihood, {draws} draws a row: {log_likelihood:.3} nats, standard error {standard_error:.3}")?;
        write!(f, " ({model})")
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Model::Bernoulli { binarised: true } => write!(f, "Bernoulli; grey values drawn as 0 or 1"),
            Model::Bernoulli { binarised: false } => write!(f, "Bernoulli"),
            Model::Gaussian { variance } => write!(f, "Gaussian, variance beta / 2 = {variance}"),
        }
    }
}
