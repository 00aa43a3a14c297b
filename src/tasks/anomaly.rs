//! How well scores tell anomalies from usual rows.

use crate::{Error, Result};
use std::fmt;

/// What scores are worth where it is known which rows are anomalies: a higher score is to mean an anomaly.
///
/// ```
/// use narrows::tasks::Detection;
/// let found = Detection::of(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true])?;
/// assert_eq!((found.auroc, found.precision_at_n), (0.75, 0.5));
/// # Ok::<(), narrows::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// The rows.
    pub rows: usize,
    /// How many rows are anomalies.
    pub anomalies: usize,
    /// The area under the receiver operating characteristic: the probability that an anomaly has a higher score than a
    /// usual row, where equal scores count one half.
    pub auroc: f64,
    /// The sum over the distinct scores, from the largest, of the precision from that score on times by how much the
    /// recall rises there.
    pub average_precision: f64,
    /// The share of anomalies among as many rows as there are anomalies, those with the largest scores. Of rows with
    /// one score of which some do not belong to these, each counts in part.
    pub precision_at_n: f64,
    /// The curve from (0, 0) to (1, 1): the share of the usual rows, and that of the anomalies, with at least a score;
    /// a point for each distinct score.
    pub roc: Vec<(f64, f64)>,
    /// The share of the anomalies with at least a score (recall), and the share of anomalies among the rows with at
    /// least that score (precision): a point for each distinct score, from the largest.
    pub precision_recall: Vec<(f64, f64)>,
}

impl Detection {
    /// Of a score for each row, and whether it is an anomaly. NaN counts as the largest score.
    ///
    /// # Errors
    /// When there are not as many marks as scores, or all or none of the rows are anomalies.
    pub fn of(scores: &[f32], is_anomaly: &[bool]) -> Result<Detection> {
        if scores.len() != is_anomaly.len() {
            let problem = format!("there are {} scores and {} marks", scores.len(), is_anomaly.len());
            return Err(Error::argument("scores", problem, "Pass a mark for each score."));
        }
        let (rows, anomalies) = (scores.len(), is_anomaly.iter().filter(|is| **is).count());
        let usual = rows - anomalies;
        if anomalies == 0 || usual == 0 {
            let problem = format!("{anomalies} of {rows} rows are anomalies");
            return Err(Error::data("scores", problem, "Measure rows of which some are anomalies and some are not."));
        }
        // Zeros are equal, whatever their signs.
        let key = |row: usize| if scores[row].is_nan() { f32::INFINITY } else { scores[row] + 0.0 };
        let mut order: Vec<usize> = (0..rows).collect();
        order.sort_by(|&a, &b| key(b).total_cmp(&key(a)));
        let (mut hits, mut misses) = (0usize, 0usize);
        let (mut pairs, mut average_precision, mut among_n) = (0.0, 0.0, 0.0);
        let (mut roc, mut precision_recall) = (vec![(0.0, 0.0)], Vec::new());
        for equal in order.chunk_by(|&a, &b| key(a) == key(b)) {
            let hit = equal.iter().filter(|&&row| is_anomaly[row]).count();
            let missed = equal.len() - hit;
            // Each usual row of these lies below all anomalies before it, and half of the equal ones.
            pairs += missed as f64 * (hits as f64 + hit as f64 / 2.0);
            let places = anomalies.saturating_sub(hits + misses).min(equal.len());
            among_n += hit as f64 * places as f64 / equal.len() as f64;
            (hits, misses) = (hits + hit, misses + missed);
            let (recall, precision) = (hits as f64 / anomalies as f64, hits as f64 / (hits + misses) as f64);
            average_precision += precision * hit as f64;
            roc.push((misses as f64 / usual as f64, recall));
            precision_recall.push((recall, precision));
        }
        let auroc = pairs / (anomalies as f64 * usual as f64);
        let [average_precision, precision_at_n] = [average_precision, among_n].map(|sum| sum / anomalies as f64);
        Ok(Detection { rows, anomalies, auroc, average_precision, precision_at_n, roc, precision_recall })
    }
}

impl fmt::Display for Detection {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Detection { rows, anomalies, auroc, average_precision, precision_at_n, .. } = self;
        let share = *anomalies as f64 / *rows as f64;
        writeln!(f, "{anomalies} anomalies among {rows} rows, by their scores")?;
        writeln!(f, "  AUROC                    {auroc:>8.4}   by chance 0.5000")?;
        writeln!(f, "  average precision        {average_precision:>8.4}   by chance {share:.4}")?;
        write!(f, "  precision at {anomalies:<12}{precision_at_n:>8.4}   by chance {share:.4}")
    }
}
