//! The rows of a gallery that are nearest to others, by their codes.

#[cfg(feature = "pca")]
use super::Pca;
use super::search::{Metric, Search};
#[cfg(feature = "pca")]
use super::search::{check_k, check_rows, check_some};
#[cfg(feature = "pca")]
use crate::data::Dataset;
use crate::data::Rows;
use crate::{Device, Error, Result};
#[cfg(feature = "pca")]
use rayon::prelude::*;

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
    /// The nearest rows of `gallery` for each row of `queries`, exactly: a product of the two and a choice of its
    /// largest on the device. [`Search`] takes a gallery in parts.
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
    /// When the rows have different numbers of columns, a number is not finite or above 1e15, `k` is 0, the gallery is
    /// empty, or the device fails.
    pub fn of(device: &Device, gallery: &Rows, queries: &Rows, k: usize, by: Metric) -> Result<Neighbours> {
        let mut search = Search::new(device, queries, k, by)?;
        search.add(gallery)?;
        search.finish()
    }

    /// Checks that codes of `columns` numbers give `bits` bits, as [`Neighbours::by_bits`] needs.
    ///
    /// # Errors
    /// When `bits` is 0 or more than there are columns.
    #[cfg(feature = "pca")]
    pub fn check_bits(bits: usize, columns: usize) -> Result<()> {
        if bits == 0 || bits > columns {
            return Err(Error::argument("bits", format!("{bits} of codes of {columns} numbers"), format!("Use 1 to {columns}.")));
        }
        Ok(())
    }

    /// The nearest rows by the Hamming distance of `bits` bits: the signs of as many principal components of the
    /// gallery, which are uncorrelated, where there are fewer bits than columns; else of the columns less their mean.
    ///
    /// # Errors
    /// As [`Neighbours::of`]; or `bits` is 0 or more than there are columns.
    #[cfg(feature = "pca")]
    pub fn by_bits(gallery: &Rows, queries: &Rows, k: usize, bits: usize) -> Result<Neighbours> {
        let columns = gallery.columns;
        check_k(k)?;
        check_rows("gallery", gallery, queries.columns, 0)?;
        check_rows("queries", queries, columns, 0)?;
        check_some(gallery.rows)?;
        let k = k.min(gallery.rows);
        Neighbours::check_bits(bits, columns)?;
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
        Ok(mean(
            self.rows.chunks(self.k).zip(queries).map(|(rows, label)| rows.iter().map(|&row| gallery[row as usize] == *label).collect()),
        ))
    }

    /// The same for queries that are rows of the gallery, by their numbers there: each is left out of its own
    /// neighbours, or the last of them where it is not listed. One neighbour fewer than were asked for counts.
    ///
    /// # Errors
    /// As [`Neighbours::hits`]; or there is one neighbour of each.
    pub fn hits_of_others<L: PartialEq>(&self, gallery: &[L], queries: &[u32]) -> Result<Hits> {
        let fits = self.rows.len() == queries.len() * self.k && self.rows.iter().chain(queries).all(|&row| (row as usize) < gallery.len());
        if !fits || queries.is_empty() || self.k < 2 {
            let problem = format!("{} of each of {} queries, and {} labels of the gallery", self.k, queries.len(), gallery.len());
            return Err(Error::argument("neighbours", problem, "Pass a label for each row, and at least two neighbours of each."));
        }
        Ok(mean(self.rows.chunks(self.k).zip(queries).map(|(rows, &query)| {
            let own = rows.iter().position(|&row| row == query).unwrap_or(rows.len() - 1);
            let others = rows.iter().enumerate().filter(|(at, _)| *at != own);
            others.map(|(_, &row)| gallery[row as usize] == gallery[query as usize]).collect()
        })))
    }
}

/// The means over queries, each of whose neighbours has the label or has it not.
fn mean(queries: impl Iterator<Item = Vec<bool>>) -> Hits {
    let (mut precision, mut average, mut all) = (0.0, 0.0, 0.0);
    for same in queries {
        let (mut hits, mut sum) = (0.0, 0.0);
        for (at, _) in same.iter().enumerate().filter(|(_, same)| **same) {
            hits += 1.0;
            sum += hits / (at + 1) as f64;
        }
        precision += hits / same.len() as f64;
        average += if hits > 0.0 { sum / hits } else { 0.0 };
        all += 1.0;
    }
    Hits { precision: precision / all, mean_average_precision: average / all }
}

/// The other rows that are nearest to a row, with their distances.
pub(super) type Others<'a> = Box<dyn Iterator<Item = (u32, f64)> + 'a>;

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
    #[cfg(feature = "pca")]
    use crate::rng::Rng;

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
        // Rows 0 and 1 of [5, 6, 5, 7] without themselves: the second of three, and none.
        let others = found.hits_of_others(&[5, 6, 5, 7], &[0, 1]).unwrap();
        assert!((others.precision - 1.0 / 6.0).abs() < 1e-15 && others.mean_average_precision == 0.25, "{others:?}");
        assert!(found.hits_of_others(&[5, 6, 5, 7], &[0, 4]).is_err() && found.hits_of_others(&[5, 6, 5, 7], &[0]).is_err());
        assert!(found.hits(&[5, 6, 5], &[5, 5]).is_err() && found.hits(&[5, 6, 5, 7], &[5]).is_err());
    }

    #[cfg(feature = "pca")]
    #[test]
    fn bits_are_signs_and_the_first_of_equals_is_taken() {
        let gallery = Rows::new(2, vec![1.0, 1.0, -1.0, 1.0, 1.0, -1.0, -1.0, -1.0]);
        let found = Neighbours::by_bits(&gallery, &Rows::new(2, vec![0.5, 0.25]), 3, 2).unwrap();
        assert_eq!((found.rows, found.distances), (vec![0, 1, 2], vec![0.0, 1.0, 1.0]));
        let mut rng = Rng::new(3, 0);
        let wide = Rows::new(70, (0..50 * 70).map(|_| rng.uniform()).collect());
        let found = Neighbours::by_bits(&wide, &wide, 1, 70).unwrap();
        assert_eq!(found.rows, (0..50).collect::<Vec<_>>());
        assert!(Neighbours::by_bits(&wide, &wide, 1, 71).is_err() && Neighbours::by_bits(&wide, &wide, 1, 0).is_err());
        assert_eq!(Neighbours::by_bits(&wide, &wide, 1, 5).unwrap().k, 1);
    }
}
