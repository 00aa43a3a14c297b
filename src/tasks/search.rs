//! The rows of a gallery that are nearest to others, by their codes.

#[cfg(feature = "pca")]
use super::Pca;
use super::products::Products;
#[cfg(feature = "pca")]
use crate::data::Dataset;
use crate::data::Rows;
use crate::spelling::spelled;
use crate::{Device, Error, Result};
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Queries and rows of the gallery of one product: its numbers stay in the caches.
const QUERIES: usize = 512;
const GALLERY: usize = 512;
/// Candidates that are kept beyond those that are asked for, because products round: their distances are computed again
/// in f64, and the nearest of these are taken.
const SPARE: usize = 16;
/// Scores that are compared at once with the least that counts.
const LANES: usize = 16;

/// How far codes are from each other.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metric {
    /// The Euclidean distance.
    #[default]
    L2,
    /// 1 less the cosine of the angle; 1 where a code is all zeros.
    Cosine,
}

spelled!(Metric, "metric": L2 "l2", Cosine "cosine");

/// The rows of a gallery that are nearest to each query.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbours {
    /// Rows for each query: as many as were asked for, or all.
    pub k: usize,
    /// Numbers of rows of the gallery, k for each query, the nearest first; of equally near ones the first.
    pub rows: Vec<u32>,
    /// Their distances.
    pub distances: Vec<f64>,
}

/// How many of the neighbours have the label of their query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hits {
    /// The mean over the queries of the share of the neighbours that have its label.
    pub precision: f64,
    /// The mean over the queries of the average precision: the mean, over the neighbours with its label, of the share
    /// of such ones up to there. 0 for a query that has none.
    pub mean_average_precision: f64,
}

impl Neighbours {
    /// The nearest rows of `gallery` for each row of `queries`, exactly: a product of the two on the device, from which
    /// the host chooses. The gallery may have any number of rows.
    ///
    /// ```
    /// use narrows::{Device, data::Rows, tasks::{Metric, Neighbours}};
    /// let gallery = Rows::new(2, vec![0.0, 0.0, 1.0, 0.0, 5.0, 5.0]);
    /// let found = Neighbours::of(&Device::cpu()?, &gallery, &Rows::new(2, vec![4.0, 4.0]), 2, Metric::L2)?;
    /// assert_eq!((found.rows, found.distances), (vec![2, 1], vec![2f64.sqrt(), 5.0]));
    /// # Ok::<(), narrows::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the rows have different numbers of columns, a number is not finite, `k` is 0, the gallery is empty, or the
    /// device fails.
    pub fn of(device: &Device, gallery: &Rows, queries: &Rows, k: usize, by: Metric) -> Result<Neighbours> {
        let (k, columns) = (checked(gallery, queries, k)?, gallery.columns);
        let (near, asked) = by.prepared(gallery, queries);
        let offsets = by.offsets(&near, columns);
        let mut best: Vec<Best> = (0..queries.rows).map(|_| Best::new((k + SPARE).min(gallery.rows))).collect();
        let mut products = Products::new(device, columns);
        for (q, best) in asked.chunks(QUERIES * columns).zip(best.chunks_mut(QUERIES)) {
            for (at, (g, offsets)) in near.chunks(GALLERY * columns).zip(offsets.chunks(GALLERY)).enumerate() {
                let scores = products.run(q, g, offsets)?;
                let rows = offsets.len();
                let each = best.par_iter_mut().zip(scores.par_chunks(rows));
                each.for_each(|(best, scores)| best.take(scores, (at * GALLERY) as u32));
            }
        }
        let each = best.into_par_iter().zip(queries.values.par_chunks(columns));
        let found: Vec<Vec<(f64, u32)>> = each.map(|(best, query)| best.nearest(query, gallery, by, k)).collect();
        let (distances, rows) = found.into_iter().flatten().unzip();
        Ok(Neighbours { k, rows, distances })
    }

    /// The nearest rows by the Hamming distance of `bits` bits: the signs of as many principal components of the
    /// gallery, which are uncorrelated, where there are fewer bits than columns; else of the columns less their mean.
    ///
    /// # Errors
    /// As [`Neighbours::of`]; or `bits` is 0 or more than there are columns.
    #[cfg(feature = "pca")]
    pub fn by_bits(gallery: &Rows, queries: &Rows, k: usize, bits: usize) -> Result<Neighbours> {
        let (k, columns) = (checked(gallery, queries, k)?, gallery.columns);
        if bits == 0 || bits > columns {
            return Err(Error::argument("bits", format!("{bits} of codes of {columns} numbers"), format!("Use 1 to {columns}.")));
        }
        let of = |rows: &Rows| Dataset::from_rows("codes", rows.values.clone(), &[columns]);
        let (gallery, queries) = (of(gallery)?, of(queries)?);
        let pca = Pca::fit(&gallery)?;
        let words = |rows: &Dataset| -> Result<Vec<Vec<u64>>> {
            if bits < columns {
                return Ok(pca.encode(rows, bits)?.values.par_chunks(bits).map(packed).collect());
            }
            let less = |row: &[f32]| row.iter().zip(pca.mean()).map(|(&x, mean)| (f64::from(x) - mean) as f32).collect::<Vec<_>>();
            Ok(rows.rows_f32(0..rows.len()).par_chunks(columns).map(|row| packed(&less(row))).collect())
        };
        let (near, asked) = (words(&gallery)?, words(&queries)?);
        let found: Vec<Vec<(f64, u32)>> = asked.par_iter().map(|query| by_distance(query, &near, k)).collect();
        let (distances, rows) = found.into_iter().flatten().unzip();
        Ok(Neighbours { k, rows, distances })
    }

    /// Of neighbours of rows among themselves: each row, and its neighbours without itself, one fewer than were asked
    /// for.
    pub(super) fn others(&self) -> impl Iterator<Item = (usize, Others<'_>)> {
        let each = self.rows.chunks(self.k).zip(self.distances.chunks(self.k)).enumerate();
        each.map(|(row, (rows, distances))| {
            // Among many equal rows the row itself may not be listed.
            let own = rows.iter().position(|&other| other as usize == row).unwrap_or(rows.len() - 1);
            let others = rows.iter().zip(distances).enumerate().filter(move |(at, _)| *at != own);
            (row, Box::new(others.map(|(_, (&other, &distance))| (other, distance))) as Others)
        })
    }

    /// How many neighbours have the label of their query.
    ///
    /// # Errors
    /// When there are not as many labels as queries, or a neighbour has no label.
    pub fn hits<L: PartialEq>(&self, gallery: &[L], queries: &[L]) -> Result<Hits> {
        let fits = self.rows.len() == queries.len() * self.k && self.rows.iter().all(|&row| (row as usize) < gallery.len());
        if !fits || queries.is_empty() {
            let problem = format!("{} labels of queries and {} of the gallery", queries.len(), gallery.len());
            return Err(Error::argument("labels", problem, "Pass one for each query and one for each row of the gallery."));
        }
        let (mut precision, mut average) = (0.0, 0.0);
        for (rows, label) in self.rows.chunks(self.k).zip(queries) {
            let (mut hits, mut sum) = (0.0, 0.0);
            for (at, &row) in rows.iter().enumerate() {
                if gallery[row as usize] == *label {
                    hits += 1.0;
                    sum += hits / (at + 1) as f64;
                }
            }
            precision += hits / self.k as f64;
            average += if hits > 0.0 { sum / hits } else { 0.0 };
        }
        let all = queries.len() as f64;
        Ok(Hits { precision: precision / all, mean_average_precision: average / all })
    }
}

/// The other rows that are nearest to a row, with their distances.
pub(super) type Others<'a> = Box<dyn Iterator<Item = (u32, f64)> + 'a>;

/// The neighbours of each query: k, or all rows of a smaller gallery.
fn checked(gallery: &Rows, queries: &Rows, k: usize) -> Result<usize> {
    if k == 0 {
        return Err(Error::argument("k", "it is 0", "Use at least 1."));
    }
    if gallery.rows == 0 {
        return Err(Error::argument("gallery", "it has no rows", "Pass at least one."));
    }
    if gallery.columns != queries.columns {
        let problem = format!("its rows have {} columns and the queries {}", gallery.columns, queries.columns);
        return Err(Error::argument("gallery", problem, "Encode both by the same network."));
    }
    for (name, rows) in [("gallery", gallery), ("queries", queries)] {
        if let Some(at) = rows.values.par_iter().position_first(|x| !x.is_finite()) {
            let problem = format!("row {} has a {}", at / rows.columns, rows.values[at]);
            return Err(Error::argument(name, problem, "Pass finite numbers."));
        }
    }
    Ok(k.min(gallery.rows))
}

impl Metric {
    /// Both sides of the product. Distances do not change where the mean of the gallery is taken from all, and with
    /// smaller numbers the products round less; a cosine is a product of codes of length 1.
    pub(super) fn prepared(self, gallery: &Rows, queries: &Rows) -> (Vec<f32>, Vec<f32>) {
        let columns = gallery.columns;
        match self {
            Metric::L2 => {
                let mut mean = vec![0.0; columns];
                for row in gallery.values.chunks(columns) {
                    mean.iter_mut().zip(row).for_each(|(mean, &x)| *mean += f64::from(x) / gallery.rows as f64);
                }
                let less = |rows: &Rows| {
                    let each = rows.values.par_chunks(columns);
                    each.flat_map_iter(|row| row.iter().zip(&mean).map(|(&x, mean)| (f64::from(x) - mean) as f32)).collect()
                };
                (less(gallery), less(queries))
            }
            Metric::Cosine => {
                let of_length_one = |rows: &Rows| {
                    let each = rows.values.par_chunks(columns).map(|row| (row, norm(row)));
                    each.flat_map_iter(|(row, norm)| row.iter().map(move |&x| if norm > 0.0 { (f64::from(x) / norm) as f32 } else { 0.0 }))
                        .collect()
                };
                (of_length_one(gallery), of_length_one(queries))
            }
        }
    }

    /// What is added to the product with each row of the gallery, so that it is the larger, the nearer the row: for L2
    /// it is q g - g g / 2.
    pub(super) fn offsets(self, gallery: &[f32], columns: usize) -> Vec<f32> {
        let half = |g: &[f32]| (-g.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / 2.0) as f32;
        match self {
            Metric::L2 => gallery.par_chunks(columns).map(half).collect(),
            Metric::Cosine => vec![0.0; gallery.len() / columns],
        }
    }

    fn distance(self, a: &[f32], b: &[f32]) -> f64 {
        let pairs = || a.iter().zip(b).map(|(&a, &b)| (f64::from(a), f64::from(b)));
        match self {
            Metric::L2 => pairs().map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt(),
            Metric::Cosine => match norm(a) * norm(b) {
                0.0 => 1.0,
                norms => 1.0 - pairs().map(|(a, b)| a * b).sum::<f64>() / norms,
            },
        }
    }
}

fn norm(row: &[f32]) -> f64 {
    row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt()
}

/// A score in the order of f32, and the row that has it.
#[derive(PartialEq)]
struct Scored(f32, u32);

impl Eq for Scored {}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Scored) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scored {
    fn cmp(&self, other: &Scored) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0).then(other.1.cmp(&self.1))
    }
}

/// The candidates of a query, the least likely of them on top.
struct Best {
    most: usize,
    heap: BinaryHeap<Reverse<Scored>>,
}

impl Best {
    fn new(most: usize) -> Best {
        Best { most, heap: BinaryHeap::with_capacity(most + 1) }
    }

    /// Takes the scores of the rows from `first` on that are above the least that counts.
    fn take(&mut self, scores: &[f32], first: u32) {
        let mut least = self.least();
        for (at, scores) in scores.chunks(LANES).enumerate() {
            if !scores.iter().fold(false, |any, &score| any | (score > least)) {
                continue;
            }
            for (i, &score) in scores.iter().enumerate() {
                if score > least {
                    self.heap.push(Reverse(Scored(score, first + (at * LANES + i) as u32)));
                    if self.heap.len() > self.most {
                        self.heap.pop();
                    }
                    least = self.least();
                }
            }
        }
    }

    fn least(&self) -> f32 {
        match self.heap.peek() {
            Some(Reverse(Scored(score, _))) if self.heap.len() == self.most => *score,
            _ => f32::NEG_INFINITY,
        }
    }

    /// The nearest k of the candidates, with their distances in f64.
    fn nearest(self, query: &[f32], gallery: &Rows, by: Metric, k: usize) -> Vec<(f64, u32)> {
        let row = |row: u32| &gallery.values[row as usize * gallery.columns..][..gallery.columns];
        let mut all: Vec<(f64, u32)> = self.heap.into_iter().map(|Reverse(Scored(_, at))| (by.distance(query, row(at)), at)).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        all.truncate(k);
        all
    }
}

/// A bit for each number, 1 where it is above 0.
#[cfg(feature = "pca")]
fn packed(row: &[f32]) -> Vec<u64> {
    let word = |part: &[f32]| part.iter().enumerate().fold(0, |word, (i, &x)| word | u64::from(x > 0.0) << i);
    row.chunks(64).map(word).collect()
}

/// The k rows whose bits differ least, in the order of distance and row.
#[cfg(feature = "pca")]
fn by_distance(query: &[u64], gallery: &[Vec<u64>], k: usize) -> Vec<(f64, u32)> {
    let distance = |row: &[u64]| row.iter().zip(query).map(|(a, b)| (a ^ b).count_ones() as usize).sum::<usize>();
    let mut at: Vec<Vec<u32>> = vec![Vec::new(); 64 * query.len() + 1];
    for (row, bits) in gallery.iter().enumerate() {
        let same = &mut at[distance(bits)];
        if same.len() < k {
            same.push(row as u32);
        }
    }
    let all = at.into_iter().enumerate().flat_map(|(distance, rows)| rows.into_iter().map(move |row| (distance as f64, row)));
    all.take(k).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn numbers(rows: usize, columns: usize, seed: u64) -> Rows {
        let mut rng = Rng::new(seed, 0);
        Rows::new(columns, (0..rows * columns).map(|_| 7.0 + rng.uniform()).collect())
    }

    /// All distances in f64, sorted.
    fn sorted(gallery: &Rows, query: &[f32], by: Metric) -> Vec<(f64, u32)> {
        let mut all: Vec<_> = gallery.values.chunks(gallery.columns).zip(0..).map(|(row, at)| (by.distance(query, row), at)).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        all
    }

    #[test]
    fn neighbours_are_those_of_a_search_in_f64() {
        let device = Device::cpu().unwrap();
        for (rows, columns, queries, k) in [(1, 3, 2, 5), (GALLERY + 3, 5, QUERIES + 2, 7), (3 * GALLERY, 1, 9, 40), (700, 33, 3, 700)] {
            let (gallery, queries) = (numbers(rows, columns, 1), numbers(queries, columns, 2));
            for by in [Metric::L2, Metric::Cosine] {
                let found = Neighbours::of(&device, &gallery, &queries, k, by).unwrap();
                assert_eq!((found.k, found.rows.len()), (k.min(rows), k.min(rows) * queries.rows));
                for (i, query) in queries.values.chunks(columns).enumerate() {
                    let want = sorted(&gallery, query, by);
                    let got = found.rows[i * found.k..][..found.k].iter().zip(&found.distances[i * found.k..]);
                    for (at, (row, distance)) in got.enumerate() {
                        // One column has only two angles: which of equals is taken is up to rounding.
                        assert_eq!(*distance, want[at].0, "{rows} {columns} {by} {i} {at}");
                        assert!(*row == want[at].1 || columns == 1, "{rows} {columns} {by} {i} {at}: {row} and not {}", want[at].1);
                    }
                }
            }
        }
    }

    #[cfg(feature = "pca")]
    #[test]
    fn bits_are_signs_and_the_first_of_equals_is_taken() {
        let gallery = Rows::new(2, vec![1.0, 1.0, -1.0, 1.0, 1.0, -1.0, -1.0, -1.0]);
        let found = Neighbours::by_bits(&gallery, &Rows::new(2, vec![0.5, 0.25]), 3, 2).unwrap();
        assert_eq!((found.rows, found.distances), (vec![0, 1, 2], vec![0.0, 1.0, 1.0]));
        let wide = numbers(50, 70, 3);
        let found = Neighbours::by_bits(&wide, &wide, 1, 70).unwrap();
        assert_eq!(found.rows, (0..50).collect::<Vec<_>>());
        assert!(Neighbours::by_bits(&wide, &wide, 1, 71).is_err() && Neighbours::by_bits(&wide, &wide, 1, 0).is_err());
        assert_eq!(Neighbours::by_bits(&wide, &wide, 1, 5).unwrap().k, 1);
    }

    #[test]
    fn hits_are_counted_as_worked_out_by_hand() {
        let found = Neighbours { k: 4, rows: vec![0, 1, 2, 3, 3, 2, 1, 0], distances: vec![0.0; 8] };
        // Hits at the first and third place: (1 + 2/3) / 2. Of the other query at the last: 1/4.
        let hits = found.hits(&[5, 6, 5, 7], &[5, 5]).unwrap();
        assert_eq!(hits.precision, 0.5);
        let second = (1.0 / 2.0 + 2.0 / 4.0) / 2.0;
        assert!((hits.mean_average_precision - ((1.0 + 2.0 / 3.0) / 2.0 + second) / 2.0).abs() < 1e-15, "{hits:?}");
        assert_eq!(found.hits(&[9; 4], &[1, 2]).unwrap(), Hits { precision: 0.0, mean_average_precision: 0.0 });
        assert_eq!(found.hits(&["a", "b", "a", "c"], &["a", "a"]).unwrap(), hits);
        assert!(found.hits(&[5, 6, 5], &[5, 5]).is_err() && found.hits(&[5, 6, 5, 7], &[5]).is_err());
    }

    #[test]
    fn what_has_no_neighbours_is_refused() {
        let (device, rows) = (Device::cpu().unwrap(), numbers(3, 2, 0));
        let refused = |gallery: &Rows, queries: &Rows, k| Neighbours::of(&device, gallery, queries, k, Metric::L2).unwrap_err().to_string();
        assert!(refused(&rows, &rows, 0).contains("k: it is 0"));
        assert!(refused(&Rows::new(2, vec![]), &rows, 1).contains("it has no rows"));
        assert!(refused(&rows, &numbers(1, 3, 0), 1).contains("its rows have 2 columns and the queries 3"));
        assert!(refused(&rows, &Rows::new(2, vec![0.0, f32::NAN]), 1).contains("row 0 has a NaN"));
        assert!(Neighbours::of(&device, &rows, &Rows::new(2, vec![]), 1, Metric::L2).unwrap().rows.is_empty());
    }
}
