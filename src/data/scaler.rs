//! Columns of any range, scaled to suit a network, and back.

use super::Dataset;
use crate::spelling::spelled;
use crate::{Error, Result};

/// Which scaling the columns get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// To [0, 1].
    MinMax,
    /// To mean 0 and variance 1.
    Standard,
    /// None.
    None,
}

spelled!(Scale, "scale": MinMax "minmax", Standard "standard", None "none");

/// Scaling of each column: x' = (x - shift) / scale, with both numbers learnt on the training rows. A constant column
/// has scale 1 and becomes 0.
///
/// ```
/// use narrows::data::{Dataset, Scaler};
/// let rows = Dataset::from_rows("table", vec![10.0, 7.0, 30.0, 7.0], &[2])?;
/// let scaler = Scaler::min_max(&rows)?;
/// let mut row = vec![20.0, 7.0];
/// scaler.apply(&mut row);
/// assert_eq!(row, [0.5, 0.0]);
/// scaler.undo(&mut row);
/// assert_eq!(row, [20.0, 7.0]);
/// # Ok::<(), narrows::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "files", derive(serde::Serialize, serde::Deserialize), serde(try_from = "Numbers"))]
pub struct Scaler {
    shift: Vec<f32>,
    scale: Vec<f32>,
}

/// A scaler as a file holds it, not yet checked.
#[cfg(feature = "files")]
#[derive(serde::Deserialize)]
struct Numbers {
    shift: Vec<f32>,
    scale: Vec<f32>,
}

#[cfg(feature = "files")]
impl TryFrom<Numbers> for Scaler {
    type Error = Error;

    fn try_from(numbers: Numbers) -> Result<Scaler> {
        Scaler::new(numbers.shift, numbers.scale)
    }
}

impl Scaler {
    /// A scaler with these numbers, a pair per column.
    ///
    /// # Errors
    /// No columns, lengths that differ, a shift that is not finite, or a scale that is not finite and above 0.
    pub fn new(shift: Vec<f32>, scale: Vec<f32>) -> Result<Scaler> {
        let refuse = |problem| Err(Error::argument("scaler", problem, "Give a finite shift and a finite scale above 0 for each column."));
        if shift.len() != scale.len() || shift.is_empty() {
            return refuse(format!("there are {} shifts and {} scales", shift.len(), scale.len()));
        }
        if let Some(at) = shift.iter().zip(&scale).position(|(m, r)| !m.is_finite() || !r.is_finite() || *r <= 0.0) {
            return refuse(format!("column {at} has the shift {} and the scale {}", shift[at], scale[at]));
        }
        Ok(Scaler { shift, scale })
    }

    /// The smallest value of each column becomes 0 and the largest 1, the range of a sigmoid. Other rows may fall
    /// outside.
    ///
    /// # Errors
    /// No rows, or a column whose range is beyond f32.
    pub fn min_max(data: &Dataset) -> Result<Scaler> {
        let mut min = vec![f32::INFINITY; data.columns()];
        let mut max = vec![f32::NEG_INFINITY; data.columns()];
        each_row(data, |row| {
            for ((x, min), max) in row.iter().zip(&mut min).zip(&mut max) {
                *min = min.min(*x);
                *max = max.max(*x);
            }
        })?;
        let range: Vec<f32> = min.iter().zip(&max).map(|(&min, &max)| if max > min { max - min } else { 1.0 }).collect();
        if let Some(at) = range.iter().position(|r| !r.is_finite()) {
            let problem =
                format!("column {at} (counted from 0) goes from {} to {}, further apart than a 32-bit float reaches", min[at], max[at]);
            return Err(Error::data(data.name(), problem, "Divide the column by some power of ten."));
        }
        Scaler::new(min, range)
    }

    /// Standardisation: each column gets mean 0 and variance 1 (over the number of rows, not one less). For networks
    /// with a linear output.
    ///
    /// # Errors
    /// No rows.
    pub fn standard(data: &Dataset) -> Result<Scaler> {
        let rows = data.len() as f64;
        let mut mean = vec![0f64; data.columns()];
        each_row(data, |row| row.iter().zip(&mut mean).for_each(|(&x, mean)| *mean += f64::from(x) / rows))?;
        let mut variance = vec![0f64; data.columns()];
        each_row(data, |row| {
            for ((&x, mean), variance) in row.iter().zip(&mean).zip(&mut variance) {
                *variance += (f64::from(x) - mean).powi(2) / rows;
            }
        })?;
        // What is left of a constant column is rounding.
        let deviation = |(variance, mean): (f64, f64)| {
            let deviation = variance.sqrt() as f32;
            if deviation > mean.abs() as f32 * 1e-7 && deviation.is_normal() { deviation } else { 1.0 }
        };
        let scale = variance.into_iter().zip(mean.iter().copied()).map(deviation).collect();
        Scaler::new(mean.into_iter().map(|mean| mean as f32).collect(), scale)
    }

    /// The number subtracted from each column.
    pub fn shift(&self) -> &[f32] {
        &self.shift
    }

    /// The number, above 0, by which each column is then divided.
    pub fn scale(&self) -> &[f32] {
        &self.scale
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.shift.len()
    }

    /// Scales whole rows in place. A value beyond f32 becomes the largest f32.
    pub fn apply(&self, rows: &mut [f32]) {
        self.each(rows, |x, shift, scale| (x - shift) / scale);
    }

    /// Undoes the scaling, in place.
    pub fn undo(&self, rows: &mut [f32]) {
        self.each(rows, |x, shift, scale| shift + x * scale);
    }

    /// In f64, where neither the difference nor the product of two f32 overflows.
    fn each(&self, rows: &mut [f32], f: impl Fn(f64, f64, f64) -> f64) {
        for row in rows.chunks_mut(self.columns()) {
            for ((x, &shift), &scale) in row.iter_mut().zip(&self.shift).zip(&self.scale) {
                *x = f(f64::from(*x), f64::from(shift), f64::from(scale)).clamp(-f64::from(f32::MAX), f64::from(f32::MAX)) as f32;
            }
        }
    }
}

fn each_row(data: &Dataset, mut f: impl FnMut(&[f32])) -> Result<()> {
    if data.is_empty() {
        return Err(Error::data(data.name(), "there are no rows to learn the scaling of the columns from", "Pass at least one row."));
    }
    for chunk in data.chunks() {
        chunk?.chunks_exact(data.columns()).for_each(&mut f);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standardised_columns_have_mean_0_and_variance_1() {
        let values: Vec<f32> = (0..3_000).flat_map(|i| [1e6 + (i % 7) as f32, 0.1, -3e-5 * (i % 11) as f32]).collect();
        let rows = Dataset::from_rows("rows", values.clone(), &[3]).unwrap();
        let scaler = Scaler::standard(&rows).unwrap();
        assert_eq!(scaler.scale()[1], 1.0, "a constant column keeps its scale");
        let mut scaled = values.clone();
        scaler.apply(&mut scaled);
        for column in [0, 2] {
            let of = || scaled.iter().skip(column).step_by(3).map(|&x| f64::from(x));
            let mean = of().sum::<f64>() / 3_000.0;
            let variance = of().map(|x| (x - mean).powi(2)).sum::<f64>() / 3_000.0;
            assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 1e-5, "{column}: {mean} {variance}");
        }
        assert!(scaled.iter().skip(1).step_by(3).all(|x| x.abs() < 1e-6));
        scaler.undo(&mut scaled);
        assert!(values.iter().zip(&scaled).all(|(x, y)| (x - y).abs() <= 1e-6 * x.abs().max(1e-4)));
    }
}
