//! The search for the rows of a gallery that are nearest to others: products on the device, from which the host
//! chooses.

use super::Neighbours;
use super::products::Products;
use crate::data::Rows;
use crate::spelling::spelled;
use crate::{Device, Error, Result};
use rayon::prelude::*;
use std::cmp::{Ordering, Reverse};
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
    products: Products<'a>,
    /// The first part decides what is taken from all codes.
    prepared: Option<Prepared>,
    best: Vec<Best>,
    rows: usize,
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
    /// When `k` is 0 or a number is not finite.
    pub fn new(device: &'a Device, queries: &'a Rows, k: usize, by: Metric) -> Result<Search<'a>> {
        check_k(k)?;
        check_rows("queries", queries, queries.columns, 0)?;
        let best = (0..queries.rows).map(|_| Best { most: k.saturating_add(SPARE), heap: BinaryHeap::new() }).collect();
        Ok(Search { queries, k, by, products: Products::new(device, queries.columns), prepared: None, best, rows: 0 })
    }

    /// Compares the next rows of the gallery.
    ///
    /// # Errors
    /// When they have another number of columns than the queries, a number is not finite, they are the 2^32nd or later,
    /// or the device fails.
    pub fn add(&mut self, part: &Rows) -> Result<()> {
        let (columns, by, first) = (self.queries.columns, self.by, self.rows);
        check_rows("gallery", part, columns, first)?;
        if part.rows == 0 {
            return Ok(());
        }
        if u32::try_from(first + part.rows).is_err() {
            return Err(Error::argument("gallery", "it has 2^32 rows or more", "Search it in two parts."));
        }
        let queries = self.queries;
        let Prepared { shift, asked } = self.prepared.get_or_insert_with(|| {
            let shift = by.shift(part);
            Prepared { asked: by.prepared(queries, &shift), shift }
        });
        let near = by.prepared(part, shift);
        let offsets = by.offsets(&near, columns);
        for (q, best) in asked.chunks(QUERIES * columns).zip(self.best.chunks_mut(QUERIES)) {
            for (at, (g, offsets)) in near.chunks(GALLERY * columns).zip(offsets.chunks(GALLERY)).enumerate() {
                let rows = offsets.len();
                let scores = self.products.run(q, g, offsets)?;
                let begin = (first + at * GALLERY) as u32;
                best.par_iter_mut().zip(scores.par_chunks(rows)).for_each(|(best, scores)| best.take(scores, begin));
            }
        }
        let row = |at: u32| &part.values[(at as usize - first) * columns..][..columns];
        let each = self.best.par_iter_mut().zip(queries.values.par_chunks(columns));
        each.for_each(|(best, query)| best.measure(|at| by.distance(query, row(at))));
        self.rows += part.rows;
        Ok(())
    }

    /// What was found.
    ///
    /// # Errors
    /// When the gallery had no rows.
    pub fn finish(self) -> Result<Neighbours> {
        check_some(self.rows)?;
        let k = self.k.min(self.rows);
        let found: Vec<Vec<(f64, u32)>> = self.best.into_par_iter().map(|best| best.nearest(k)).collect();
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
    match rows.values.par_iter().position_first(|x| !x.is_finite()) {
        Some(at) => {
            let problem = format!("row {} has a {}", first + at / columns, rows.values[at]);
            Err(Error::argument(name, problem, "Pass finite numbers."))
        }
        None => Ok(()),
    }
}

impl Metric {
    /// What is taken from all codes before their products: distances do not change where it is the same for all, and
    /// with smaller numbers the products round less. The mean of these rows, or nothing.
    pub(super) fn shift(self, rows: &Rows) -> Vec<f64> {
        let mut mean = vec![0.0; rows.columns];
        if self == Metric::L2 {
            for row in rows.values.chunks(rows.columns) {
                mean.iter_mut().zip(row).for_each(|(mean, &x)| *mean += f64::from(x) / rows.rows as f64);
            }
        }
        mean
    }

    /// A side of the product: codes less `shift`. A cosine is a product of codes of length 1.
    pub(super) fn prepared(self, rows: &Rows, shift: &[f64]) -> Vec<f32> {
        let each = rows.values.par_chunks(rows.columns);
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
                norms => 1.0 - pairs().map(|(a, b)| a * b).sum::<f64>() / norms,
            },
        }
    }
}

fn norm(row: &[f32]) -> f64 {
    row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt()
}

/// A row of the gallery by its score.
struct Scored {
    score: f32,
    row: u32,
    /// Its distance, once it is known.
    distance: Option<f64>,
}

impl PartialEq for Scored {
    fn eq(&self, other: &Scored) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Scored {}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Scored) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scored {
    fn cmp(&self, other: &Scored) -> Ordering {
        self.score.total_cmp(&other.score).then(other.row.cmp(&self.row))
    }
}

/// The candidates of a query, the least likely of them on top.
struct Best {
    most: usize,
    heap: BinaryHeap<Reverse<Scored>>,
}

impl Best {
    /// Takes the scores of the rows from `first` on that are above the least that counts.
    fn take(&mut self, scores: &[f32], first: u32) {
        let mut least = self.least();
        for (at, scores) in scores.chunks(LANES).enumerate() {
            if !scores.iter().fold(false, |any, &score| any | (score > least)) {
                continue;
            }
            for (i, &score) in scores.iter().enumerate() {
                if score > least {
                    self.heap.push(Reverse(Scored { score, row: first + (at * LANES + i) as u32, distance: None }));
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
            Some(Reverse(least)) if self.heap.len() == self.most => least.score,
            _ => f32::NEG_INFINITY,
        }
    }

    /// Computes the distances that are not known yet.
    fn measure(&mut self, distance: impl Fn(u32) -> f64) {
        if self.heap.iter().all(|Reverse(scored)| scored.distance.is_some()) {
            return;
        }
        let mut all = std::mem::take(&mut self.heap).into_vec();
        all.iter_mut().for_each(|Reverse(scored)| scored.distance = scored.distance.or_else(|| Some(distance(scored.row))));
        self.heap = all.into();
    }

    /// The nearest k of the candidates, with their distances.
    fn nearest(self, k: usize) -> Vec<(f64, u32)> {
        let mut all: Vec<(f64, u32)> = self.heap.into_iter().filter_map(|Reverse(scored)| Some((scored.distance?, scored.row))).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        all.truncate(k);
        all
    }
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

    #[test]
    fn a_gallery_in_parts_gives_what_it_gives_whole() {
        let device = Device::cpu().unwrap();
        let (gallery, queries) = (numbers(3 * GALLERY + 100, 5, 3), numbers(QUERIES + 1, 5, 4));
        for by in [Metric::L2, Metric::Cosine] {
            let whole = Neighbours::of(&device, &gallery, &queries, 9, by).unwrap();
            // Parts of one row, of less and of more than a product takes, and without any.
            for sizes in [&[1, 0, 700, 935][..], &[GALLERY, 2 * GALLERY, 100], &[7, 1629]] {
                let mut search = Search::new(&device, &queries, 9, by).unwrap();
                let mut at = 0;
                for size in sizes {
                    search.add(&Rows::new(5, gallery.values[5 * at..5 * (at + size)].to_vec())).unwrap();
                    at += size;
                }
                assert_eq!((at, search.finish().unwrap()), (gallery.rows, whole.clone()), "{by} {sizes:?}");
            }
        }
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
