//! How true a map is to the rows that it shows.

use super::neighbours::Others;
use super::products::Products;
use super::sampling::drawn;
use super::{Metric, Neighbours};
use crate::data::{Dataset, Rows};
use crate::rng::Rng;
use crate::{Autoencoder, Device, Error, Result};
use rayon::prelude::*;
use std::fmt;

/// Neighbours by which a map is judged, and those that vote for a class.
const NEIGHBOURS: usize = 12;
const VOTES: usize = 5;
/// The most rows that are compared, since the work grows with their square; of more, a random sample. The most numbers
/// that are held: of wide rows fewer are compared.
const MOST_ROWS: usize = 10_000;
const MOST_NUMBERS: usize = 1 << 26;
/// Queries whose distances to all rows are in memory at once.
const QUERIES: usize = 256;

/// How well the neighbourhoods of rows and of their points in a plane agree.
#[derive(Clone, Debug, PartialEq)]
pub struct Fidelity {
    /// The rows that were compared.
    pub rows: usize,
    /// How many neighbours of each.
    pub neighbours: usize,
    /// 1 where the neighbours in the plane are neighbours among the rows, less for each that is not, by how far it is
    /// from being one (Venna and Kaski 2001).
    pub trustworthiness: f64,
    /// The same with plane and rows exchanged: less for neighbours that the plane tears apart.
    pub continuity: f64,
    /// The share of the rows whose label most of their five nearest neighbours in the plane have. Of equally many the
    /// smallest label counts.
    pub accuracy: Option<f64>,
    /// The share of the rows that have the most frequent label: that much would be right without a map.
    pub frequent: Option<f64>,
}

impl Fidelity {
    /// Compares rows with their points by the Euclidean distance, and 12 neighbours of each; fewer of fewer than 26
    /// rows. Of more than 10,000 rows 10,000 are drawn, always the same.
    ///
    /// ```
    /// use narrows::{Device, data::Rows, tasks::Fidelity};
    /// let rows = Rows::new(3, (0..120).map(|i| (i * i % 17) as f32).collect());
    /// let found = Fidelity::of(&Device::cpu()?, &rows, &rows, None)?;
    /// assert_eq!((found.trustworthiness, found.continuity), (1.0, 1.0));
    /// # Ok::<(), narrows::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there are not as many points or labels as rows, there are fewer than 4 rows, a number is not finite, or the
    /// device fails.
    pub fn of(device: &Device, rows: &Rows, points: &Rows, labels: Option<&[u8]>) -> Result<Fidelity> {
        let n = rows.rows;
        if points.rows != n || labels.is_some_and(|labels| labels.len() != n) {
            let problem = format!("{n} rows and {} points", points.rows);
            return Err(Error::argument("map", problem, "Pass a point, and a label, for each row."));
        }
        if n > MOST_ROWS {
            let some = some(n, MOST_ROWS);
            let labels: Option<Vec<u8>> = labels.map(|labels| some.iter().map(|&at| labels[at]).collect());
            return Fidelity::of(device, &picked(rows, &some), &picked(points, &some), labels.as_deref());
        }
        // Beyond half of the rows the formula has no meaning.
        let k = NEIGHBOURS.min((n.max(2) - 1) / 2);
        if n < 4 {
            return Err(Error::argument("map", format!("neighbourhoods of {n} rows"), "Use at least 4 rows."));
        }
        let near = |of: &Rows| Neighbours::of(device, of, of, k + 1, Metric::L2);
        let (among_rows, in_plane) = (near(rows)?, near(points)?);
        let accuracy = match labels {
            Some(labels) => {
                let near = Neighbours::of(device, points, points, VOTES.min(n - 1) + 1, Metric::L2)?;
                let is_right = |(row, others): (usize, Others)| vote(others.map(|(other, _)| labels[other as usize])) == labels[row];
                Some(near.others().map(is_right).filter(|&right| right).count() as f64 / n as f64)
            }
            None => None,
        };
        Ok(Fidelity {
            rows: n,
            neighbours: k,
            trustworthiness: kept(device, rows, &in_plane, k)?,
            continuity: kept(device, points, &among_rows, k)?,
            accuracy,
            frequent: labels.map(|labels| most_frequent(labels) as f64 / n as f64),
        })
    }

    /// The same of the rows of a data set as a network sees them, with their labels. Of very wide rows fewer are drawn:
    /// those that 67 million numbers hold.
    ///
    /// # Errors
    /// As [`Fidelity::of`], or the rows do not fit the network.
    pub fn of_rows(ae: &Autoencoder, rows: &Dataset, points: &Rows) -> Result<Fidelity> {
        if points.rows != rows.len() {
            let problem = format!("{} rows and {} points", rows.len(), points.rows);
            return Err(Error::argument("map", problem, "Pass a point for each row."));
        }
        let some = some(rows.len(), MOST_ROWS.min((MOST_NUMBERS / rows.columns()).max(4)));
        let seen = ae.scaled(&rows.selected(&some))?;
        let values = Rows::new(seen.columns(), seen.rows_f32(0..seen.len()));
        Fidelity::of(ae.device(), &values, &picked(points, &some), seen.labels())
    }
}

/// The numbers of at most `most` rows, drawn where there are more.
fn some(rows: usize, most: usize) -> Vec<usize> {
    let mut all: Vec<u32> = (0..rows as u32).collect();
    if rows > most {
        Rng::at_step(0, drawn::ROWS, 0).shuffle(&mut all);
        all.truncate(most);
    }
    all.into_iter().map(|at| at as usize).collect()
}

fn picked(of: &Rows, some: &[usize]) -> Rows {
    Rows::new(of.columns, some.iter().flat_map(|&at| &of.values[at * of.columns..][..of.columns]).copied().collect())
}

/// The label that most have; of equally many the smallest.
fn vote(labels: impl Iterator<Item = u8>) -> u8 {
    let mut counts = [0u32; 256];
    labels.for_each(|label| counts[usize::from(label)] += 1);
    (0..=255u8).rev().max_by_key(|&label| counts[usize::from(label)]).unwrap_or(0)
}

/// How many have the label that most have.
fn most_frequent(labels: &[u8]) -> usize {
    let mut counts = [0; 256];
    labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
    counts.into_iter().max().unwrap_or(0)
}

/// 1 less the penalty for each of `near` by how far its rank among the rows is beyond k.
fn kept(device: &Device, rows: &Rows, near: &Neighbours, k: usize) -> Result<f64> {
    let (n, columns) = (rows.rows, rows.columns);
    let gallery = Metric::L2.prepared(&rows.values, &Metric::L2.shift(&rows.values, columns));
    let offsets = Metric::L2.offsets(&gallery, columns);
    let mut products = Products::new(device, columns);
    let others: Vec<(usize, Vec<u32>)> = near.others().map(|(row, others)| (row, others.map(|(other, _)| other).collect())).collect();
    let mut penalty = 0u64;
    for (q, others) in gallery.chunks(QUERIES * columns).zip(others.chunks(QUERIES)) {
        let scores = products.run(q, &gallery, &offsets)?;
        let beyond = |(scores, (row, others)): (&[f32], &(usize, Vec<u32>))| -> u64 {
            let own = scores[*row];
            let rank = |other: u32| {
                let score = scores[other as usize];
                let nearer = scores.iter().map(|&s| u32::from(s > score)).sum::<u32>() - u32::from(own > score);
                nearer as usize + 1
            };
            others.iter().map(|&other| rank(other).saturating_sub(k) as u64).sum()
        };
        penalty += scores.par_chunks(n).zip(others).map(beyond).sum::<u64>();
    }
    let (n, k) = (n as f64, k as f64);
    Ok(1.0 - 2.0 * penalty as f64 / (n * k * (2.0 * n - 3.0 * k - 1.0)))
}

impl fmt::Display for Fidelity {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Fidelity { rows, neighbours, trustworthiness, continuity, accuracy, frequent } = self;
        write!(f, "trustworthiness {trustworthiness:.4}, continuity {continuity:.4} ({neighbours} neighbours, {rows} rows)")?;
        if let Some(accuracy) = accuracy {
            write!(f, "; {:.2} % have the label of their 5 nearest in the plane", 100.0 * accuracy)?;
        }
        match frequent {
            Some(share) => write!(f, " ({:.2} % have the most frequent label)", 100.0 * share),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(rows: usize, columns: usize, seed: u64) -> Rows {
        let mut rng = Rng::new(seed, 0);
        Rows::new(columns, (0..rows * columns).map(|_| rng.uniform()).collect())
    }

    /// The definition, in f64, with every rank sorted out.
    fn by_definition(high: &Rows, low: &Rows, k: usize) -> f64 {
        let n = high.rows;
        let order = |of: &Rows, row: usize| {
            let at = |i: usize| &of.values[i * of.columns..][..of.columns];
            let distance = |i: usize| at(row).iter().zip(at(i)).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
            let mut all: Vec<usize> = (0..n).filter(|&i| i != row).collect();
            all.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
            all
        };
        let mut sum = 0.0;
        for row in 0..n {
            let ranks = order(high, row);
            for other in order(low, row).into_iter().take(k) {
                let rank = 1 + ranks.iter().position(|&i| i == other).unwrap();
                sum += rank.saturating_sub(k) as f64;
            }
        }
        1.0 - 2.0 * sum / (n as f64 * k as f64 * (2.0 * n as f64 - 3.0 * k as f64 - 1.0))
    }

    #[test]
    fn both_numbers_are_those_of_the_definition() {
        let device = Device::cpu().unwrap();
        for (n, k) in [(4, 1), (9, 4), (300, 12)] {
            let (high, low) = (numbers(n, 7, 1), numbers(n, 2, 2));
            let found = Fidelity::of(&device, &high, &low, None).unwrap();
            assert_eq!((found.rows, found.neighbours, found.accuracy), (n, k, None));
            assert!((found.trustworthiness - by_definition(&high, &low, k)).abs() < 1e-12, "{n}: {found:?}");
            assert!((found.continuity - by_definition(&low, &high, k)).abs() < 1e-12, "{n}: {found:?}");
        }
    }

    #[test]
    fn labels_are_voted_for_without_the_row_itself() {
        let device = Device::cpu().unwrap();
        // Two groups of six; one row of the first has the label of the second.
        let points: Vec<f32> = (0..12).flat_map(|i| [(i / 6 * 100 + i % 6) as f32, 0.0]).collect();
        let points = Rows::new(2, points);
        let labels = [0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1];
        let found = Fidelity::of(&device, &points, &points, Some(&labels)).unwrap();
        assert_eq!((found.accuracy, found.frequent), (Some(11.0 / 12.0), Some(7.0 / 12.0)));
        assert!(
            found.to_string().ends_with("; 91.67 % have the label of their 5 nearest in the plane (58.33 % have the most frequent label)")
        );
        assert_eq!((vote([3, 1, 3, 1].into_iter()), vote([9].into_iter())), (1, 9));
        // Twenty equal rows: no row is its own neighbour, listed or not.
        let equal = Neighbours::of(&device, &Rows::new(1, vec![0.5; 20]), &Rows::new(1, vec![0.5; 20]), 4, Metric::L2).unwrap();
        for (row, others) in equal.others() {
            let others: Vec<u32> = others.map(|(other, _)| other).collect();
            assert!(others.len() == 3 && !others.contains(&(row as u32)), "{row}: {others:?}");
        }
    }

    #[test]
    fn of_many_rows_some_are_compared_and_what_does_not_fit_is_refused() {
        let device = Device::cpu().unwrap();
        let rows = numbers(MOST_ROWS + 1, 2, 3);
        let found = Fidelity::of(&device, &rows, &rows, Some(&vec![4; MOST_ROWS + 1])).unwrap();
        assert_eq!((found.rows, found.trustworthiness, found.accuracy), (MOST_ROWS, 1.0, Some(1.0)));
        let ae = Autoencoder::builder(2).layers([1]).build(&device).unwrap();
        let data = Dataset::from_rows("rows", rows.values.clone(), &[2]).unwrap().with_labels(vec![4; MOST_ROWS + 1]).unwrap();
        assert_eq!(Fidelity::of_rows(&ae, &data, &rows).unwrap(), found);
        assert!(Fidelity::of_rows(&ae, &data.head(9), &rows).is_err());
        let three = numbers(3, 2, 0);
        assert!(Fidelity::of(&device, &three, &three, None).is_err());
        assert!(Fidelity::of(&device, &rows, &three, None).is_err());
        assert!(Fidelity::of(&device, &numbers(9, 2, 0), &numbers(9, 2, 1), Some(&[0; 8])).is_err());
    }
}
