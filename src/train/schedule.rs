//! Learning rates that change from step to step. They are a column of the table that Adam reads on the device, computed
//! before the training.

use crate::spelling::{as_text, none};
use crate::{Error, Result};
use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

/// How the learning rate changes, starting from Adam's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Schedule {
    /// It stays the same.
    #[default]
    Constant,
    /// It is multiplied by `factor`, above 0, after every `every` epochs, at least 1.
    Step {
        /// Epochs between two changes.
        every: usize,
        /// The factor.
        factor: f64,
    },
    /// It falls to `to`, at least 0, along half a cosine: `to + (lr - to) (1 + cos(pi t / T)) / 2`, t from 0, T the
    /// steps after the warm-up (Loshchilov and Hutter 2017, without restarts).
    Cosine {
        /// The learning rate at the end.
        to: f64,
    },
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Schedule::Constant => f.write_str("constant"),
            Schedule::Step { every, factor } => write!(f, "step:{every}:{factor}"),
            Schedule::Cosine { to: 0.0 } => f.write_str("cosine"),
            Schedule::Cosine { to } => write!(f, "cosine:{to}"),
        }
    }
}

impl FromStr for Schedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Schedule> {
        let parts: Vec<&str> = text.split(':').collect();
        let parsed = match parts.as_slice() {
            ["constant"] => Some(Schedule::Constant),
            ["cosine"] => Some(Schedule::Cosine { to: 0.0 }),
            ["cosine", to] => to.parse().ok().map(|to| Schedule::Cosine { to }),
            ["step", every, factor] => every.parse().ok().zip(factor.parse().ok()).map(|(every, factor)| Schedule::Step { every, factor }),
            _ => None,
        };
        parsed.ok_or_else(|| none("schedule", text, "constant, step:N:FACTOR (such as step:5:0.5), cosine[:END]"))
    }
}

as_text!(Schedule);

/// The steps of a whole training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Epochs of the training.
    pub epochs: usize,
    /// Steps of each.
    pub per_epoch: usize,
    /// The first steps, in which the rate rises to the schedule's value: `lr (t + 1) / warmup`. 0 for none.
    pub warmup: usize,
}

impl Schedule {
    /// The learning rate of every step, from `rate` on.
    ///
    /// ```
    /// use narrows::{Schedule, train::Steps};
    /// let steps = Steps { epochs: 2, per_epoch: 3, warmup: 2 };
    /// assert_eq!(Schedule::Constant.rates(0.5, steps)?, [0.25, 0.5, 0.5, 0.5, 0.5, 0.5]);
    /// assert_eq!(Schedule::Step { every: 1, factor: 0.5 }.rates(0.5, steps)?, [0.25, 0.5, 0.5, 0.25, 0.25, 0.25]);
    /// # Ok::<(), narrows::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a number is out of its range, or the steps are more than memory can hold.
    pub fn rates(&self, rate: f64, steps: Steps) -> Result<Vec<f64>> {
        self.check(rate)?;
        let total = steps.epochs.checked_mul(steps.per_epoch).filter(|&n| n <= MOST);
        let Some(total) = total else {
            return Err(Error::argument(
                "schedule",
                format!("{} epochs of {} steps", steps.epochs, steps.per_epoch),
                format!("Use at most {MOST} steps, or a constant learning rate without warm-up."),
            ));
        };
        if steps.warmup > total {
            return Err(Error::argument("warm-up", format!("{} steps of {total} in all", steps.warmup), "Warm up for fewer steps."));
        }
        Ok((0..total).map(|t| self.rate(rate, t, steps)).collect())
    }

    fn rate(&self, rate: f64, t: usize, steps: Steps) -> f64 {
        let total = steps.epochs * steps.per_epoch;
        let shaped = match *self {
            Schedule::Constant => rate,
            Schedule::Step { every, factor } => rate * libm::pow(factor, (t / steps.per_epoch / every) as f64),
            Schedule::Cosine { to } => {
                let done = t.saturating_sub(steps.warmup) as f64 / (total - steps.warmup).max(1) as f64;
                to + (rate - to) * (1.0 + libm::cos(PI * done)) / 2.0
            }
        };
        if t < steps.warmup { shaped * (t + 1) as f64 / steps.warmup as f64 } else { shaped }
    }

    fn check(&self, rate: f64) -> Result<()> {
        match *self {
            Schedule::Step { every: 0, .. } => Err(Error::argument("schedule", "a change every 0 epochs", "Use at least 1.")),
            Schedule::Step { factor, .. } if !(factor > 0.0 && factor.is_finite()) => {
                Err(Error::argument("schedule", format!("a factor of {factor}"), "Use a finite number above 0; 0.5 is usual."))
            }
            Schedule::Cosine { to } if !(0.0..=rate).contains(&to) => {
                Err(Error::argument("schedule", format!("a cosine from {rate} to {to}"), "Use 0 up to the learning rate."))
            }
            _ => Ok(()),
        }
    }
}

/// The most steps of a table: 512 MiB.
const MOST: usize = 1 << 25;

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: Steps = Steps { epochs: 4, per_epoch: 5, warmup: 0 };

    #[test]
    fn a_cosine_starts_at_the_rate_passes_the_middle_and_ends_a_step_above_its_end() {
        let rates = Schedule::Cosine { to: 0.1 }.rates(0.9, STEPS).unwrap();
        assert_eq!((rates.len(), rates[0]), (20, 0.9));
        assert!((rates[10] - 0.5).abs() < 1e-15);
        assert!(rates.windows(2).all(|w| w[1] < w[0]) && rates[19] > 0.1 && rates[19] < 0.11, "{rates:?}");
        let warm = Schedule::Cosine { to: 0.1 }.rates(0.9, Steps { warmup: 4, ..STEPS }).unwrap();
        assert_eq!(warm[..5], [0.9 / 4.0, 0.9 / 2.0, 0.9 * 3.0 / 4.0, 0.9, 0.9]);
        assert!((warm[12] - 0.5).abs() < 1e-15);
    }

    #[test]
    fn steps_multiply_epoch_by_epoch() {
        let rates = Schedule::Step { every: 2, factor: 0.1 }.rates(1.0, STEPS).unwrap();
        assert_eq!((rates[0], rates[9], rates[10], rates[19]), (1.0, 1.0, 0.1, 0.1));
    }

    #[test]
    fn what_is_out_of_range_is_refused_with_a_way_out() {
        let refused = |schedule: Schedule, steps: Steps| schedule.rates(1e-3, steps).unwrap_err().to_string();
        assert_eq!(refused(Schedule::Step { every: 0, factor: 0.5 }, STEPS), "schedule: a change every 0 epochs. Use at least 1.");
        assert!(refused(Schedule::Step { every: 1, factor: f64::NAN }, STEPS).contains("a factor of NaN"));
        assert!(refused(Schedule::Cosine { to: 0.01 }, STEPS).contains("from 0.001 to 0.01"));
        assert!(refused(Schedule::Cosine { to: -1.0 }, STEPS).contains("to -1"));
        assert_eq!(refused(Schedule::Constant, Steps { warmup: 21, ..STEPS }), "warm-up: 21 steps of 20 in all. Warm up for fewer steps.");
        assert!(refused(Schedule::Constant, Steps { epochs: usize::MAX, ..STEPS }).contains("epochs of 5 steps"));
    }
}
