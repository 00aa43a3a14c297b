//! Columns of any range, scaled to suit a network, and back.

use super::dataset::Dataset;
use super::values::{Values, to_f32, unit};
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
/// has scale 1 and becomes 0. All of it is computed in f64, and only the result is rounded to f32: seconds since 1970
/// keep their differences.
///
/// ```
/// use narrows::data::{Dataset, Scaler};
/// let rows = Dataset::from_doubles("table", vec![1.7e9, 7.0, 1.7e9 + 4.0, 7.0], &[2])?;
/// let scaler = Scaler::min_max(&rows)?;
/// assert_eq!(scaler.apply(&[1.7e9 + 1.0, 7.0]), [0.25, 0.0]);
/// assert_eq!(scaler.undo(&[0.25, 0.0]), [1.7e9 + 1.0, 7.0]);
/// # Ok::<(), narrows::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "files", derive(serde::Serialize, serde::Deserialize), serde(try_from = "Numbers"))]
pub struct Scaler {
    shift: Vec<f64>,
    scale: Vec<f64>,
}

/// A scaler as a file holds it, not yet checked.
#[cfg(feature = "files")]
#[derive(serde::Deserialize)]
struct Numbers {
    shift: Vec<f64>,
    scale: Vec<f64>,
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
    pub fn new(shift: Vec<f64>, scale: Vec<f64>) -> Result<Scaler> {
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
    /// No rows, or a column whose range is beyond f64.
    pub fn min_max(data: &Dataset) -> Result<Scaler> {
        let (min, max) = extremes(data)?;
        let range: Vec<f64> = min.iter().zip(&max).map(|(&min, &max)| if max > min { max - min } else { 1.0 }).collect();
        if let Some(at) = range.iter().position(|r| !r.is_finite()) {
            let problem =
                format!("column {at} (counted from 0) goes from {:e} to {:e}, further apart than a 64-bit float reaches", min[at], max[at]);
            return Err(Error::data(data.name(), problem, "Divide the column by some power of ten."));
        }
        Scaler::new(min, range)
    }

    /// Standardisation: each column gets mean 0 and variance 1 (over the number of rows, not one less). For networks
    /// with a linear output.
    ///
    /// # Errors
    /// No rows, or a column whose squares are beyond f64.
    pub fn standard(data: &Dataset) -> Result<Scaler> {
        let (min, max) = extremes(data)?;
        let rows = data.len() as f64;
        let mut mean = vec![0.0; data.columns()];
        each_row(data, |row| row.iter().zip(&mut mean).for_each(|(&x, mean)| *mean += x / rows))?;
        let mut variance = vec![0.0; data.columns()];
        each_row(data, |row| {
            for ((&x, mean), variance) in row.iter().zip(&mean).zip(&mut variance) {
                *variance += (x - mean).powi(2) / rows;
            }
        })?;
        if let Some(at) = variance.iter().position(|v| !v.is_finite()) {
            let problem = format!("the squares of column {at} (counted from 0) are beyond a 64-bit float");
            return Err(Error::data(data.name(), problem, "Divide the column by some power of ten."));
        }
        // The mean of a constant column has an error of rounding, which is no variance.
        let deviation = |at: usize| match variance[at].sqrt() {
            deviation if max[at] > min[at] && deviation.is_normal() => deviation,
            _ => 1.0,
        };
        let scale = (0..mean.len()).map(deviation).collect();
        Scaler::new(mean, scale)
    }

    /// The number subtracted from each column.
    pub fn shift(&self) -> &[f64] {
        &self.shift
    }

    /// The number, above 0, by which each column is then divided.
    pub fn scale(&self) -> &[f64] {
        &self.scale
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.shift.len()
    }

    /// Whole rows, scaled. A value beyond f32 becomes the largest f32.
    pub fn apply(&self, rows: &[f64]) -> Vec<f32> {
        self.scaled(rows.iter().copied())
    }

    /// Whole rows in their own units again, rounded to the decimals that the 24 bits of a scaled value hold:
    /// 12.3 comes back as 12.3, not as 12.299999952.
    pub fn undo(&self, rows: &[f32]) -> Vec<f64> {
        let units: Vec<i32> = self.scale.iter().map(|scale| decimal_above(scale * f64::from(f32::EPSILON) / 2.0)).collect();
        let back = self.each(rows.iter().map(|&x| f64::from(x)), |x, shift, scale| shift + x * scale);
        back.zip(units.iter().cycle()).map(|(x, &unit)| rounded(x, unit)).collect()
    }

    /// As [`Scaler::apply`], of any values.
    pub(crate) fn scale_values(&self, values: &Values) -> Vec<f32> {
        match values {
            Values::Bytes(bytes) => self.scaled(bytes.iter().map(|&b| f64::from(unit(b)))),
            Values::Floats(floats) => self.scaled(floats.iter().map(|&x| f64::from(x))),
            Values::Doubles(doubles) => self.scaled(doubles.iter().copied()),
        }
    }

    fn scaled(&self, rows: impl Iterator<Item = f64>) -> Vec<f32> {
        self.each(rows, |x, shift, scale| (x - shift) / scale).map(to_f32).collect()
    }

    fn each(&self, rows: impl Iterator<Item = f64>, f: impl Fn(f64, f64, f64) -> f64) -> impl Iterator<Item = f64> {
        rows.zip(self.shift.iter().zip(&self.scale).cycle()).map(move |(x, (&shift, &scale))| f(x, shift, scale))
    }
}

/// The smallest power of ten that is at least x, by its exponent; x is above 0.
fn decimal_above(x: f64) -> i32 {
    libm::ceil(libm::log10(x)) as i32
}

/// The nearest multiple of a power of ten, where f64 can tell it from its neighbours.
fn rounded(x: f64, exponent: i32) -> f64 {
    // Powers up to 10^22 are exact, and then the quotient is the double nearest to the decimal number.
    let power = |exponent: i32| (0..exponent).fold(1.0, |p, _| p * 10.0);
    let y = match exponent {
        -22..0 => (x * power(-exponent)).round() / power(-exponent),
        0..22 => (x / power(exponent)).round() * power(exponent),
        _ => x,
    };
    if y.is_finite() { y } else { x }
}

/// The smallest and the largest value of each column.
fn extremes(data: &Dataset) -> Result<(Vec<f64>, Vec<f64>)> {
    let (mut min, mut max) = (vec![f64::INFINITY; data.columns()], vec![f64::NEG_INFINITY; data.columns()]);
    each_row(data, |row| {
        for ((x, min), max) in row.iter().zip(&mut min).zip(&mut max) {
            *min = min.min(*x);
            *max = max.max(*x);
        }
    })?;
    Ok((min, max))
}

fn each_row(data: &Dataset, mut f: impl FnMut(&[f64])) -> Result<()> {
    if data.is_empty() {
        return Err(Error::data(data.name(), "there are no rows to learn the scaling of the columns from", "Pass at least one row."));
    }
    (0..data.len()).for_each(|row| f(&data.rows_f64(row..row + 1)));
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
        let scaled = scaler.scale_values(rows.values());
        for column in [0, 2] {
            let of = || scaled.iter().skip(column).step_by(3).map(|&x| f64::from(x));
            let mean = of().sum::<f64>() / 3_000.0;
            let variance = of().map(|x| (x - mean).powi(2)).sum::<f64>() / 3_000.0;
            assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 1e-5, "{column}: {mean} {variance}");
        }
        assert!(scaled.iter().skip(1).step_by(3).all(|x| x.abs() < 1e-6));
        let back = scaler.undo(&scaled);
        let near = |at: usize| 3.0 * scaler.scale()[at % 3] * f64::from(f32::EPSILON);
        assert!(values.iter().zip(&back).enumerate().all(|(at, (&x, y))| (f64::from(x) - y).abs() <= near(at)));
    }
}
