//! What training saw, so that rows of another scale are noticed.

use super::dataset::Dataset;
use super::values::{Values, to_f32, unit};
use crate::{Error, Result};

/// The smallest and the largest value of each column of some rows, in their own units. Of pictures there is one pair
/// for all pixels, and of texts one for all words: whatever their words are, their numbers lie in [0, 1].
///
/// ```
/// use narrows::data::{Bounds, Dataset};
/// let bounds = Bounds::of(&Dataset::from_rows("table", vec![1.0, 50.0, 3.0, 90.0], &[2])?)?;
/// let others = Dataset::from_rows("others", vec![2.0, 60.0, 4.0, 60.0], &[2])?;
/// assert_eq!(bounds.outside(others.values()), 1);
/// # Ok::<(), narrows::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "files", derive(serde::Serialize, serde::Deserialize), serde(try_from = "Pairs"))]
pub struct Bounds {
    min: Vec<f64>,
    max: Vec<f64>,
}

/// Bounds as a file holds them, not yet checked.
#[cfg(feature = "files")]
#[derive(serde::Deserialize)]
struct Pairs {
    min: Vec<f64>,
    max: Vec<f64>,
}

#[cfg(feature = "files")]
impl TryFrom<Pairs> for Bounds {
    type Error = Error;

    fn try_from(Pairs { min, max }: Pairs) -> Result<Bounds> {
        if min.is_empty() || min.len() != max.len() || min.iter().zip(&max).any(|(min, max)| min > max) {
            let problem = format!("there are {} smallest values and {} largest", min.len(), max.len());
            return Err(Error::argument("bounds", problem, "Give a pair for each column, the smaller number first."));
        }
        Ok(Bounds { min, max })
    }
}

impl Bounds {
    /// The bounds of all rows.
    ///
    /// # Errors
    /// When there are no rows.
    pub fn of(data: &Dataset) -> Result<Bounds> {
        if data.is_empty() {
            return Err(Error::data(data.name(), "there are no rows to train on", "Pass at least one row."));
        }
        #[cfg(feature = "files")]
        if data.schema().is_some_and(|schema| schema.is_of_texts()) {
            return Ok(Bounds { min: vec![0.0], max: vec![1.0] });
        }
        let pairs = if data.row_dims().len() == 1 { data.columns() } else { 1 };
        let mut bounds = Bounds { min: vec![f64::INFINITY; pairs], max: vec![f64::NEG_INFINITY; pairs] };
        match data.values() {
            Values::Bytes(_) => bounds = Bounds { min: vec![0.0], max: vec![1.0] },
            Values::Floats(values) => bounds.cover(values.iter().map(|&x| x.into())),
            Values::Doubles(values) => bounds.cover(values.iter().copied()),
        }
        Ok(bounds)
    }

    fn cover(&mut self, values: impl Iterator<Item = f64>) {
        let pairs = self.min.len();
        for (at, x) in values.enumerate() {
            self.min[at % pairs] = self.min[at % pairs].min(x);
            self.max[at % pairs] = self.max[at % pairs].max(x);
        }
    }

    /// The columns that they are for; 1 for all columns.
    pub fn columns(&self) -> usize {
        self.min.len()
    }

    /// How many values of whole rows lie outside, to the digits of f32: the same rows from a text and from an array of
    /// f32 lie within the same bounds.
    pub fn outside(&self, values: &Values) -> usize {
        match values {
            Values::Bytes(bytes) => self.count(bytes.iter().map(|&b| unit(b))),
            Values::Floats(floats) => self.count(floats.iter().copied()),
            Values::Doubles(doubles) => self.count(doubles.iter().map(|&x| to_f32(x))),
        }
    }

    fn count(&self, values: impl Iterator<Item = f32>) -> usize {
        let pairs: Vec<_> = self.min.iter().zip(&self.max).map(|(&min, &max)| to_f32(min)..=to_f32(max)).collect();
        values.zip(pairs.iter().cycle()).filter(|(x, pair)| !pair.contains(x)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_lie_within_their_own_bounds_and_another_scale_is_counted() {
        let table = Dataset::from_doubles("table", vec![0.1, 10.0, 1.0, 30.0, 0.5, 20.0], &[2]).unwrap();
        let bounds = Bounds::of(&table).unwrap();
        assert_eq!((bounds.columns(), bounds.outside(table.values())), (2, 0));
        assert_eq!(bounds.outside(&vec![0.1_f32, 10.0, 10.0, 10.0, 0.0, 0.0, 1.0, 30.0].into()), 3);
        let bytes = Dataset::from_bytes("bytes", vec![0, 7, 9, 0], &[2, 2]).unwrap();
        let bounds = Bounds::of(&bytes).unwrap();
        assert_eq!((bounds.columns(), bounds.outside(bytes.values())), (1, 0));
        let floats = Dataset::from_rows("the same as floats", vec![0.0, 7.0, 9.0, 0.0], &[2, 2]).unwrap();
        assert_eq!(bounds.outside(floats.values()), 2);
        assert_eq!(Bounds::of(&floats).unwrap().outside(&vec![9.0_f32, 0.0, 0.5, 9.5].into()), 1);
        assert!(Bounds::of(&table.head(0)).unwrap_err().to_string().contains("no rows"));
    }
}
