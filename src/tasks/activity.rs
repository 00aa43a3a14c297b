//! How many units of a code are at work.

use crate::data::Dataset;
use crate::nn::{Way, compare};
use crate::{Autoencoder, Result};
use std::fmt;

/// The activity of a code's units over some rows. A unit is on where it is not 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Activity {
    /// The share of the rows in which each unit is on.
    pub shares: Vec<f64>,
    /// The mean over the rows of the units that are on.
    pub on: f64,
    /// 1 less the squared error over the squared distance from the mean of each column, both summed over all elements.
    pub explained_variance: f64,
}

impl Activity {
    /// Measures all rows.
    ///
    /// # Errors
    /// When the rows do not fit the network, there are none, or the device fails.
    pub fn of(ae: &Autoencoder, data: &Dataset) -> Result<Activity> {
        let square = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2)).sum::<f64>();
        let left: f64 = compare(ae, data, Way::Compare, square)?.iter().sum();
        let codes = ae.encode(data)?;
        let rows = codes.rows as f64;
        let on = |unit: usize| codes.values.iter().skip(unit).step_by(codes.columns).filter(|&&v| v != 0.0).count() as f64;
        let shares: Vec<f64> = (0..codes.columns).map(|unit| on(unit) / rows).collect();
        let clean = ae.scaled(data)?;
        let values = clean.rows_f32(0..clean.len());
        let mut means = vec![0.0; ae.inputs()];
        let add = |means: &mut Vec<f64>, row: &[f32]| means.iter_mut().zip(row).for_each(|(mean, &x)| *mean += f64::from(x) / rows);
        values.chunks(ae.inputs()).for_each(|row| add(&mut means, row));
        let away = |row: &[f32]| row.iter().zip(&means).map(|(&x, mean)| (f64::from(x) - mean).powi(2)).sum::<f64>();
        let variance: f64 = values.chunks(ae.inputs()).map(away).sum();
        Ok(Activity { on: shares.iter().sum(), shares, explained_variance: 1.0 - left / variance })
    }

    /// Units that are 0 for every row.
    pub fn dead(&self) -> usize {
        self.shares.iter().filter(|&&share| share == 0.0).count()
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let units = self.shares.len();
        writeln!(f, "units of the code that are not 0")?;
        writeln!(f, "  mean over rows                {:.3} of {units}", self.on)?;
        writeln!(f, "  dead, 0 in every row          {} ({:.1} %)", self.dead(), 100.0 * self.dead() as f64 / units as f64)?;
        write!(f, "  explained variance            {:.5}", self.explained_variance)
    }
}
