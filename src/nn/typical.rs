//! What is typical of a network's training rows: their error, and where their codes lie.

use super::Quantiles;
use super::mixture::Normal;
#[cfg(feature = "files")]
use crate::Error;
use crate::Result;

/// What is added to each variance of the code, as a share of the mean variance of its units.
const FLOOR: f64 = 1e-3;

/// The mean error of training rows, and the normal distribution of their codes. With it a row's score is its error plus
/// the squared Mahalanobis distance of its code, each over its mean in training: rows that the network can't draw have
/// a large first part, and those that it draws well from a code like no other a large second one. About 2 is usual.
///
/// ```
/// use narrows::{Autoencoder, Device, data, nn::Typical};
/// let ae = Autoencoder::builder(784).layers([8]).build(&Device::cpu()?)?;
/// let digits = data::digits(0, 0..200);
/// let ae = { let typical = Typical::of(&ae, &digits)?; ae.with_typical(typical)? };
/// let scores = ae.distance_score(&digits)?;
/// assert!((scores.iter().sum::<f32>() / 200.0 - 2.0).abs() < 1e-3);
/// # Ok::<(), narrows::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "files", derive(serde::Serialize, serde::Deserialize), serde(try_from = "Parts"))]
pub struct Typical {
    /// The mean error.
    error: f64,
    /// The mean squared distance of codes.
    distance: f64,
    codes: Normal,
    scores: Quantiles,
}

/// What a file holds, not yet checked.
#[cfg(feature = "files")]
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    error: f64,
    distance: f64,
    codes: Normal,
    scores: Quantiles,
}

#[cfg(feature = "files")]
impl TryFrom<Parts> for Typical {
    type Error = Error;

    fn try_from(Parts { error, distance, codes, scores }: Parts) -> Result<Typical> {
        let fine = [error, distance].iter().all(|mean| mean.is_finite() && *mean > 0.0);
        match fine {
            true => Ok(Typical { error, distance, codes, scores }),
            false => Err(Error::argument("typical rows", "a mean is not a number above 0", "Train the model again.")),
        }
    }
}

impl Typical {
    /// That of rows with these errors and codes, which are `units` numbers each.
    pub(super) fn learnt(errors: &[f32], codes: &[f64], units: usize) -> Result<Typical> {
        let own = Normal::of(codes, units, FLOOR);
        let mean = |sum: f64| sum / errors.len() as f64;
        // Rows without any error, and codes that do not differ, are measured in the smallest unit there is.
        let unit = |mean: f64| if mean.is_finite() { mean.max(f64::from(f32::MIN_POSITIVE)) } else { f64::from(f32::MAX) };
        let error = unit(mean(errors.iter().map(|&error| f64::from(error)).sum()));
        let distances: Vec<f64> = codes.chunks(units).map(|code| own.squared_distance(code)).collect();
        let distance = unit(mean(distances.iter().sum()));
        let scores: Vec<f32> = errors.iter().zip(&distances).map(|(&e, d)| (f64::from(e) / error + d / distance) as f32).collect();
        Ok(Typical { error, distance, codes: own, scores: Quantiles::of(&scores)? })
    }

    /// The score of a row with this error and code.
    pub(super) fn score(&self, error: f64, code: &[f32]) -> f32 {
        let code: Vec<f64> = code.iter().map(|&z| f64::from(z)).collect();
        (error / self.error + self.codes.squared_distance(&code) / self.distance) as f32
    }

    /// The units of the codes.
    pub(super) fn units(&self) -> usize {
        self.codes.units()
    }

    /// How these scores are distributed among the rows that it was learnt from.
    pub fn quantiles(&self) -> &Quantiles {
        &self.scores
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;
    use crate::nn::Output;
    use crate::nn::scores::WIDEST;
    use crate::{Autoencoder, Device, Error};

    /// A network whose code is its first column, and which gives that column back and 0 for the other.
    fn first_column() -> Autoencoder {
        let ae = Autoencoder::builder(2).layers([1]).output(Output::Linear).build(&Device::cpu().unwrap()).unwrap();
        for (name, values) in [("encoder.0.weight", &[1.0, 0.0][..]), ("encoder.0.bias", &[0.0]), ("decoder.0.weight", &[1.0, 0.0])] {
            ae.params().write(name, values).unwrap();
        }
        ae.params().write("decoder.0.bias", &[0.0, 0.0]).unwrap();
        ae
    }

    #[test]
    fn a_score_is_error_and_distance_each_over_its_mean() {
        let ae = first_column();
        let rows = Dataset::from_rows("rows", vec![1.0, 0.0, 3.0, 2.0, 1.0, 0.0, 3.0, 2.0], &[2]).unwrap();
        let typical = Typical::of(&ae, &rows).unwrap();
        // The errors are 0 and 2, their mean 1; the codes 1 and 3 are as far from 2 as the standard deviation.
        assert_eq!(typical.error, 1.0);
        assert!((typical.distance - 1.0 / 1.001).abs() < 1e-12, "{}", typical.distance);
        let ae = ae.with_typical(typical).unwrap();
        let scores = ae.distance_score(&Dataset::from_rows("new", vec![1.0, 0.0, 3.0, 2.0, 2.0, 0.0, 5.0, 1.0], &[2]).unwrap()).unwrap();
        for (found, want) in scores.iter().zip([1.0, 3.0, 0.0, 9.5]) {
            assert!((found - want).abs() < 1e-5, "{scores:?}");
        }
        assert_eq!(ae.typical().unwrap().quantiles().threshold(0.5).unwrap(), ae.distance_score(&rows).unwrap()[1]);
    }

    #[test]
    fn rows_without_spread_or_error_are_no_reason_to_fail_and_other_codes_are_refused() {
        let ae = first_column();
        let equal = Dataset::from_rows("rows", vec![1.0, 0.0, 1.0, 0.0], &[2]).unwrap();
        let with = ae.clone().with_typical(Typical::of(&ae, &equal).unwrap()).unwrap();
        let scores = with.distance_score(&Dataset::from_rows("new", vec![1.0, 0.0, 1.5, 9.0], &[2]).unwrap()).unwrap();
        assert!(scores[0] == 0.0 && scores[1] > 1e9, "{scores:?}");
        assert!(Typical::of(&ae, &equal.head(0)).is_err());
        assert!(matches!(ae.distance_score(&equal), Err(Error::Argument { .. })));
        let other = Autoencoder::builder(2).layers([2]).build(&Device::cpu().unwrap()).unwrap();
        assert!(other.with_typical(Typical::of(&ae, &equal).unwrap()).unwrap_err().to_string().contains("codes of 1 units"));
        let wide = Autoencoder::builder(2).layers([WIDEST + 1]).build(&Device::cpu().unwrap()).unwrap();
        assert!(Typical::of(&wide, &equal).unwrap_err().to_string().contains("a code of 257 units"));
    }

    #[cfg(feature = "files")]
    #[test]
    fn a_file_gives_it_back_to_the_bit() {
        let ae = first_column();
        let rows = Dataset::from_rows("rows", (0..60).map(|i| (i * i % 7) as f32 * 0.3).collect(), &[2]).unwrap();
        let typical = Typical::of(&ae, &rows).unwrap();
        let text = serde_json::to_string(&typical).unwrap();
        assert_eq!(serde_json::from_str::<Typical>(&text).unwrap(), typical);
        let wrong = text.replacen("\"error\":", "\"error\":-", 1);
        assert!(serde_json::from_str::<Typical>(&wrong).unwrap_err().to_string().contains("not a number above 0"), "{wrong}");
    }
}
