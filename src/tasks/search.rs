//! The search for the rows of a gallery that are nearest to others: products and a choice on the device, of which the
//! host measures the candidates.

use super::Neighbours;
use super::scan::{Found, GALLERY, Scan};
use crate::data::Rows;
use crate::spelling::spelled;
use crate::{Device, Error, Result};
use rayon::prelude::*;

/// Candidates that are kept beyond those that are asked for, because products round: their distances are computed again
/// in f64, and the nearest of these are taken.
const SPARE: usize = 16;
/// Rows of the gallery that are compared at once, and the most of their numbers, as long as they fill a product.
const ROWS: usize = 1 << 14;
const NUMBERS: usize = 1 << 22;
/// Numbers of codes are at most this large, so that products of 2^24 of them are finite.
const LARGEST: f32 = 1e15;

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

/// A search in a gallery that comes in parts, one of which is in memory at a time: of any number of rows, up to 2^32.
///
/// ```no_run
/// use narrows::{Autoencoder, Device, data::Options, tasks::{Metric, Search}};
/// let ae = Autoencoder::load(&Device::cpu()?, "model.safetensors")?;
/// let asked = ae.encode(&Options::default().read("questions.csv")?)?;
/// let mut search = Search::new(ae.device(), &asked, 10, Metric::L2)?;
/// for codes in ae.encode_stream(Options::default().stream("gallery.csv")?)? {
///     search.add(&codes?)?;
/// }
/// println!("{:?}", search.finish()?.rows);
/// # Ok::<(), narrows::Error>(())
/// ```
pub struct Search<'a> {
    queries: &'a Rows,
    k: usize,
    by: Metric,
    scan: Scan<'a>,
    /// The first rows that are compared decide what is taken from all codes.
    prepared: Option<Prepared>,
    /// The candidates of each query, in the order in which they came.
    best: Vec<Vec<Candidate>>,
    /// Rows of the gallery that were compared, and the numbers of those that wait until they are `enough`: a stream
    /// comes in parts that are too small to be worth a run of the device.
    compared: usize,
    waiting: Vec<f32>,
    enough: usize,
}

/// What the products are made of besides the gallery.
struct Prepared {
    shift: Vec<f64>,
    asked: Vec<f32>,
}

impl<'a> Search<'a> {
    /// A search for the `k` rows that are nearest to each row of `queries`.
    ///
    /// # Errors
    /// When `k` is 0, or a number is not finite or above 1e15.
    pub fn new(device: &'a Device, queries: &'a Rows, k: usize, by: Metric) -> Result<Search<'a>> {
        check_k(k)?;
        check_rows("queries", queries, queries.columns, 0)?;
        let (scan, best) = (Scan::new(device, queries.columns), vec![Vec::new(); queries.rows]);
        let enough = (NUMBERS / queries.columns.max(1)).clamp(GALLERY, ROWS);
        Ok(Search { queries, k, by, scan, prepared: None, best, compared: 0, waiting: Vec::new(), enough })
    }

    /// Takes the next rows of the gallery. They are compared once there are enough for the device.
    ///
    /// # Errors
    /// When they have another number of columns than the queries, a number is not finite or above 1e15, they are the
    /// 2^32nd or later, or the device fails.
    pub fn add(&mut self, part: &Rows) -> Result<()> {
        let columns = self.queries.columns;
        check_rows("gallery", part, columns, self.rows())?;
        if u32::try_from(self.rows() + part.rows).is_err() {
            return Err(Error::argument("gallery", "it has 2^32 rows or more", "Search it in two parts."));
        }
        let (enough, mut left) = (self.enough * columns, &part.values[..]);
        while !left.is_empty() {
            // What comes at once is compared where it lies.
            let (now, later) = left.split_at(left.len().min(enough - self.waiting.len()));
            match (self.waiting.is_empty(), self.waiting.len() + now.len() == enough) {
                (true, true) => self.compare(now)?,
                (false, true) => {
                    self.waiting.extend(now);
                    self.compare_waiting()?;
                }
                (_, false) => self.waiting.extend(now),
            }
            left = later;
        }
        Ok(())
    }

    /// The rows that were added.
    fn rows(&self) -> usize {
        self.compared + self.waiting.len() / self.queries.columns.max(1)
    }

    fn compare_waiting(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        self.compare(&waiting)
    }

    /// Compares some rows, at least one.
    fn compare(&mut self, rows: &[f32]) -> Result<()> {
        let (queries, by, columns, first) = (self.queries, self.by, self.queries.columns, self.compared);
        let Prepared { shift, asked } = self.prepared.get_or_insert_with(|| {
            let shift = by.shift(rows, columns);
            Prepared { asked: by.prepared(&queries.values, &shift), shift }
        });
        let near = by.prepared(rows, shift);
        let offsets = by.offsets(&near, columns);
        let all = first + offsets.len();
        let k = self.k.saturating_add(SPARE).min(all.next_power_of_two());
        let known: Vec<Vec<f32>> = self.best.iter().map(|best| best.iter().map(|candidate| candidate.score).collect()).collect();
        let found = self.scan.run(asked, &near, &offsets, k, &known)?;
        let each = self.best.par_iter_mut().zip(found).zip(queries.values.par_chunks(columns));
        each.for_each(|((best, found), query)| {
            let of = |(score, found)| match found {
                Found::Before(at) => best[at],
                Found::Row(row) => {
                    let distance = by.distance(query, &rows[row * columns..][..columns]);
                    Candidate { score, row: (first + row) as u32, distance }
                }
            };
            *best = found.into_iter().map(of).collect();
        });
        self.compared = all;
        Ok(())
    }

    /// What was found.
    ///
    /// # Errors
    /// When the gallery had no rows, or the device fails.
    pub fn finish(mut self) -> Result<Neighbours> {
        check_some(self.rows())?;
        if !self.waiting.is_empty() {
            self.compare_waiting()?;
        }
        let k = self.k.min(self.compared);
        let nearest = |mut all: Vec<Candidate>| {
            all.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.row.cmp(&b.row)));
            all.into_iter().take(k).map(|candidate| (candidate.distance, candidate.row)).collect()
        };
        let found: Vec<Vec<(f64, u32)>> = self.best.into_par_iter().map(nearest).collect();
        let (distances, rows) = found.into_iter().flatten().unzip();
        Ok(Neighbours { k, rows, distances })
    }
}

pub(super) fn check_k(k: usize) -> Result<()> {
    match k {
        0 => Err(Error::argument("k", "it is 0", "Use at least 1.")),
        _ => Ok(()),
    }
}

pub(super) fn check_some(rows: usize) -> Result<()> {
    match rows {
        0 => Err(Error::argument("gallery", "it has no rows", "Pass at least one.")),
        _ => Ok(()),
    }
}

/// Refuses rows that are no codes of `columns` finite numbers; the first of them is row `first`.
pub(super) fn check_rows(name: &str, rows: &Rows, columns: usize, first: usize) -> Result<()> {
    if rows.columns != columns {
        let problem = format!("its rows have {} columns and the queries {columns}", rows.columns);
        return Err(Error::argument(name, problem, "Encode both by the same network."));
    }
    match rows.values.par_iter().position_first(|x| x.is_nan() || x.abs() > LARGEST) {
        Some(at) => {
            let problem = format!("row {} has a {}", first + at / columns, rows.values[at]);
            Err(Error::argument(name, problem, "Pass numbers of at most 1e15."))
        }
        None => Ok(()),
    }
}

impl Metric {
    /// What is taken from all codes before their products: distances do not change where it is the same for all, and
    /// with smaller numbers the products round less. The mean of these rows, or nothing.
    pub(super) fn shift(self, rows: &[f32], columns: usize) -> Vec<f64> {
        let (mut mean, count) = (vec![0.0; columns], (rows.len() / columns) as f64);
        if self == Metric::L2 {
            for row in rows.chunks(columns) {
                mean.iter_mut().zip(row).for_each(|(mean, &x)| *mean += f64::from(x) / count);
            }
        }
        mean
    }

    /// A side of the product: codes less `shift`, of as many numbers. A cosine is a product of codes of length 1.
    pub(super) fn prepared(self, rows: &[f32], shift: &[f64]) -> Vec<f32> {
        let each = rows.par_chunks(shift.len());
        match self {
            Metric::L2 => each.flat_map_iter(|row| row.iter().zip(shift).map(|(&x, shift)| (f64::from(x) - shift) as f32)).collect(),
            Metric::Cosine => each
                .map(|row| (row, norm(row)))
                .flat_map_iter(|(row, norm)| row.iter().map(move |&x| if norm > 0.0 { (f64::from(x) / norm) as f32 } else { 0.0 }))
                .collect(),
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
                // Of equal codes it may round to less than nothing.
                norms => (1.0 - pairs().map(|(a, b)| a * b).sum::<f64>() / norms).max(0.0),
            },
        }
    }
}

fn norm(row: &[f32]) -> f64 {
    row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt()
}

/// A row of the gallery that may be among the nearest.
#[derive(Clone, Copy)]
struct Candidate {
    score: f32,
    row: u32,
    distance: f64,
}

#[cfg(test)]
mod tests {
    use super::super::scan::QUERIES;
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

    #[test]
    fn a_gallery_in_parts_gives_what_it_gives_whole() {
        let device = Device::cpu().unwrap();
        let (gallery, queries) = (numbers(3 * GALLERY + 100, 5, 3), numbers(QUERIES + 1, 5, 4));
        for by in [Metric::L2, Metric::Cosine] {
            let whole = Neighbours::of(&device, &gallery, &queries, 9, by).unwrap();
            // Parts of one row, of less and of more than a product takes, and without any.
            let parts: [&[usize]; 3] = [&[1, 0, 700, 935], &[GALLERY, 2 * GALLERY, 100], &[7, 1629]];
            // Compared a few at a time, in several runs of many, and all at once.
            for (sizes, enough) in
                [(0, 3), (0, 1 << 20), (1, GALLERY), (1, 700), (2, GALLERY), (2, 700)].map(|(n, enough)| (parts[n], enough))
            {
                let mut search = Search { enough, ..Search::new(&device, &queries, 9, by).unwrap() };
                let mut at = 0;
                for size in sizes {
                    search.add(&Rows::new(5, gallery.values[5 * at..5 * (at + size)].to_vec())).unwrap();
                    at += size;
                    assert_eq!((search.rows(), search.waiting.len() < 5 * enough), (at, true));
                }
                assert_eq!((at, search.finish().unwrap()), (gallery.rows, whole.clone()), "{by} {sizes:?} {enough}");
            }
        }
    }

    #[test]
    fn no_cosine_distance_is_below_zero() {
        let codes = numbers(200, 7, 5);
        let of = |row: &[f32]| Metric::Cosine.distance(row, &row.iter().map(|x| 3.0 * x).collect::<Vec<_>>());
        assert!(codes.values.chunks(7).all(|row| (0.0..1e-6).contains(&of(row))));
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
