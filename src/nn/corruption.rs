//! Corruption: what is done to rows before the network sees them, while it trains.

use super::recording::{Recording, Stream};
use crate::data::Dataset;
use crate::rng::purpose;
use crate::spelling::{as_text, none};
use crate::{Clock, Device, Error, Result, Tape, Tensor, Val};
use std::fmt;
use std::str::FromStr;

/// What a denoising autoencoder's rows go through before the network sees them; its output is compared with the clean
/// rows (Vincent et al. 2008, 2010). In the network's units, and in training only. As text: `gaussian:0.4`, `mask:0.3`,
/// `salt-pepper:0.1`.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Corruption {
    /// Adds a normal number of mean 0 and this standard deviation to each value; clamps to [0, 1] where the output is a
    /// sigmoid.
    Gaussian(f32),
    /// Each value becomes 0 with this probability.
    Mask(f32),
    /// Each value becomes 0 or 1, either as likely as the other, with this probability.
    SaltPepper(f32),
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Corruption::Gaussian(deviation) => write!(f, "gaussian:{deviation}"),
            Corruption::Mask(share) => write!(f, "mask:{share}"),
            Corruption::SaltPepper(share) => write!(f, "salt-pepper:{share}"),
        }
    }
}

impl FromStr for Corruption {
    type Err = Error;

    fn from_str(text: &str) -> Result<Corruption> {
        let parsed = match text.split_once(':') {
            Some(("gaussian", deviation)) => deviation.parse().ok().map(Corruption::Gaussian),
            Some(("mask", share)) => share.parse().ok().map(Corruption::Mask),
            Some(("salt-pepper", share)) => share.parse().ok().map(Corruption::SaltPepper),
            _ => None,
        };
        let corruption = parsed.ok_or_else(|| none("noise", text, Corruption::USAGE))?;
        corruption.check().map(|()| corruption)
    }
}

as_text!(Corruption);

/// Rows whose noise is drawn at one step.
const BLOCK: usize = 1024;

impl Corruption {
    /// What a usage line says.
    pub const USAGE: &'static str = "gaussian:S, mask:P, salt-pepper:P";

    /// Rejects a standard deviation that is not a finite number above 0, and a share that is not in (0, 1).
    ///
    /// # Errors
    /// As it says.
    pub fn check(self) -> Result<()> {
        let refuse = |value: f32, remedy: &str| Err(Error::argument("noise", format!("it is {value}"), remedy));
        match self {
            Corruption::Gaussian(deviation) if !(deviation > 0.0 && deviation.is_finite()) => {
                refuse(deviation, "Use a finite standard deviation above 0, such as gaussian:0.4.")
            }
            Corruption::Mask(share) | Corruption::SaltPepper(share) if !(share > 0.0 && share < 1.0) => {
                refuse(share, "Use a share between 0 and 1, such as mask:0.3.")
            }
            _ => Ok(()),
        }
    }

    /// In training the corrupted rows, with noise of their own at each step; in use the rows. `unit` clamps to [0, 1].
    pub(super) fn record(self, on: &mut Recording, x: Val, unit: bool) -> Result<Val> {
        match (on.stream(), on.stream()) {
            (Some(one), Some(other)) => self.on(on.tape(), x, unit, [one, other]),
            _ => Ok(x),
        }
    }

    fn on(self, tape: &mut Tape, x: Val, unit: bool, [one, other]: [Stream; 2]) -> Result<Val> {
        let shape = tape.shape(x)?.to_vec();
        let mask = |tape: &mut Tape, x, share: f32, s: Stream| tape.mask(x, share.into(), false, s.seed, s.purpose, s.clock);
        match self {
            Corruption::Gaussian(deviation) => {
                let noise = tape.normal(&shape, 0.0, deviation, one.seed, one.purpose, one.clock)?;
                let noisy = tape.add(x, noise)?;
                if unit { tape.clamp(noisy, 0.0, 1.0) } else { Ok(noisy) }
            }
            Corruption::Mask(share) => mask(tape, x, share, one),
            // x m + s (1 - m), with the mask m drawn twice: every product is exact.
            Corruption::SaltPepper(share) => {
                let kept = mask(tape, x, share, one)?;
                let ones = tape.fill(&shape, 1.0)?;
                let salt = mask(tape, ones, 0.5, other)?;
                let beneath = mask(tape, salt, share, one)?;
                let outside = tape.axpy(salt, beneath, -1.0)?;
                tape.add(kept, outside)
            }
        }
    }

    /// The rows with noise, a function of `seed` and the row's number. They are floats in the units of `rows`, which
    /// should be those of the network: [`Autoencoder::scaled`](super::Autoencoder::scaled). `unit` clamps to [0, 1].
    ///
    /// # Errors
    /// When a number is out of its range, or the device has no memory.
    pub fn corrupt(self, device: &Device, rows: &Dataset, unit: bool, seed: u64) -> Result<Dataset> {
        self.check()?;
        let (clock, columns) = (Clock::new(device)?, rows.columns());
        let stream = |at: u32| Stream { seed, purpose: purpose::IN_USE + at, clock: &clock };
        let mut noisy = Vec::with_capacity(rows.len() * columns);
        for start in (0..rows.len()).step_by(BLOCK) {
            let block = start..rows.len().min(start + BLOCK);
            let mut tape = Tape::new(device);
            let x = tape.input(&Tensor::new(device, &rows.rows_f32(block.clone()), &[block.len(), columns])?)?;
            let y = self.on(&mut tape, x, unit, [stream(0), stream(1)])?;
            tape.push_advance(&clock, 0, 1)?;
            noisy.extend(tape.read(y)?);
        }
        Ok(rows.with_floats(noisy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corrupted(noise: Corruption, unit: bool, seed: u64) -> Vec<f32> {
        let rows = Dataset::from_rows("rows", vec![0.25; 40_000], &[10]).unwrap();
        let noisy = noise.corrupt(&Device::cpu().unwrap(), &rows, unit, seed).unwrap();
        noisy.rows_f32(0..noisy.len())
    }

    #[test]
    fn each_noise_has_its_moments_and_a_seed_its_noise() {
        let mean = |values: &[f32], f: &dyn Fn(f32) -> bool| values.iter().filter(|&&v| f(v)).count() as f64 / values.len() as f64;
        let near = |a: f64, b: f64| assert!((a - b).abs() < 0.01, "{a} for {b}");
        let noisy = corrupted(Corruption::Gaussian(0.5), false, 0);
        near(noisy.iter().map(|&v| f64::from(v)).sum::<f64>() / noisy.len() as f64, 0.25);
        near(noisy.iter().map(|&v| (f64::from(v) - 0.25).powi(2)).sum::<f64>() / noisy.len() as f64, 0.25);
        let clamped = corrupted(Corruption::Gaussian(0.5), true, 0);
        assert!(noisy.iter().zip(&clamped).all(|(free, clamped)| free.clamp(0.0, 1.0) == *clamped));
        let masked = corrupted(Corruption::Mask(0.3), true, 0);
        near(mean(&masked, &|v| v == 0.0), 0.3);
        near(mean(&masked, &|v| v == 0.25), 0.7);
        let peppered = corrupted(Corruption::SaltPepper(0.2), true, 0);
        near(mean(&peppered, &|v| v == 0.0), 0.1);
        near(mean(&peppered, &|v| v == 1.0), 0.1);
        near(mean(&peppered, &|v| v == 0.25), 0.8);
        assert_eq!(corrupted(Corruption::Mask(0.3), true, 0), masked);
        assert_ne!(corrupted(Corruption::Mask(0.3), true, 1), masked);
    }

    #[test]
    fn rows_have_the_same_noise_whatever_follows_them() {
        let rows = Dataset::from_rows("rows", vec![0.5; 3 * 2_500], &[3]).unwrap();
        let of = |rows: &Dataset| {
            let noisy = Corruption::Gaussian(0.1).corrupt(&Device::cpu().unwrap(), rows, false, 4).unwrap();
            noisy.rows_f32(0..noisy.len())
        };
        assert_eq!(of(&rows)[..3 * 1_500], of(&rows.head(1_500)));
    }
}
