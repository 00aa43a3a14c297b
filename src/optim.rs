//! Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019), with PyTorch's arithmetic.

use crate::clock::Clock;
use crate::device::View;
use crate::op::{AdamHyper, Op};
use crate::params::Params;
use crate::{Dtype, Error, Result, Shape, Tape, Tensor};

/// The numbers of Adam. The defaults are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamConfig {
    /// Learning rate, above 0. Default 1e-3.
    pub learning_rate: f64,
    /// Decay of the mean of the gradients, in [0, 1). Default 0.9.
    pub beta1: f64,
    /// Decay of the mean of their squares, in [0, 0.99999]. Default 0.999.
    pub beta2: f64,
    /// Added to the root of the second mean, above 0. Default 1e-8.
    pub eps: f64,
    /// Decoupled weight decay, at least 0, times the learning rate below 1. Default 0; above, this is AdamW.
    pub weight_decay: f64,
}

impl Default for AdamConfig {
    fn default() -> AdamConfig {
        AdamConfig { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }
}

/// Adam over all parameters of a set: its two moments, and the table of the factors that change from step to step, all
/// on the device.
///
/// ```text
/// m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
/// p = (1 - lr * weight decay) p - lr * (m / (1 - beta1^t)) / (sqrt(v) / sqrt(1 - beta2^t) + eps)
/// ```
#[derive(Clone, Debug)]
pub struct Adam {
    params: Params,
    m: Tensor,
    v: Tensor,
    table: Tensor,
    clock: Clock,
    /// Whether the clock is Adam's own, which every step advances.
    moves: bool,
    hyper: AdamHyper,
}

impl Adam {
    /// Adam with a step counter of its own.
    ///
    /// # Errors
    /// When a number is out of its range, or the device has no memory for the moments.
    pub fn new(params: &Params, config: AdamConfig) -> Result<Adam> {
        let clock = Clock::new(params.device())?;
        Ok(Adam { moves: true, ..Adam::with_clock(params, config, &clock)? })
    }

    /// Adam that takes its step from a clock which the training program advances.
    ///
    /// # Errors
    /// As [`Adam::new`].
    pub fn with_clock(params: &Params, config: AdamConfig, clock: &Clock) -> Result<Adam> {
        Adam::with_table(params, config, clock, &constant_rate_table(config)?)
    }

    /// Adam with a learning rate for each step, in place of the configured one; after the last step, the last one
    /// holds. See [`Schedule::rates`](crate::Schedule::rates).
    ///
    /// # Errors
    /// When there are no rates, one is negative or not finite, or as [`Adam::new`].
    pub fn with_rates(params: &Params, config: AdamConfig, clock: &Clock, rates: &[f64]) -> Result<Adam> {
        Adam::with_table(params, config, clock, &rates_table(config, rates)?)
    }

    fn with_table(params: &Params, config: AdamConfig, clock: &Clock, table: &[f32]) -> Result<Adam> {
        let device = params.device();
        let table = Tensor::new(device, table, &[table.len() / COLUMNS, COLUMNS])?;
        let moments = || Ok::<_, Error>(Tensor { view: device.alloc(Dtype::F32, Shape::new(&[params.len()])?)?, below: None });
        let hyper = AdamHyper {
            w1: (1.0 - config.beta1) as f32,
            beta2: config.beta2 as f32,
            w2: (1.0 - config.beta2) as f32,
            eps: config.eps as f32,
        };
        Ok(Adam { params: params.clone(), m: moments()?, v: moments()?, table, clock: clock.clone(), moves: false, hyper })
    }

    /// The mean of the gradients and the mean of their squares, flat.
    #[cfg(feature = "files")]
    pub(crate) fn moments(&self) -> (&Tensor, &Tensor) {
        (&self.m, &self.v)
    }

    /// Pushes one step: it updates every parameter by the gradients that the last `backward` left in the gradient
    /// buffer.
    ///
    /// # Errors
    /// When the tape is for another device, or the device fails.
    pub fn step(&self, tape: &mut Tape) -> Result<()> {
        self.push(tape, |flat| flat.clone())?;
        if self.moves {
            tape.push_advance(&self.clock, 0, 1)?;
        }
        Ok(())
    }

    /// Pushes one step of the parameters of one group. All groups share the step counter, so it must be a clock that
    /// the program advances once, after all of them: see [`Adam::with_clock`].
    ///
    /// # Errors
    /// When there is no such group, Adam has a step counter of its own, the tape is for another device, or the device
    /// fails.
    pub fn step_on(&self, tape: &mut Tape, group: &str) -> Result<()> {
        let group = self.params.group(group)?;
        if self.moves {
            return Err(Error::op(
                "adam",
                "it steps one group, but its own counter counts the steps of all parameters",
                "Make it with `Adam::with_clock`, and advance that clock once a step.",
            ));
        }
        self.push(tape, |flat| group.part(flat))
    }

    fn push(&self, tape: &mut Tape, part: impl Fn(&View) -> View) -> Result<()> {
        tape.push_update(Op::Adam {
            p: part(self.params.values()),
            g: part(self.params.grads()),
            m: part(&self.m.view),
            v: part(&self.v.view),
            table: self.table.view.clone(),
            clock: self.clock.tensor.view.clone(),
            hyper: self.hyper,
        })
    }
}

/// Numbers in a row of the table.
const COLUMNS: usize = 4;

/// A row {lr, 1/(1-beta1^t), 1/sqrt(1-beta2^t), 1 - lr * weight decay} for each step until both corrections have become
/// 1; from there on the last row holds.
fn constant_rate_table(config: AdamConfig) -> Result<Vec<f32>> {
    check(config)?;
    let mut table = Vec::new();
    let mut powers = (1.0, 1.0);
    loop {
        let row = row(config, config.learning_rate, &mut powers);
        table.extend(row);
        if row[1] == 1.0 && row[2] == 1.0 {
            return Ok(table);
        }
    }
}

/// A row for each of the rates.
fn rates_table(config: AdamConfig, rates: &[f64]) -> Result<Vec<f32>> {
    check(config)?;
    if rates.is_empty() {
        return Err(Error::argument("learning rates", "there are none", "Pass one for each step."));
    }
    let mut table = Vec::with_capacity(COLUMNS * rates.len());
    let mut powers = (1.0, 1.0);
    for (step, &rate) in rates.iter().enumerate() {
        if !(rate >= 0.0 && (rate as f32).is_finite() && rate * config.weight_decay < 1.0) {
            return Err(Error::argument(
                "learning rates",
                format!("the rate of step {step} is {rate}, with a weight decay of {}", config.weight_decay),
                "Use finite numbers of at least 0, below 1 / weight decay.",
            ));
        }
        table.extend(row(config, rate, &mut powers));
    }
    Ok(table)
}

fn row(config: AdamConfig, rate: f64, (power1, power2): &mut (f64, f64)) -> [f32; COLUMNS] {
    *power1 *= config.beta1;
    *power2 *= config.beta2;
    [rate, 1.0 / (1.0 - *power1), 1.0 / (1.0 - *power2).sqrt(), 1.0 - rate * config.weight_decay].map(|x| x as f32)
}

fn check(config: AdamConfig) -> Result<()> {
    let AdamConfig { learning_rate, beta1, beta2, eps, weight_decay } = config;
    let refuse = |name: &str, value: f64, range: &str| Err(Error::argument(name, format!("it is {value}"), format!("Use {range}.")));
    if !(learning_rate as f32 > 0.0 && (learning_rate as f32).is_finite()) {
        return refuse("learning rate", learning_rate, "a finite number above 0; 1e-3 is usual");
    }
    if !(0.0..1.0).contains(&beta1) || beta1 > 0.99999 {
        return refuse("beta1", beta1, "0 to 0.99999; 0.9 is usual");
    }
    if !(0.0..=0.99999).contains(&beta2) {
        return refuse("beta2", beta2, "0 to 0.99999; 0.999 is usual");
    }
    if !(eps > 0.0 && (eps as f32) > 0.0 && (eps as f32).is_finite()) {
        return refuse("eps", eps, "a small number above 0; 1e-8 is usual");
    }
    if !(weight_decay >= 0.0 && weight_decay * learning_rate < 1.0) {
        return refuse("weight decay", weight_decay, "0 or more, below 1 / learning rate; 1e-2 is usual");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_ends_where_both_corrections_are_one() {
        let table = constant_rate_table(AdamConfig::default()).unwrap();
        let rows: Vec<_> = table.chunks(COLUMNS).collect();
        assert_eq!(rows[0][1], 10.0);
        assert!((rows[0][2] - (1.0f64 / 0.001f64.sqrt()) as f32).abs() < 1e-4);
        assert_eq!(rows[rows.len() - 1][1..], [1.0, 1.0, 1.0]);
        assert!(rows[rows.len() - 2][2] > 1.0);
        assert!((15_000..17_000).contains(&rows.len()), "{} rows", rows.len());
    }

    #[test]
    fn equal_rates_give_the_rows_of_a_constant_rate() {
        let config = AdamConfig { weight_decay: 0.01, ..AdamConfig::default() };
        let constant = constant_rate_table(config).unwrap();
        assert_eq!(constant[3], (1.0 - 1e-5) as f32);
        assert_eq!(rates_table(config, &[1e-3; 40]).unwrap(), constant[..4 * 40]);
        for (rates, text) in [(&[][..], "there are none"), (&[1e-3, f64::NAN][..], "step 1 is NaN"), (&[200.0][..], "weight decay of 0.01")]
        {
            let error = rates_table(config, rates).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
    }
}
