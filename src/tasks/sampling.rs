//! Rows that a network makes from codes that no row gave.

use crate::data::{Dataset, Rows};
use crate::rng::purpose;
use crate::{Autoencoder, Clock, Device, Error, Result, Tape};

/// What codes are drawn for: numbers that keep the streams of one seed apart.
pub(super) mod drawn {
    use super::purpose;

    pub(in super::super) const CODES: u32 = purpose::IN_USE + 16;
    pub(in super::super) const WEIGHTS: u32 = purpose::IN_USE + 17;
    pub(in super::super) const BITS: u32 = purpose::IN_USE + 18;
    pub(in super::super) const SAMPLES: u32 = purpose::IN_USE + 19;
    pub(in super::super) const ROWS: u32 = purpose::IN_USE + 20;
    pub(in super::super) const AUGMENT: u32 = purpose::IN_USE + 21;
    pub(in super::super) const COLUMNS: u32 = purpose::IN_USE + 22;
}

/// Rows that are drawn at one step.
const BLOCK: usize = 1024;

/// Standard normal rows, drawn on the device: a step of the clock for each draw.
pub(super) struct Draws<'a> {
    device: &'a Device,
    clock: Clock,
    columns: usize,
    seed: u64,
    purpose: u32,
}

impl<'a> Draws<'a> {
    pub(super) fn new(device: &'a Device, columns: usize, seed: u64, purpose: u32) -> Result<Draws<'a>> {
        Ok(Draws { device, clock: Clock::new(device)?, columns, seed, purpose })
    }

    /// The next rows.
    pub(super) fn next(&mut self, rows: usize) -> Result<Vec<f32>> {
        let mut tape = Tape::new(self.device);
        let eps = tape.normal(&[rows, self.columns], 0.0, 1.0, self.seed, self.purpose, &self.clock)?;
        tape.push_advance(&self.clock, 0, 1)?;
        tape.read(eps)
    }
}

/// Codes from a standard normal distribution, for a variational network.
///
/// # Errors
/// When the network is not variational, or the device fails.
pub fn codes(ae: &Autoencoder, rows: usize, seed: u64) -> Result<Rows> {
    ae.check_variational()?;
    let mut draws = Draws::new(ae.device(), ae.code_width(), seed, drawn::SAMPLES)?;
    let mut codes = Vec::with_capacity(rows * ae.code_width());
    for start in (0..rows).step_by(BLOCK) {
        codes.extend(draws.next(BLOCK.min(rows - start))?);
    }
    Ok(Rows::new(ae.code_width(), codes))
}

/// Codes of a network from the distribution that its codes of training have, if it knows one: see
/// [`Autoencoder::with_mixture`].
///
/// # Errors
/// When it knows none.
pub fn mixture_codes(ae: &Autoencoder, rows: usize, seed: u64) -> Result<Rows> {
    match ae.mixture() {
        Some(mixture) => Ok(mixture.codes(rows, seed)),
        None => {
            Err(Error::argument("network", "it does not know how its codes are distributed", "Fit a mixture to codes of training rows."))
        }
    }
}

/// The code that lies from the third as the first lies from the second: a - b + c. With means of classes it carries
/// over what tells two of them apart.
///
/// # Errors
/// When the codes have different widths.
pub fn analogy([a, b, c]: [&[f32]; 3]) -> Result<Vec<f32>> {
    if a.len() != b.len() || a.len() != c.len() {
        let problem = format!("they have {}, {} and {} numbers", a.len(), b.len(), c.len());
        return Err(Error::argument("codes", problem, "Pass codes of one network."));
    }
    Ok(a.iter().zip(b).zip(c).map(|((&a, &b), &c)| (f64::from(a) - f64::from(b) + f64::from(c)) as f32).collect())
}

/// Rows that a variational network makes of codes from a standard normal distribution.
///
/// # Errors
/// When the network is not variational, or the device fails.
///
/// ```
/// use narrows::{Autoencoder, Device, data, tasks};
/// let ae = Autoencoder::builder(784).layers([32, 4]).variational().build(&Device::cpu()?)?;
/// let digits = tasks::sample(&ae, 5, 0)?;
/// assert_eq!((digits.rows, digits.columns), (5, 784));
/// # Ok::<(), narrows::Error>(())
/// ```
pub fn sample(ae: &Autoencoder, rows: usize, seed: u64) -> Result<Rows> {
    ae.decode(&codes(ae, rows, seed)?)
}

/// The row of a code in which one unit goes from -3 to 3 in `steps` steps and the others stay, for each unit, one unit
/// after the other.
///
/// # Errors
/// When the code has another width, there are no steps, or the device fails.
pub fn traverse(ae: &Autoencoder, code: &[f32], steps: usize) -> Result<Rows> {
    check_code(ae, code)?;
    check_steps(steps)?;
    let mut codes = Vec::with_capacity(code.len() * steps * code.len());
    for unit in 0..code.len() {
        for step in 0..steps {
            let at = codes.len();
            codes.extend(code);
            codes[at + unit] = along(-3.0, 3.0, step, steps);
        }
    }
    ae.decode(&Rows::new(code.len(), codes))
}

/// The rows of the codes from one code to another, in `steps` steps.
///
/// # Errors
/// When a code has another width, there are no steps, or the device fails.
pub fn between(ae: &Autoencoder, from: &[f32], to: &[f32], steps: usize) -> Result<Rows> {
    check_code(ae, from)?;
    check_code(ae, to)?;
    check_steps(steps)?;
    let codes = (0..steps).flat_map(|step| from.iter().zip(to).map(move |(&from, &to)| along(from, to, step, steps)));
    ae.decode(&Rows::new(from.len(), codes.collect()))
}

/// The rows of a grid of codes of two units, `side` times `side`: the first unit rises from left to right, the second
/// from the bottom to the top. The grid covers the middle 98 % of `codes` in each direction.
///
/// # Errors
/// When the code has other than two units, there are no codes, or the device fails.
pub fn manifold(ae: &Autoencoder, codes: &Rows, side: usize) -> Result<Rows> {
    if ae.code_width() != 2 {
        let problem = format!("a code of {} units is no plane", ae.code_width());
        return Err(Error::argument("manifold", problem, "Train a network with a code of two: --layers 400,2."));
    }
    check_steps(side)?;
    let reach = |unit: usize| -> Result<[f32; 2]> {
        let mut all: Vec<f32> = codes.values.iter().skip(unit).step_by(2).copied().collect();
        all.sort_by(f32::total_cmp);
        match all.len() {
            0 => Err(Error::argument("manifold", "there are no codes", "Pass at least one row.")),
            n => Ok([all[n / 100], all[n - 1 - n / 100]]),
        }
    };
    let [x, y] = [reach(0)?, reach(1)?];
    let grid = (0..side)
        .flat_map(|row| (0..side).flat_map(move |column| [along(x[0], x[1], column, side), along(y[0], y[1], side - 1 - row, side)]));
    ae.decode(&Rows::new(2, grid.collect()))
}

/// The mean code of some rows.
///
/// # Errors
/// When there are none, they do not fit the network, or the device fails.
pub fn mean_code(ae: &Autoencoder, rows: &Dataset) -> Result<Vec<f32>> {
    let codes = ae.encode(rows)?;
    if codes.rows == 0 {
        return Err(Error::data(rows.name(), "a mean over no rows", "Pass at least one row."));
    }
    let mean = |unit: usize| codes.values.iter().skip(unit).step_by(codes.columns).map(|&v| f64::from(v)).sum::<f64>() / codes.rows as f64;
    Ok((0..codes.columns).map(|unit| mean(unit) as f32).collect())
}

fn along(from: f32, to: f32, step: usize, steps: usize) -> f32 {
    let share = if steps > 1 { step as f64 / (steps - 1) as f64 } else { 0.5 };
    (f64::from(from) + share * (f64::from(to) - f64::from(from))) as f32
}

fn check_code(ae: &Autoencoder, code: &[f32]) -> Result<()> {
    match code.len() == ae.code_width() {
        true => Ok(()),
        false => {
            let problem = format!("it has {} numbers and the network's codes have {}", code.len(), ae.code_width());
            Err(Error::argument("code", problem, "Pass a code of that network."))
        }
    }
}

fn check_steps(steps: usize) -> Result<()> {
    match steps {
        0 => Err(Error::argument("steps", "there are none", "Use at least 1.")),
        _ => Ok(()),
    }
}
