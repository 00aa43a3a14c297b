//! How rare a score is: the scores of the rows of a training, or so much of them as a model file holds.

use crate::{Error, Result};

/// Of at most this many rows all scores are kept.
const ALL: usize = 4096;
/// Of more rows: how many of the largest scores are kept, each of them, and how many of those below.
const LARGEST: usize = 1024;
const BELOW: usize = 1024;

/// The distribution of some scores. Up to 4,096 scores are all kept. Of more, the 1,024 largest are, and 1,024 below
/// them, each at a place that is the same factor further from the largest: so a share of the rows is off by less than
/// 1 % of itself for up to ten million rows.
///
/// ```
/// use narrows::nn::Quantiles;
/// let scores = Quantiles::of(&[0.1, 0.9, 0.2, 0.3])?;
/// assert_eq!(scores.threshold(0.25)?, 0.9);
/// assert_eq!(scores.threshold(0.5)?, 0.3);
/// # Ok::<(), narrows::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "files", derive(serde::Serialize, serde::Deserialize), serde(try_from = "Parts"))]
pub struct Quantiles {
    /// How many scores there were.
    rows: usize,
    /// Of each score that is kept, how many scores were at least as large, itself included, if equal ones are in some
    /// order: ascending, from 1 to `rows`. None where all are kept.
    #[cfg_attr(feature = "files", serde(default, skip_serializing_if = "Vec::is_empty"))]
    places: Vec<usize>,
    /// From the largest to the smallest.
    scores: Vec<f32>,
}

/// Quantiles as a file holds them, not yet checked.
#[cfg(feature = "files")]
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    rows: usize,
    #[serde(default)]
    places: Vec<usize>,
    scores: Vec<f32>,
}

#[cfg(feature = "files")]
impl TryFrom<Parts> for Quantiles {
    type Error = Error;

    fn try_from(Parts { rows, places, scores }: Parts) -> Result<Quantiles> {
        let refuse = |problem: &str| Err(Error::argument("quantiles", problem, "Train the model again."));
        let whole = if places.is_empty() { scores.len() == rows } else { places.len() == scores.len() };
        let ends = places.first().is_none_or(|&first| first == 1) && places.last().is_none_or(|&last| last == rows);
        match scores.is_empty() || !whole || !ends || !places.is_sorted_by(|a, b| a < b) {
            _ if scores.iter().any(|score| !score.is_finite()) => refuse("a score is not finite"),
            _ if !scores.is_sorted_by(|a, b| a >= b) => refuse("the scores do not descend"),
            true => refuse("its places are not those of its scores"),
            false => Ok(Quantiles { rows, places, scores }),
        }
    }
}

impl Quantiles {
    /// Those of some scores. Infinity and NaN count as the largest number.
    ///
    /// # Errors
    /// When there are no scores.
    pub fn of(scores: &[f32]) -> Result<Quantiles> {
        if scores.is_empty() {
            return Err(Error::argument("quantiles", "there are no scores", "Pass at least one."));
        }
        let mut all: Vec<f32> = scores.iter().map(finite).collect();
        all.sort_by(|a, b| b.total_cmp(a));
        let rows = all.len();
        if rows <= ALL {
            return Ok(Quantiles { rows, places: Vec::new(), scores: all });
        }
        let factor = libm::pow(rows as f64 / LARGEST as f64, 1.0 / BELOW as f64);
        let below = (1..BELOW).map(|step| (LARGEST as f64 * libm::pow(factor, step as f64)).round() as usize);
        let mut places: Vec<usize> = (1..=LARGEST).chain(below.map(|place| place.min(rows))).chain([rows]).collect();
        places.dedup();
        Ok(Quantiles { rows, scores: places.iter().map(|&place| all[place - 1]).collect(), places })
    }

    /// How many scores there were.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The share of the scores that are below this one, from 0 to 1. NaN counts as the largest number. Between two
    /// scores that are kept, the share rises on a line.
    ///
    /// ```
    /// use narrows::nn::Quantiles;
    /// let scores = Quantiles::of(&[0.1, 0.9, 0.2, 0.3])?;
    /// assert_eq!((scores.share_below(0.3), scores.share_below(2.0)), (0.5, 1.0));
    /// # Ok::<(), narrows::Error>(())
    /// ```
    pub fn share_below(&self, score: f32) -> f64 {
        let score = finite(&score);
        let rows = self.rows as f64;
        let above = self.scores.partition_point(|&kept| kept >= score);
        if self.places.is_empty() {
            return 1.0 - above as f64 / rows;
        }
        let Some(last) = above.checked_sub(1) else { return 1.0 };
        let Some((&next, &below)) = self.places.get(above).zip(self.scores.get(above)) else { return 0.0 };
        // The last score that is no smaller, and the first that is.
        let (place, kept) = (self.places[last], self.scores[last]);
        let part = (f64::from(kept) - f64::from(score)) / (f64::from(kept) - f64::from(below));
        1.0 - (place as f64 + part * (next - 1 - place) as f64) / rows
    }

    /// The score from which a row is as rare as this share of the scores: the k-th largest of them, where k is the
    /// share of their number, rounded. Where that is 0, the next number above all of them.
    ///
    /// # Errors
    /// When the share is not in [0, 1].
    pub fn threshold(&self, share: f64) -> Result<f32> {
        let count = counted(self.rows, share)?;
        if count == 0 {
            return Ok(self.scores[0].next_up());
        }
        if self.places.is_empty() {
            return Ok(self.scores[count - 1]);
        }
        let at = self.places.partition_point(|&place| place < count);
        if self.places[at] == count {
            return Ok(self.scores[at]);
        }
        // Between two places that are kept, the scores are taken to lie on a line.
        let [(from, above), (to, below)] = [at - 1, at].map(|at| (self.places[at] as f64, f64::from(self.scores[at])));
        let part = (count as f64 - from) / (to - from);
        Ok((above + (below - above) * part) as f32)
    }
}

/// A score as it is compared.
fn finite(score: &f32) -> f32 {
    if score.is_nan() { f32::MAX } else { score.clamp(-f32::MAX, f32::MAX) }
}

/// How many rows a share of them is.
pub(super) fn counted(rows: usize, contamination: f64) -> Result<usize> {
    match (0.0..=1.0).contains(&contamination) {
        true => Ok((rows as f64 * contamination).round() as usize),
        false => Err(Error::argument("contamination", format!("it is {contamination}"), "Use a share from 0 to 1, such as 0.01.")),
    }
}

#[cfg(test)]
mod tests {
    use super::Quantiles;
    use crate::nn::contamination;

    #[test]
    fn few_scores_are_all_kept_and_a_share_below_one_row_is_above_all() {
        let scores = [3.0, 1.0, 2.0, 3.0, 0.5];
        let kept = Quantiles::of(&scores).unwrap();
        for share in [0.2, 0.4, 0.6, 0.8, 1.0] {
            assert_eq!(kept.threshold(share).unwrap(), contamination(&scores, share).unwrap(), "{share}");
        }
        assert_eq!((kept.threshold(0.0).unwrap(), kept.threshold(0.09).unwrap()), (3.0f32.next_up(), 3.0f32.next_up()));
        let odd = Quantiles::of(&[f32::NAN, f32::INFINITY, 1.0]).unwrap();
        assert_eq!((odd.threshold(0.67).unwrap(), odd.threshold(1.0).unwrap()), (f32::MAX, 1.0));
        assert_eq!(odd.threshold(0.0).unwrap(), f32::INFINITY, "an infinite score is still marked");
        for share in [-0.1, 1.1, f64::NAN] {
            assert!(kept.threshold(share).is_err(), "{share}");
        }
        assert!(Quantiles::of(&[]).is_err());
    }

    #[test]
    fn of_many_scores_the_largest_are_exact_and_every_share_is_right_to_a_hundredth_of_itself() {
        for rows in [4096, 4097, 60_000, 1_000_000] {
            // The n-th largest score is 1 / n, in any order.
            let scores: Vec<f32> = (0..rows).map(|i| 1.0 / (i * 7919 % rows + 1) as f32).collect();
            let kept = Quantiles::of(&scores).unwrap();
            assert!(kept.scores.len() <= 4096 && kept.rows() == rows);
            for share in [1e-4, 1e-3, 0.01, 0.0173, 0.05, 0.3, 0.9, 1.0] {
                let (exact, found) = (contamination(&scores, share).unwrap(), kept.threshold(share).unwrap());
                if share * (rows as f64) < 0.5 {
                    assert_eq!(found, 1.0f32.next_up());
                    continue;
                }
                let [wanted, marked] = [exact, found].map(|threshold| 1.0 / threshold);
                assert!((marked - wanted).abs() <= 0.01 * wanted, "{rows} rows, {share}: {marked} and not {wanted}");
                if rows == 4096 || share * rows as f64 <= 1024.0 {
                    assert_eq!(found, exact, "{rows} rows, {share}");
                }
            }
        }
    }

    #[test]
    fn the_share_below_is_counted_and_between_kept_scores_right_to_a_hundredth_of_the_rest() {
        let few = Quantiles::of(&[3.0, 1.0, 2.0, 3.0]).unwrap();
        let below = [0.5, 1.0, 1.5, 2.0, 3.0, 3.5, f32::NAN, f32::NEG_INFINITY].map(|score| few.share_below(score));
        assert_eq!(below, [0.0, 0.0, 0.25, 0.25, 0.5, 1.0, 1.0, 0.0]);
        for rows in [4096_usize, 4097, 60_000, 1_000_000] {
            let scores: Vec<f32> = (0..rows).map(|i| 1.0 / (i * 7919 % rows + 1) as f32).collect();
            let kept = Quantiles::of(&scores).unwrap();
            for n in [1, 2, 10, 1000, 1024, 1025, 3000, rows / 2, rows - 1, rows] {
                // n scores are at least this large.
                let (found, at_least) = (kept.share_below(1.0 / n as f32), n as f64 / rows as f64);
                assert!((1.0 - found - at_least).abs() <= 0.01 * at_least, "{n} of {rows}: {found}");
            }
            assert_eq!((kept.share_below(2.0), kept.share_below(0.0)), (1.0, 0.0));
        }
    }

    #[cfg(feature = "files")]
    #[test]
    fn a_file_gives_them_back_to_the_bit_and_what_is_no_distribution_is_refused() {
        let read = |text: &str| serde_json::from_value::<Quantiles>(serde_json::from_str(text).unwrap());
        let scores: Vec<f32> = (0..5000).map(|i| (i as f32).sin().abs() * 1e-3).collect();
        for kept in [Quantiles::of(&scores).unwrap(), Quantiles::of(&scores[..9]).unwrap()] {
            let text = serde_json::to_value(&kept).unwrap().to_string();
            assert_eq!(read(&text).unwrap(), kept);
        }
        for (text, said) in [
            (r#"{"rows":0,"scores":[]}"#, "its places are not those"),
            (r#"{"rows":3,"scores":[2,1]}"#, "its places are not those"),
            (r#"{"rows":9,"places":[1,5],"scores":[2,1]}"#, "its places are not those"),
            (r#"{"rows":9,"places":[2,9],"scores":[2,1]}"#, "its places are not those"),
            (r#"{"rows":9,"places":[1,9,9],"scores":[2,1,0]}"#, "its places are not those"),
            (r#"{"rows":2,"scores":[1,2]}"#, "the scores do not descend"),
            (r#"{"rows":1,"scores":[1e39]}"#, "a score is not finite"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
