//! Principal components: the best linear code there is (Pearson 1901), and so the yardstick for every autoencoder.

use super::eigen::{self, dot};
use crate::data::{Dataset, Values};
use crate::nn::Rows;
use crate::{Error, Result};
use rayon::prelude::*;

/// Rows summed at a time: they stay in a core's cache.
const BLOCK: usize = 256;
/// Rows projected at a time.
const CHUNK: usize = 1024;

/// The mean and the principal components of a data set, in f64.
///
/// A linear autoencoder with k numbers in its code reaches the error of k components and no less (Baldi and
/// Hornik 1989).
///
/// ```
/// use narrows::{data, tasks::Pca};
/// let digits = data::open("builtin")?;
/// let pca = Pca::fit(&digits.train.head(500))?;
/// let errors = pca.errors(&digits.test.head(100), &[2, 32])?;     // sum over the pixels, mean over the images
/// assert!(errors[1] < errors[0]);
/// # Ok::<(), narrows::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pca {
    mean: Vec<f64>,
    variances: Vec<f64>,
    /// A component per row.
    components: Vec<f64>,
}

impl Pca {
    /// The most columns that [`Pca::fit`] takes: its time grows with their cube, its memory with their square.
    pub const MOST_COLUMNS: usize = 4096;

    /// All components of `data`. 60,000 rows of 784 columns take about two seconds on two cores. The sums over bytes
    /// are exact.
    ///
    /// # Errors
    /// No rows, more than [`Pca::MOST_COLUMNS`] columns, or numbers whose squares are not finite.
    pub fn fit(data: &Dataset) -> Result<Pca> {
        let d = data.columns();
        if data.is_empty() {
            return Err(Error::data(data.name(), "principal components of no rows", "Pass at least one row."));
        }
        if d > Pca::MOST_COLUMNS {
            let problem = format!("its rows have {d} columns, and their covariance needs {} MB", d * d / 125_000);
            return Err(Error::data(data.name(), problem, format!("Use at most {} columns: make images smaller.", Pca::MOST_COLUMNS)));
        }
        let (mean, covariance) = moments(data);
        let found = eigen::symmetric(covariance, d).filter(|e| e.values.iter().all(|v| v.is_finite()));
        let Some(found) = found else {
            return Err(Error::data(data.name(), "the squares of its numbers overflow", "Scale the columns to about 1."));
        };
        Ok(Pca { mean, variances: found.values, components: found.vectors })
    }

    /// The mean of each column.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The variance along each component (divided by the number of rows), in descending order.
    pub fn variances(&self) -> &[f64] {
        &self.variances
    }

    /// The i-th component, a vector of length 1, whose largest element by magnitude is positive.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn component(&self, i: usize) -> Result<&[f64]> {
        let d = self.mean.len();
        self.check(i + 1)?;
        Ok(&self.components[i * d..(i + 1) * d])
    }

    /// The first `k` coordinates of each row.
    ///
    /// # Errors
    /// When `k` or the rows do not fit.
    pub fn encode(&self, data: &Dataset, k: usize) -> Result<Rows> {
        let (values, _) = self.project(data, k)?;
        Ok(Rows::new(k, values.into_iter().map(|v| v as f32).collect()))
    }

    /// For each k of `ks`: the squared error that k components leave, sum over the columns of (x - y)^2, as the mean
    /// over the rows of `data`.
    ///
    /// # Errors
    /// When one of `ks` or the rows do not fit, or there are no rows.
    pub fn errors(&self, data: &Dataset, ks: &[usize]) -> Result<Vec<f64>> {
        let most = ks.iter().copied().max().unwrap_or(0);
        let (codes, total) = self.project(data, most)?;
        if data.is_empty() {
            return Err(Error::data(data.name(), "a mean over no rows", "Pass at least one row."));
        }
        let mut kept = vec![0.0; most];
        for code in codes.chunks_exact(most.max(1)) {
            kept.iter_mut().zip(code).for_each(|(sum, c)| *sum += c * c);
        }
        let left = |k: usize| (total - kept[..k].iter().sum::<f64>()).max(0.0) / data.len() as f64;
        Ok(ks.iter().map(|&k| left(k)).collect())
    }

    fn check(&self, k: usize) -> Result<()> {
        let d = self.mean.len();
        if k > d {
            return Err(Error::argument("components", format!("{k} are asked for, but rows of {d} columns have {d}"), "Ask for fewer."));
        }
        Ok(())
    }

    /// The first `k` coordinates of all rows, and the sum of the squares of all rows less the mean.
    fn project(&self, data: &Dataset, k: usize) -> Result<(Vec<f64>, f64)> {
        let d = self.mean.len();
        self.check(k)?;
        if data.columns() != d {
            let problem = format!("its rows have {} columns where {d} are needed", data.columns());
            return Err(Error::data(data.name(), problem, "Use rows like those that the components were fitted to."));
        }
        let (mut codes, mut total) = (vec![0.0; data.len() * k], 0.0);
        for start in (0..data.len()).step_by(CHUNK) {
            let mut rows = data.rows_f64(start..start + CHUNK);
            rows.chunks_exact_mut(d).for_each(|row| row.iter_mut().zip(&self.mean).for_each(|(x, m)| *x -= m));
            total += rows.iter().map(|x| x * x).sum::<f64>();
            if k > 0 {
                let codes = &mut codes[start * k..(start * k + rows.len() / d * k)];
                codes.par_chunks_mut(k).zip(rows.par_chunks(d)).for_each(|(code, row)| {
                    code.iter_mut().zip(self.components.chunks_exact(d)).for_each(|(c, component)| *c = dot(row, component));
                });
            }
        }
        Ok((codes, total))
    }
}

/// The mean and the covariance (divided by the number of rows).
fn moments(data: &Dataset) -> (Vec<f64>, Vec<f64>) {
    let (d, n) = (data.columns(), data.len() as f64);
    // Bytes are summed as integers, which is exact up to 2^53, and many are 0. Floats are shifted close to their mean
    // first, so that nothing cancels.
    let (shift, unit) = match data.values() {
        Values::Bytes(_) => (vec![0.0; d], 255.0),
        _ => {
            let mut mean = vec![0.0; d];
            (0..data.len()).for_each(|row| mean.iter_mut().zip(data.rows_f64(row..row + 1)).for_each(|(m, x)| *m += x));
            (mean.into_iter().map(|m| m / n).collect(), 1.0)
        }
    };
    let (mut sums, mut products) = (vec![0.0; d], vec![0.0; d * d]);
    for start in (0..data.len()).step_by(BLOCK) {
        let end = data.len().min(start + BLOCK);
        let rows: Vec<f64> = match data.values() {
            Values::Bytes(v) => v[start * d..end * d].iter().map(|&b| f64::from(b)).collect(),
            _ => data.rows_f64(start..end).into_iter().zip(shift.iter().cycle()).map(|(x, s)| x - s).collect(),
        };
        rows.chunks_exact(d).for_each(|row| sums.iter_mut().zip(row).for_each(|(s, x)| *s += x));
        products.par_chunks_mut(d).enumerate().for_each(|(i, products)| {
            let inked: Vec<&[f64]> = rows.chunks_exact(d).map(|row| &row[i..]).filter(|row| row[0] != 0.0).collect();
            add_products(&mut products[i..], &inked);
        });
    }
    for i in 0..d {
        for j in i..d {
            let value = (products[i * d + j] - sums[i] * (sums[j] / n)) / n / (unit * unit);
            products[i * d + j] = value;
            products[j * d + i] = value;
        }
    }
    let mean = sums.iter().zip(&shift).map(|(s, shift)| s / n / unit + shift).collect();
    (mean, products)
}

/// Adds to each sum the products of that column with the first one, four rows at a time.
fn add_products(sums: &mut [f64], rows: &[&[f64]]) {
    let mut fours = rows.chunks_exact(4);
    for four in &mut fours {
        let [a, b, c, e] = [four[0], four[1], four[2], four[3]].map(|row| &row[..sums.len()]);
        for (j, sum) in sums.iter_mut().enumerate() {
            *sum += (a[0] * a[j] + b[0] * b[j]) + (c[0] * c[j] + e[0] * e[j]);
        }
    }
    for row in fours.remainder() {
        sums.iter_mut().zip(*row).for_each(|(sum, x)| *sum += row[0] * x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::digits;

    #[test]
    fn the_moments_are_those_of_the_definition_for_bytes_and_for_floats_far_from_zero() {
        let bytes = digits(0, 0..601);
        let values: Vec<f32> = bytes.rows_f32(0..601).iter().enumerate().map(|(i, x)| x + 1000.0 * (i % 784) as f32).collect();
        let floats = Dataset::from_rows("floats", values, &[784]).unwrap();
        for (data, within) in [(bytes, 1e-15), (floats, 1e-12)] {
            let rows: Vec<f64> = data.rows_f32(0..data.len()).into_iter().map(f64::from).collect();
            let (mean, covariance) = moments(&data);
            let n = data.len() as f64;
            for i in (0..784).step_by(37) {
                let column = |i: usize| rows.iter().skip(i).step_by(784);
                let expected = column(i).sum::<f64>() / n;
                assert!((mean[i] - expected).abs() <= 1e-7 * expected.abs(), "mean {i}");
                for j in (0..784).step_by(41) {
                    let other = column(j).sum::<f64>() / n;
                    let expected = column(i).zip(column(j)).map(|(a, b)| (a - expected) * (b - other)).sum::<f64>() / n;
                    // A byte / 255 is rounded to f32 in `rows`, but not in the sums.
                    assert!((covariance[i * 784 + j] - expected).abs() < 1e-8 + within, "{i}, {j}");
                    assert_eq!(covariance[i * 784 + j], covariance[j * 784 + i]);
                }
            }
        }
    }

    #[test]
    fn what_the_components_leave_of_the_training_rows_is_the_variance_of_the_others() {
        let data = digits(0, 0..900);
        let pca = Pca::fit(&data).unwrap();
        let ks = [0, 1, 2, 17, 100, 784];
        let errors = pca.errors(&data, &ks).unwrap();
        for (&k, error) in ks.iter().zip(&errors) {
            let others: f64 = pca.variances()[k..].iter().sum();
            assert!((error - others).abs() < 1e-6, "k = {k}: {error} for {others}");
        }
        let codes = pca.encode(&data, 2).unwrap();
        let second = codes.values.iter().skip(1).step_by(2).map(|&c| f64::from(c).powi(2)).sum::<f64>() / 900.0;
        assert!((second / pca.variances()[1] - 1.0).abs() < 1e-5);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let few = Dataset::from_rows("few", vec![1.0, 2.0, 3.0, 5.0], &[2]).unwrap();
        let pca = Pca::fit(&few).unwrap();
        let wide = Dataset::from_rows("wide", vec![0.0; 5000], &[5000]).unwrap();
        let huge = Dataset::from_rows("huge", vec![3e38, -3e38, 1.0, 2.0], &[2]).unwrap();
        for (error, said) in [
            (pca.errors(&few, &[3]).unwrap_err(), "3 are asked for, but rows of 2 columns have 2"),
            (pca.encode(&wide, 1).unwrap_err(), "5000 columns where 2 are needed"),
            (Pca::fit(&wide).unwrap_err(), "its rows have 5000 columns"),
            (Pca::fit(&few.head(0)).unwrap_err(), "no rows"),
            (pca.errors(&few.head(0), &[1]).unwrap_err(), "a mean over no rows"),
        ] {
            assert!(error.to_string().contains(said), "{error}");
        }
        // Squares of f32 fit into f64.
        assert!(Pca::fit(&huge).unwrap().variances()[0].is_finite());
    }
}
