//! How much of a noise a network takes away.

use crate::data::Dataset;
use crate::nn::{Corruption, Output, mean_square};
use crate::{Autoencoder, Error, Result};
use rayon::prelude::*;
use std::fmt;

/// Rows with noise, and what a network makes of them, both beside the clean rows and in the network's units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Denoising {
    /// The noise.
    pub noise: Corruption,
    /// The rows that the network gets.
    pub noisy: Quality,
    /// What it gives.
    pub denoised: Quality,
}

/// How near rows are to others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// The mean over all elements of (x - y)^2.
    pub mse: f64,
    /// Peak signal-to-noise ratio in dB, 10 log10(1 / MSE), of each row, and then the mean over the rows: for values in
    /// [0, 1].
    pub psnr_of_rows: f64,
    /// Peak signal-to-noise ratio in dB of the mean MSE.
    pub psnr_of_mean: f64,
}

impl Quality {
    fn of(errors: &[f64]) -> Quality {
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / errors.len() as f64;
        let decibel = |mse: f64| -10.0 * libm::log10(mse);
        let mse = mean(&mut errors.iter().copied());
        Quality { mse, psnr_of_rows: mean(&mut errors.iter().map(|&e| decibel(e))), psnr_of_mean: decibel(mse) }
    }
}

/// Rows before and after: all in the network's units.
#[derive(Clone, Debug, PartialEq)]
pub struct Denoised {
    /// The rows.
    pub clean: Vec<f32>,
    /// The rows with noise.
    pub noisy: Vec<f32>,
    /// What the network makes of them.
    pub denoised: Vec<f32>,
}

impl Denoised {
    /// Adds noise to all rows, a function of `seed` and a row's number, and runs them through the network.
    ///
    /// # Errors
    /// When the rows do not fit the network, or the device fails.
    pub fn of(ae: &Autoencoder, data: &Dataset, noise: Corruption, seed: u64) -> Result<Denoised> {
        let clean = ae.scaled(data)?;
        let noisy = noise.corrupt(ae.device(), &clean, ae.output() == Output::Sigmoid, seed)?;
        let denoised = ae.clone().without_scaler()?.reconstruct(&noisy)?.values;
        let all = |rows: &Dataset| rows.rows_f32(0..rows.len());
        Ok(Denoised { clean: all(&clean), noisy: all(&noisy), denoised })
    }
}

impl Denoising {
    /// Adds noise to all rows, a function of `seed` and a row's number, and measures what the network makes of them.
    ///
    /// # Errors
    /// When the rows do not fit the network, there are none, or the device fails.
    pub fn of(ae: &Autoencoder, data: &Dataset, noise: Corruption, seed: u64) -> Result<Denoising> {
        if data.is_empty() {
            return Err(Error::data(data.name(), "a mean over no rows", "Pass at least one row."));
        }
        let Denoised { clean, noisy, denoised } = Denoised::of(ae, data, noise, seed)?;
        let quality = |values: &[f32]| {
            let pairs = clean.par_chunks(ae.inputs()).zip(values.par_chunks(ae.inputs()));
            Quality::of(&pairs.map(|(x, y)| mean_square(x, y)).collect::<Vec<f64>>())
        };
        Ok(Denoising { noise, noisy: quality(&noisy), denoised: quality(&denoised) })
    }
}

impl fmt::Display for Denoising {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Denoising { noise, noisy, denoised } = self;
        writeln!(f, "with noise {noise}              noisy    denoised")?;
        writeln!(f, "  MSE per element          {:>10.6}  {:>10.6}", noisy.mse, denoised.mse)?;
        writeln!(f, "  PSNR, mean over rows     {:>7.3} dB  {:>7.3} dB", noisy.psnr_of_rows, denoised.psnr_of_rows)?;
        write!(f, "  PSNR of the mean MSE     {:>7.3} dB  {:>7.3} dB", noisy.psnr_of_mean, denoised.psnr_of_mean)
    }
}
