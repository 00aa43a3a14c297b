//! Principal components: the best linear code there is (Pearson 1901), and so the yardstick for every autoencoder.

use crate::data::Rows;
use crate::data::{Dataset, Values};
use crate::{Error, Result};
use nalgebra::{DMatrix, SymmetricEigen};
use rayon::prelude::*;

/// Rows summed at a time: they stay in a core's cache.
const BLOCK: usize = 256;
/// Rows projected at a time.
const CHUNK: usize = 1024;
/// Sweeps per eigenvalue; 2 is usual.
const MOST_SWEEPS: usize = 60;

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
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    mean: Vec<f64>,
    variances: Vec<f64>,
    /// A component per column.
    components: DMatrix<f64>,
}

impl Pca {
    /// The most columns that [`Pca::fit`] takes of as many rows or more: its time grows with their cube, its memory
    /// with their square. Of fewer rows it takes more columns, to the same memory.
    pub const MOST_COLUMNS: usize = 4096;

    /// The seconds that [`Pca::fit`] may take on two cores of 2020 where PCA is only there to compare with.
    pub const MOST_SECONDS: f64 = 20.0;

    /// About how many seconds [`Pca::fit`] takes on two cores of 2020 (docs/experiments.md): products grow with rows
    /// times columns times the smaller of the two, and the eigenvalues with the cube of that.
    pub fn seconds(rows: usize, columns: usize) -> f64 {
        let (rows, columns) = (rows as f64, columns as f64);
        let least = rows.min(columns);
        1e-10 * rows * columns * least + 2e-9 * least.powi(3)
    }

    /// All components of `data`: as many as it has columns, or as its rows span if these are fewer. 60,000 rows of 784
    /// columns take about two seconds on two cores. The result does not depend on the number of threads; it may differ
    /// in its last bits between processors. The sums over bytes are exact.
    ///
    /// # Errors
    /// No rows, or too many rows and columns: see [`Pca::MOST_COLUMNS`].
    pub fn fit(data: &Dataset) -> Result<Pca> {
        let (rows, columns) = (data.len(), data.columns());
        if data.is_empty() {
            return Err(Error::data(data.name(), "principal components of no rows", "Pass at least one row."));
        }
        if rows.min(columns).saturating_mul(columns) > Pca::MOST_COLUMNS.pow(2) {
            let problem = format!("{rows} rows of {columns} columns have too many principal components");
            let remedy = format!("Use at most {} columns, or fewer rows: make images smaller.", Pca::MOST_COLUMNS);
            return Err(Error::data(data.name(), problem, remedy));
        }
        let found = if rows < columns { of_rows(data) } else { of_covariance(data) };
        let Some(mut pca) = found else {
            return Err(Error::data(data.name(), "its principal components are not found", "Scale the columns to about 1."));
        };
        for mut component in pca.components.column_iter_mut() {
            if component[component.iamax()] < 0.0 {
                component.neg_mut();
            }
        }
        Ok(pca)
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
        let all = self.components.ncols();
        if i >= all {
            return Err(Error::argument(
                "component",
                format!("{i} (counted from 0) is asked for, and there are {all}"),
                "Ask for another.",
            ));
        }
        let d = self.mean.len();
        Ok(&self.components.as_slice()[i * d..(i + 1) * d])
    }

    /// The first `k` coordinates of each row. Beyond the components that there are, coordinates are 0.
    ///
    /// # Errors
    /// When `k` or the rows do not fit.
    pub fn encode(&self, data: &Dataset, k: usize) -> Result<Rows> {
        let (codes, _) = self.project(data, k)?;
        Ok(Rows::new(k, codes.into_iter().map(|c| c as f32).collect()))
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

    /// The first `k` coordinates of all rows, and the sum of the squares of all rows less the mean.
    fn project(&self, data: &Dataset, k: usize) -> Result<(Vec<f64>, f64)> {
        let d = self.mean.len();
        if k > d {
            return Err(Error::argument("components", format!("{k} are asked for, but rows of {d} columns have {d}"), "Ask for fewer."));
        }
        if data.columns() != d {
            let problem = format!("its rows have {} columns where {d} are needed", data.columns());
            return Err(Error::data(data.name(), problem, "Use rows like those that the components were fitted to."));
        }
        let components = self.components.columns(0, k.min(self.components.ncols())).transpose();
        let (mut codes, mut total) = (Vec::with_capacity(data.len() * k), 0.0);
        for start in (0..data.len()).step_by(CHUNK) {
            let rows = centred(data.rows_f64(start..start + CHUNK), &self.mean);
            total += rows.norm_squared();
            codes.extend_from_slice((&components * rows).resize_vertically(k, 0.0).as_slice());
        }
        Ok((codes, total))
    }
}

/// The rows less their mean, a row in each column of the matrix.
fn centred(rows: Vec<f64>, mean: &[f64]) -> DMatrix<f64> {
    let less_mean = rows.iter().zip(mean.iter().cycle()).map(|(x, m)| x - m);
    DMatrix::from_iterator(mean.len(), rows.len() / mean.len(), less_mean)
}

/// From the products of the rows with each other, which are fewer than those of the columns.
fn of_rows(data: &Dataset) -> Option<Pca> {
    let (n, d) = (data.len(), data.columns());
    let values = data.rows_f64(0..n);
    let mean: Vec<f64> = (0..d).map(|j| values.iter().skip(j).step_by(d).sum::<f64>() / n as f64).collect();
    let rows = centred(values, &mean);
    let (mut variances, vectors) = eigen(rows.transpose() * &rows / n as f64)?;
    // What is left for the others is rounding.
    let least = variances[0] * n as f64 * f64::EPSILON;
    variances.retain(|&v| v > least);
    let components = (rows * vectors.columns(0, variances.len())).qr().q();
    Some(Pca { mean, variances, components })
}

fn of_covariance(data: &Dataset) -> Option<Pca> {
    let (mean, covariance) = moments(data);
    let (variances, components) = eigen(DMatrix::from_vec(mean.len(), mean.len(), covariance))?;
    Some(Pca { mean, variances, components })
}

/// The eigenvalues of a matrix that has none below 0, in descending order, and their vectors.
fn eigen(mut matrix: DMatrix<f64>) -> Option<(Vec<f64>, DMatrix<f64>)> {
    // Where rows span little, most of the matrix becomes smaller with each step of the solver, until squares vanish and
    // 0 / 0 is NaN. A shift of all eigenvalues by far less than the largest keeps it away from 0.
    let shift = matrix.trace() * 2f64.powi(-40);
    (0..matrix.nrows()).for_each(|i| matrix[(i, i)] += shift);
    let sweeps = MOST_SWEEPS * matrix.nrows();
    let found = SymmetricEigen::try_new(matrix, f64::EPSILON, sweeps)?;
    let values = found.eigenvalues;
    if values.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[j].total_cmp(&values[i]));
    Some((order.iter().map(|&i| (values[i] - shift).max(0.0)).collect(), found.eigenvectors.select_columns(&order)))
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
    use crate::rng::Rng;

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
        let wide = Dataset::from_bytes("wide", vec![0; 4097 * 4097], &[4097]).unwrap();
        let huge = Dataset::from_rows("huge", vec![3e38, -3e38, 1.0, 2.0], &[2]).unwrap();
        for (error, said) in [
            (pca.errors(&few, &[3]).unwrap_err(), "3 are asked for, but rows of 2 columns have 2"),
            (pca.component(2).unwrap_err(), "2 (counted from 0) is asked for, and there are 2"),
            (pca.encode(&wide, 1).unwrap_err(), "4097 columns where 2 are needed"),
            (Pca::fit(&wide).unwrap_err(), "4097 rows of 4097 columns have too many principal components"),
            (Pca::fit(&few.head(0)).unwrap_err(), "no rows"),
            (pca.errors(&few.head(0), &[1]).unwrap_err(), "a mean over no rows"),
        ] {
            assert!(error.to_string().contains(said), "{error}");
        }
        // Squares of f32 fit into f64.
        assert!(Pca::fit(&huge).unwrap().variances()[0].is_finite());
    }

    /// What rows are called, and their values by row and column.
    type Kind<'a> = (&'a str, &'a dyn Fn(usize, usize) -> f32);

    /// Rows that span little: fewer than the columns, constant and empty columns, of rank 2, over and over the same,
    /// all the same; each on three scales.
    #[test]
    fn rows_of_any_rank_have_orthonormal_components_that_leave_the_other_variances() {
        for (rows, columns) in [(1, 7), (2, 50), (12, 400), (30, 256), (60, 61), (61, 60), (80, 80), (200, 40)] {
            let mut rng = Rng::at_step(0, 78, (rows * columns) as u32);
            let bytes: Vec<f32> = (0..rows * columns).map(|_| (rng.uniform() * 256.0).floor() / 255.0).collect();
            let at = |i: usize, j: usize| bytes[i * columns + j];
            let kinds: [Kind; 6] = [
                ("bytes", &at),
                ("constant columns", &|i, j| [at(i, j), 0.7, 0.0][j % 3]),
                ("rank 2", &|i, j| at(i, 0) * at(0, j) + at(i, columns - 1) * at(rows - 1, j)),
                ("rows over again", &|i, j| at(i % (rows / 2 + 1), j)),
                ("one row", &|_, j| at(0, j)),
                ("zeros", &|_, _| 0.0),
            ];
            for ((kind, of), scale) in kinds.iter().flat_map(|kind| [1e-30, 1.0, 1e30].map(|scale| (kind, scale))) {
                let values = (0..rows * columns).map(|at| scale * of(at / columns, at % columns)).collect();
                let data = Dataset::from_rows("rows", values, &[columns]).unwrap();
                let pca = Pca::fit(&data).unwrap_or_else(|e| panic!("{kind}, {rows}x{columns}, {scale}: {e}"));
                check(&pca, &data, &format!("{kind}, {rows}x{columns}, {scale}"));
            }
        }
    }

    fn check(pca: &Pca, data: &Dataset, what: &str) {
        let all = pca.variances().len();
        assert!(all <= data.len().min(data.columns()), "{what}: {all}");
        for i in 0..all {
            for j in 0..=i {
                let dot: f64 = pca.component(i).unwrap().iter().zip(pca.component(j).unwrap()).map(|(a, b)| a * b).sum();
                assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-12, "{what}: components {i} and {j} have the product {dot}");
            }
        }
        assert!(pca.variances().windows(2).all(|v| v[0] >= v[1]), "{what}: {:?}", pca.variances());
        let ks = [0, 1.min(all), 2.min(all), all / 2, all];
        let errors = pca.errors(data, &ks).unwrap();
        // That of the mean.
        let rounding = 1e-29 * data.rows_f32(0..data.len()).iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
        for (k, error) in ks.into_iter().zip(&errors) {
            let others: f64 = pca.variances()[k..].iter().sum();
            assert!(
                (error - others).abs() <= 1e-12 * errors[0] + rounding,
                "{what}: {k} components leave {error}, not {others} of {}",
                errors[0]
            );
        }
        if what.starts_with("rank 2") {
            assert!(errors[2] <= 1e-12 * errors[0] + rounding, "{what}: {errors:?}");
        }
    }

    #[test]
    fn threads_change_no_bit() {
        let on = |threads: usize, data: &Dataset| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Pca::fit(data)).unwrap()
        };
        for rows in [100, 900] {
            let floats = digits(0, 0..rows as u32).rows_f32(0..rows);
            let data = Dataset::from_rows("floats", floats, &[784]).unwrap();
            assert!([2, 7].iter().all(|&threads| on(threads, &data) == on(1, &data)), "{rows} rows");
        }
    }
}
