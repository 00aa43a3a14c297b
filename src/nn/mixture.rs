//! A Gaussian mixture of codes: from where an autoencoder that is not variational draws new rows.

use crate::data::Rows;
use crate::rng::{Rng, purpose};
use crate::{Error, Result};
use rayon::prelude::*;
use std::f64::consts::PI;

/// Codes that a mixture is fitted to: of more, these many are drawn.
const MOST_ROWS: usize = 10_000;
/// The widest codes: a covariance has the square of it.
const WIDEST: usize = 512;
/// Rounds of expectation and maximisation, and the rise of the mean log likelihood below which they end, in nats.
const MOST_ROUNDS: usize = 100;
const LEAST_RISE: f64 = 1e-3;
/// Rounds of k-means before them.
const MEANS_ROUNDS: usize = 10;
/// What is added to each variance, as a share of the mean variance of the units.
const FLOOR: f64 = 1e-6;
/// Codes whose sums are taken together: always the same, so that the number of threads changes no bit.
const BLOCK: usize = 512;

/// The distribution of codes as a sum of normal ones, each with its own full covariance: fitted by expectation and
/// maximisation (Dempster et al. 1977), from the centres of k-means. Rows of codes drawn from it are those of a
/// deterministic autoencoder as a generative model (Ghosh et al. 2020, "From variational to deterministic
/// autoencoders").
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "files", derive(serde::Serialize, serde::Deserialize), serde(try_from = "Parts"))]
pub struct Mixture {
    /// The share of each part: they sum to 1.
    weights: Vec<f64>,
    /// The mean of each part, one after the other.
    means: Vec<f64>,
    /// The lower Cholesky factor of each part's covariance: its rows up to the diagonal, one after the other.
    factors: Vec<f64>,
}

/// A mixture as a file holds it, not yet checked.
#[cfg(feature = "files")]
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    weights: Vec<f64>,
    means: Vec<f64>,
    factors: Vec<f64>,
}

#[cfg(feature = "files")]
impl TryFrom<Parts> for Mixture {
    type Error = Error;

    fn try_from(Parts { weights, means, factors }: Parts) -> Result<Mixture> {
        let (parts, units) = (weights.len(), means.len() / weights.len().max(1));
        let fits = parts > 0 && units > 0 && means.len() == parts * units && factors.len() == parts * triangle(units);
        let finite = [&weights, &means, &factors].iter().all(|all| all.iter().all(|v| v.is_finite()));
        let sum = weights.iter().sum::<f64>();
        if !fits || !finite || weights.iter().any(|&w| w < 0.0) || (sum - 1.0).abs() > 1e-6 {
            return Err(Error::argument("mixture", "its numbers are not those of a mixture", "Fit it again."));
        }
        Ok(Mixture { weights, means, factors })
    }
}

/// The numbers of a triangular matrix.
fn triangle(units: usize) -> usize {
    units * (units + 1) / 2
}

impl Mixture {
    /// Fits `parts` normal distributions to codes. Of more than 10,000 codes 10,000 are drawn by the seed.
    ///
    /// ```
    /// use narrows::{data::Rows, nn::Mixture};
    /// let codes = Rows::new(1, vec![0.0, 0.1, 5.0, 5.1, 0.05, 5.05]);
    /// let mixture = Mixture::fit(&codes, 2, 0)?;
    /// assert!((mixture.weights()[0] - 0.5).abs() < 1e-6);
    /// assert_eq!(mixture.codes(3, 1).rows, 3);
    /// # Ok::<(), narrows::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there are no parts, fewer codes than parts, codes of more than 512 units, or a number is not finite.
    pub fn fit(codes: &Rows, parts: usize, seed: u64) -> Result<Mixture> {
        let units = codes.columns;
        let refuse = |problem: String, remedy: &str| Err(Error::argument("mixture", problem, remedy));
        if parts == 0 {
            return refuse("it has no parts".into(), "Use at least 1; 10 is usual.");
        }
        if codes.rows < parts {
            return refuse(format!("{parts} parts of {} codes", codes.rows), "Use fewer parts, or more rows.");
        }
        if units > WIDEST {
            return refuse(format!("codes of {units} units"), "Train a network with a code of at most 512.");
        }
        if let Some(at) = codes.values.iter().position(|x| !x.is_finite()) {
            return refuse(format!("the code of row {} has a {}", at / units, codes.values[at]), "Pass finite codes.");
        }
        let mut order: Vec<u32> = (0..codes.rows as u32).collect();
        let mut rng = Rng::at_step(seed, purpose::MIXTURE, 0);
        if codes.rows > MOST_ROWS {
            rng.shuffle(&mut order);
            order.truncate(MOST_ROWS);
        }
        let row = |&at: &u32| codes.values[at as usize * units..][..units].iter().map(|&x| f64::from(x));
        let x: Vec<f64> = order.iter().flat_map(row).collect();
        let floor = FLOOR * variance(&x, units).max(f64::MIN_POSITIVE.sqrt());
        let centres = centres(&x, units, parts, &mut rng);
        let nearest = x.par_chunks(units).map(|x| one_hot(nearest(x, &centres, units).0, parts)).flatten_iter().collect::<Vec<f64>>();
        let mut mixture = Mixture::of(&x, &nearest, parts, floor);
        let mut before = f64::NEG_INFINITY;
        for _ in 0..MOST_ROUNDS {
            let (shares, mean) = mixture.expectation(&x);
            if mean - before < LEAST_RISE {
                break;
            }
            before = mean;
            mixture = Mixture::of(&x, &shares, parts, floor);
        }
        Ok(mixture)
    }

    /// How many normal distributions it has.
    pub fn parts(&self) -> usize {
        self.weights.len()
    }

    /// The units of a code.
    pub fn units(&self) -> usize {
        self.means.len() / self.weights.len()
    }

    /// The share of each part.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The mean of a part, counted from 0.
    pub fn mean(&self, part: usize) -> Option<&[f64]> {
        self.means.chunks(self.units()).nth(part)
    }

    /// Draws codes.
    pub fn codes(&self, rows: usize, seed: u64) -> Rows {
        let (units, mut rng) = (self.units(), Rng::at_step(seed, purpose::MIXTURE, 1));
        let mut values = Vec::with_capacity(rows * units);
        for _ in 0..rows {
            let mut left = f64::from(rng.uniform());
            let part = self.weights.iter().position(|&share| {
                left -= share;
                left < 0.0
            });
            let part = part.unwrap_or(self.parts() - 1);
            let eps: Vec<f64> = (0..units).map(|_| rng.normal()).collect();
            let (mean, factor) = self.part(part);
            let unit = |unit: usize| mean[unit] + factor[triangle(unit)..][..unit + 1].iter().zip(&eps).map(|(l, e)| l * e).sum::<f64>();
            values.extend((0..units).map(|at| unit(at) as f32));
        }
        Rows::new(units, values)
    }

    /// The natural logarithm of the density at each code.
    ///
    /// # Errors
    /// When the codes have another width.
    pub fn log_densities(&self, codes: &Rows) -> Result<Vec<f64>> {
        if codes.columns != self.units() {
            let problem = format!("codes of {} units, and it has {}", codes.columns, self.units());
            return Err(Error::argument("mixture", problem, "Pass codes of its network."));
        }
        let x: Vec<f64> = codes.values.iter().map(|&v| f64::from(v)).collect();
        let logs = x.par_chunks(self.units()).map(|x| self.logs(x));
        Ok(logs.map(|logs| log_sum(&logs)).collect())
    }

    fn part(&self, part: usize) -> (&[f64], &[f64]) {
        let (units, size) = (self.units(), triangle(self.units()));
        (&self.means[part * units..][..units], &self.factors[part * size..][..size])
    }

    /// The logarithm of each part's share times its density.
    fn logs(&self, x: &[f64]) -> Vec<f64> {
        let units = self.units();
        let mut solved = vec![0.0; units];
        let one = |part: usize| {
            let (mean, factor) = self.part(part);
            let square = solve(x, mean, factor, &mut solved);
            let log_determinant = (0..units).map(|unit| libm::log(factor[triangle(unit) + unit])).sum::<f64>();
            libm::log(self.weights[part]) - 0.5 * (square + units as f64 * libm::log(2.0 * PI)) - log_determinant
        };
        (0..self.parts()).map(one).collect()
    }

    /// The share that each part has in each code, and the mean log likelihood.
    fn expectation(&self, x: &[f64]) -> (Vec<f64>, f64) {
        let shares = |x: &[f64]| {
            let logs = self.logs(x);
            let sum = log_sum(&logs);
            (logs.into_iter().map(move |log| libm::exp(log - sum)).collect::<Vec<_>>(), sum)
        };
        let all: Vec<(Vec<f64>, f64)> = x.par_chunks(self.units()).map(shares).collect();
        let mean = all.iter().map(|(_, log)| log).sum::<f64>() / all.len() as f64;
        (all.into_iter().flat_map(|(shares, _)| shares).collect(), mean)
    }

    /// The mixture that is likeliest where each part has these shares in the codes.
    fn of(x: &[f64], shares: &[f64], parts: usize, floor: f64) -> Mixture {
        let rows = shares.len() / parts;
        let units = x.len() / rows;
        let mut mixture = Mixture { weights: Vec::new(), means: Vec::new(), factors: Vec::new() };
        for part in 0..parts {
            let sums = summed(x, shares, [units, parts, part], units + 1, |sum, x, share| {
                sum[units] += share;
                sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += share * x);
            });
            let whole = sums[units];
            // A part that has lost all codes keeps its place, with next to no share.
            let divisor = whole.max(f64::MIN_POSITIVE.sqrt());
            let mean: Vec<f64> = sums[..units].iter().map(|sum| sum / divisor).collect();
            let mut covariance = summed(x, shares, [units, parts, part], triangle(units), |sum, x, share| {
                if share > 0.0 {
                    for unit in 0..units {
                        let own = share * (x[unit] - mean[unit]);
                        let row = &mut sum[triangle(unit)..][..unit + 1];
                        row.iter_mut().zip(x.iter().zip(&mean)).for_each(|(sum, (x, mean))| *sum += own * (x - mean));
                    }
                }
            });
            covariance.iter_mut().for_each(|v| *v /= divisor);
            cholesky(&mut covariance, units, floor);
            mixture.weights.push(whole / rows as f64);
            mixture.means.extend(mean);
            mixture.factors.extend(covariance);
        }
        mixture
    }
}

/// What each code with its share in a part adds to `size` sums: blocks of codes in their order, whatever thread took
/// which.
fn summed(
    x: &[f64],
    shares: &[f64],
    [units, parts, part]: [usize; 3],
    size: usize,
    add: impl Fn(&mut [f64], &[f64], f64) + Sync,
) -> Vec<f64> {
    let each = x.par_chunks(BLOCK * units).zip(shares.par_chunks(BLOCK * parts));
    let sums = each.map(|(x, shares)| {
        let mut sum = vec![0.0; size];
        x.chunks(units).zip(shares.chunks(parts)).for_each(|(x, shares)| add(&mut sum, x, shares[part]));
        sum
    });
    let mut all = vec![0.0; size];
    sums.collect::<Vec<_>>().iter().for_each(|sum| all.iter_mut().zip(sum).for_each(|(all, sum)| *all += sum));
    all
}

/// One normal distribution of codes.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "files", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub(super) struct Normal(Mixture);

impl Normal {
    /// That of some codes of this width. `floor` times the mean variance of the units is added to each variance.
    pub(super) fn of(x: &[f64], units: usize, floor: f64) -> Normal {
        let floor = floor * variance(x, units).max(f64::MIN_POSITIVE.sqrt());
        Normal(Mixture::of(x, &vec![1.0; x.len() / units], 1, floor))
    }

    pub(super) fn units(&self) -> usize {
        self.0.units()
    }

    /// The squared Mahalanobis distance of a code.
    pub(super) fn squared_distance(&self, x: &[f64]) -> f64 {
        let (mean, factor) = self.0.part(0);
        solve(x, mean, factor, &mut vec![0.0; x.len()])
    }
}

/// The square of `L^-1 (x - mean)`, for a lower triangle L; `solved` holds its elements.
fn solve(x: &[f64], mean: &[f64], factor: &[f64], solved: &mut [f64]) -> f64 {
    let mut square = 0.0;
    for unit in 0..x.len() {
        let row = &factor[triangle(unit)..][..unit + 1];
        let below = row[..unit].iter().zip(&*solved).map(|(l, s)| l * s).sum::<f64>();
        solved[unit] = (x[unit] - mean[unit] - below) / row[unit];
        square += solved[unit] * solved[unit];
    }
    square
}

/// Makes a lower triangle of a covariance, with `floor` added to its diagonal, that of its Cholesky factor. What is
/// below the floor by rounding is the floor.
pub(crate) fn cholesky(a: &mut [f64], units: usize, floor: f64) {
    for i in 0..units {
        for j in 0..=i {
            let (row_i, row_j) = (triangle(i), triangle(j));
            let inner = (0..j).map(|k| a[row_i + k] * a[row_j + k]).sum::<f64>();
            a[row_i + j] = match i == j {
                true => (a[row_i + j] + floor - inner).max(floor).sqrt(),
                false => (a[row_i + j] - inner) / a[row_j + j],
            };
        }
    }
}

fn log_sum(logs: &[f64]) -> f64 {
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY {
        return most;
    }
    most + libm::log(logs.iter().map(|log| libm::exp(log - most)).sum::<f64>())
}

/// The mean variance of the units.
fn variance(x: &[f64], units: usize) -> f64 {
    let rows = (x.len() / units) as f64;
    let of = |unit: usize| {
        let all = || x.iter().skip(unit).step_by(units);
        let mean = all().sum::<f64>() / rows;
        all().map(|v| (v - mean).powi(2)).sum::<f64>() / rows
    };
    (0..units).map(of).sum::<f64>() / units as f64
}

/// The centre that is nearest, the first of equally near ones, and the square of its distance.
fn nearest(x: &[f64], centres: &[f64], units: usize) -> (usize, f64) {
    let squares = centres.chunks(units).map(|c| c.iter().zip(x).map(|(c, x)| (c - x).powi(2)).sum::<f64>());
    squares.enumerate().fold((0, f64::INFINITY), |best, (at, square)| if square < best.1 { (at, square) } else { best })
}

/// Centres by k-means, from codes that are drawn far from each other (Arthur and Vassilvitskii 2007).
fn centres(x: &[f64], units: usize, parts: usize, rng: &mut Rng) -> Vec<f64> {
    let rows = x.len() / units;
    let first = rng.below(rows as u32) as usize;
    let mut centres = x[first * units..][..units].to_vec();
    while centres.len() < parts * units {
        let squares: Vec<f64> = x.par_chunks(units).map(|x| nearest(x, &centres, units).1).collect();
        let mut left = f64::from(rng.uniform()) * squares.iter().sum::<f64>();
        let next = squares.iter().position(|square| {
            left -= square;
            left < 0.0
        });
        centres.extend_from_slice(&x[next.unwrap_or(rows - 1) * units..][..units]);
    }
    for _ in 0..MEANS_ROUNDS {
        let own: Vec<usize> = x.par_chunks(units).map(|x| nearest(x, &centres, units).0).collect();
        let (mut sums, mut counts) = (vec![0.0; parts * units], vec![0usize; parts]);
        for (x, &part) in x.chunks(units).zip(&own) {
            counts[part] += 1;
            sums[part * units..][..units].iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
        }
        for (part, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let (sum, centre) = (&sums[part * units..][..units], &mut centres[part * units..][..units]);
            centre.iter_mut().zip(sum).for_each(|(centre, sum)| *centre = sum / count as f64);
        }
    }
    centres
}

fn one_hot(at: usize, parts: usize) -> Vec<f64> {
    (0..parts).map(|part| f64::from(u8::from(part == at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes of two parts: 70 % around (0, 0) with correlation 0.8, 30 % around (10, -5), narrow.
    fn two_parts(rows: usize) -> Rows {
        let mut rng = Rng::new(3, 0);
        let mut values = Vec::new();
        for _ in 0..rows {
            let first = rng.uniform() < 0.7;
            let [a, b] = [rng.normal(), rng.normal()];
            values.extend(if first { [a, 0.8 * a + 0.6 * b] } else { [10.0 + 0.1 * a, -5.0 + 0.1 * b] }.map(|v| v as f32));
        }
        Rows::new(2, values)
    }

    fn moments(codes: &Rows) -> [f64; 5] {
        let (n, x) = (codes.rows as f64, |row: usize, unit: usize| f64::from(codes.values[row * 2 + unit]));
        let mean = |f: &dyn Fn(usize) -> f64| (0..codes.rows).map(f).sum::<f64>() / n;
        let (a, b) = (mean(&|row| x(row, 0)), mean(&|row| x(row, 1)));
        [a, b, mean(&|row| (x(row, 0) - a).powi(2)), mean(&|row| (x(row, 1) - b).powi(2)), mean(&|row| (x(row, 0) - a) * (x(row, 1) - b))]
    }

    #[test]
    fn the_parts_are_found_and_what_is_drawn_has_their_moments() {
        let codes = two_parts(20_000);
        let mixture = Mixture::fit(&codes, 2, 0).unwrap();
        let wide = usize::from(mixture.mean(0).unwrap()[0] > 5.0);
        assert!((mixture.weights()[wide] - 0.7).abs() < 0.02, "{:?}", mixture.weights());
        let (mean, factor) = mixture.part(wide);
        assert!(mean.iter().all(|m| m.abs() < 0.05), "{mean:?}");
        assert!(factor.iter().zip([1.0, 0.8, 0.6]).all(|(l, known)| (l - known).abs() < 0.03), "{factor:?}");
        let drawn = mixture.codes(50_000, 5);
        for (a, b) in moments(&codes).iter().zip(moments(&drawn)) {
            assert!((a - b).abs() < 0.02 * a.abs().max(1.0) * 2.0, "{:?} {:?}", moments(&codes), moments(&drawn));
        }
        assert_eq!(mixture.codes(9, 5).values, drawn.values[..18]);
        assert_ne!(mixture.codes(9, 6), mixture.codes(9, 5));
    }

    #[test]
    fn densities_are_those_of_the_formula_and_rise_with_each_round() {
        let mixture = Mixture { weights: vec![0.25, 0.75], means: vec![0.0, 2.0], factors: vec![1.0, 0.5] };
        let found = mixture.log_densities(&Rows::new(1, vec![1.0])).unwrap()[0];
        let normal = |x: f64, deviation: f64| libm::exp(-0.5 * (x / deviation).powi(2)) / deviation / (2.0 * PI).sqrt();
        assert!((found - libm::log(0.25 * normal(1.0, 1.0) + 0.75 * normal(-1.0, 0.5))).abs() < 1e-14);
        assert!(mixture.log_densities(&Rows::new(2, vec![1.0, 2.0])).is_err());
        let codes = two_parts(2000);
        let x: Vec<f64> = codes.values.iter().map(|&v| f64::from(v)).collect();
        let shares: Vec<f64> = (0..2000).flat_map(|i| one_hot(i % 3, 3)).collect();
        let mut mixture = Mixture::of(&x, &shares, 3, 1e-9);
        let mut before = f64::NEG_INFINITY;
        for round in 0..20 {
            let (shares, mean) = mixture.expectation(&x);
            assert!(mean >= before - 1e-9, "{round}: {mean} after {before}");
            before = mean;
            mixture = Mixture::of(&x, &shares, 3, 1e-9);
        }
    }

    #[test]
    fn threads_change_no_bit_and_codes_without_spread_are_no_reason_to_fail() {
        let codes = two_parts(3000);
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Mixture::fit(&codes, 4, 1).unwrap())
        };
        assert_eq!(with(1), with(3));
        let equal = Mixture::fit(&Rows::new(3, vec![0.5; 60]), 4, 0).unwrap();
        assert!(equal.codes(20, 0).values.iter().all(|v| (v - 0.5).abs() < 1e-3), "{equal:?}");
        // As many parts as codes, and a unit that never changes.
        let few = Mixture::fit(&Rows::new(2, vec![0.0, 1.0, 4.0, 1.0, 9.0, 1.0]), 3, 0).unwrap();
        assert!(few.codes(50, 0).values.iter().all(|v| v.is_finite()));
        let codes = Rows::new(2, vec![1.0, 2.0, 3.0, f32::NAN]);
        for (codes, parts, said) in [
            (&codes, 1, "row 1 has a NaN"),
            (&codes, 3, "3 parts of 2 codes"),
            (&codes, 0, "no parts"),
            (&Rows::new(513, vec![0.0; 513]), 1, "513 units"),
        ] {
            let error = Mixture::fit(codes, parts, 0).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[cfg(feature = "files")]
    #[test]
    fn a_file_gives_it_back_to_the_bit() {
        let mixture = Mixture::fit(&two_parts(500), 2, 0).unwrap();
        let text = serde_json::to_string(&mixture).unwrap();
        assert_eq!(serde_json::from_str::<Mixture>(&text).unwrap(), mixture);
        for wrong in [
            r#"{"weights":[],"means":[],"factors":[]}"#,
            r#"{"weights":[1],"means":[1,2],"factors":[1,2]}"#,
            r#"{"weights":[0.5],"means":[1],"factors":[1]}"#,
            r#"{"weights":[2,-1],"means":[1,1],"factors":[1,1]}"#,
        ] {
            assert!(serde_json::from_str::<Mixture>(wrong).unwrap_err().to_string().contains("not those of a mixture"), "{wrong}");
        }
    }
}
