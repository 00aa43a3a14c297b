//! Eigenvalues and eigenvectors of a symmetric matrix in f64: Householder's tridiagonal form, then implicit QL (Golub
//! and Van Loan, chapter 8).
//!
//! The vectors are kept in stripes of 16 columns, so that a sweep of rotations runs over contiguous numbers and the
//! stripes share nothing: threads change no bit of the result.

use rayon::prelude::*;

/// Columns in a stripe.
const STRIPE: usize = 16;
/// Beside a largest element of 1, anything this small is rounding.
const NOTHING: f64 = f64::EPSILON / 4.0;
/// Sweeps per eigenvalue; 2 is usual.
const MOST_SWEEPS: usize = 60;

/// Eigenvalues in descending order.
pub(super) struct Eigen {
    pub(super) values: Vec<f64>,
    /// The vector of the i-th value is the i-th row; the rows are orthonormal, and the largest element of each by
    /// magnitude is positive.
    pub(super) vectors: Vec<f64>,
}

/// The decomposition of the symmetric n x n matrix `a`, or `None` if it does not converge, which only happens with
/// numbers that are not finite.
pub(super) fn symmetric(mut a: Vec<f64>, n: usize) -> Option<Eigen> {
    let size = a.iter().fold(0.0f64, |most, v| if v.is_nan() { f64::NAN } else { most.max(v.abs()) });
    if !size.is_finite() {
        return None;
    }
    // With elements of about 1, no square that matters can overflow or vanish.
    let unit = if size > 0.0 { size } else { 1.0 };
    a.iter_mut().for_each(|v| *v /= unit);
    let (mut diagonal, mut below) = tridiagonal(&mut a, n);
    let mut stripes = reflections(&a, n);
    drop(a);
    ql(&mut diagonal, &mut below, |rotations| {
        stripes.par_chunks_mut(n * STRIPE).for_each(|stripe| rotations.iter().for_each(|&(i, c, s)| rotate(stripe, i, c, s)));
    })?;

    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| diagonal[j].total_cmp(&diagonal[i]));
    let mut vectors = Vec::with_capacity(n * n);
    for &i in &order {
        let start = vectors.len();
        vectors.extend((0..n).map(|r| stripes[(r / STRIPE * n + i) * STRIPE + r % STRIPE]));
        let vector = &mut vectors[start..];
        let largest = vector.iter().fold(0.0f64, |most, &v| if v.abs() > most.abs() { v } else { most });
        if largest < 0.0 {
            vector.iter_mut().for_each(|v| *v = -*v);
        }
    }
    Some(Eigen { values: order.iter().map(|&i| diagonal[i] * unit).collect(), vectors })
}

/// Reduces `a` to its diagonal and the one below. Row k of `a` is left with the vector of the k-th reflection, I - v
/// v', from column k + 1 on.
fn tridiagonal(a: &mut [f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut diagonal, mut below) = (vec![0.0; n], vec![0.0; n]);
    for k in 0..n {
        let (done, rest) = a.split_at_mut((k + 1) * n);
        diagonal[k] = done[k * n + k];
        let v = &mut done[k * n + k + 1..];
        let Some(&first) = v.first() else { break };
        let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        // Where fewer rows than columns were summed, only rounding remains after that number of steps, and its squares
        // vanish.
        if v[1..].iter().all(|&x| x.abs() <= NOTHING) {
            below[k] = first;
            v.fill(0.0);
            continue;
        }
        below[k] = -norm.copysign(first);
        v[0] -= below[k];
        let scale = (norm * (norm + first.abs())).sqrt().recip();
        v.iter_mut().for_each(|x| *x *= scale);
        let v = &*v;
        // a -= v w' + w v' with p = a v and w = p - (v'p / 2) v.
        let mut w = vec![0.0; v.len()];
        w.par_iter_mut().with_min_len(64).zip(rest.par_chunks(n)).for_each(|(w, row)| *w = dot(&row[k + 1..], v));
        let half = dot(&w, v) / 2.0;
        w.iter_mut().zip(v).for_each(|(w, v)| *w -= half * v);
        rest.par_chunks_mut(n).with_min_len(64).enumerate().for_each(|(i, row)| {
            let (vi, wi) = (v[i], w[i]);
            row[k + 1..].iter_mut().zip(v.iter().zip(&w)).for_each(|(a, (v, w))| *a -= vi * w + wi * v);
        });
    }
    (diagonal, below)
}

/// The product of all reflections, transposed, in stripes: element (i, r) of it lies at [r / 16][i][r % 16].
fn reflections(a: &[f64], n: usize) -> Vec<f64> {
    let mut stripes = vec![0.0; n.div_ceil(STRIPE) * n * STRIPE];
    stripes.par_chunks_mut(n * STRIPE).enumerate().for_each(|(at, stripe)| {
        for r in at * STRIPE..n.min((at + 1) * STRIPE) {
            stripe[r * STRIPE + r % STRIPE] = 1.0;
        }
        for k in 0..n.saturating_sub(1) {
            let v = &a[k * n + k + 1..(k + 1) * n];
            let rows = &mut stripe[(k + 1) * STRIPE..];
            let mut sums = [0.0; STRIPE];
            for (v, row) in v.iter().zip(rows.chunks_exact(STRIPE)) {
                sums.iter_mut().zip(row).for_each(|(s, x)| *s += v * x);
            }
            for (v, row) in v.iter().zip(rows.chunks_exact_mut(STRIPE)) {
                row.iter_mut().zip(&sums).for_each(|(x, s)| *x -= v * s);
            }
        }
    });
    stripes
}

/// Makes the tridiagonal matrix diagonal, and hands the rotations (row i with row i + 1, cosine, sine) of each sweep to
/// `apply`.
fn ql(d: &mut [f64], e: &mut [f64], mut apply: impl FnMut(&[(usize, f64, f64)])) -> Option<()> {
    let n = d.len();
    let mut rotations = Vec::with_capacity(n);
    for l in 0..n {
        for sweep in 0.. {
            let small = |m: usize| e[m].abs() <= NOTHING.max(f64::EPSILON * (d[m].abs() + d[m + 1].abs()));
            let m = (l..n - 1).find(|&m| small(m)).unwrap_or(n - 1);
            if m == l {
                break;
            }
            if sweep == MOST_SWEEPS {
                return None;
            }
            let g = (d[l + 1] - d[l]) / (2.0 * e[l]);
            let mut g = d[m] - d[l] + e[l] / (g + libm::hypot(g, 1.0).copysign(g));
            let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
            rotations.clear();
            let mut whole = true;
            for i in (l..m).rev() {
                let (f, b) = (s * e[i], c * e[i]);
                let r = libm::hypot(f, g);
                e[i + 1] = r;
                if r == 0.0 {
                    d[i + 1] -= p;
                    whole = false;
                    break;
                }
                (s, c) = (f / r, g / r);
                g = d[i + 1] - p;
                let r = (d[i] - g) * s + 2.0 * c * b;
                p = s * r;
                d[i + 1] = g + p;
                g = c * r - b;
                rotations.push((i, c, s));
            }
            if whole {
                d[l] -= p;
                e[l] = g;
            }
            e[m] = 0.0;
            apply(&rotations);
        }
    }
    Some(())
}

fn rotate(stripe: &mut [f64], i: usize, c: f64, s: f64) {
    let (upper, lower) = stripe[i * STRIPE..(i + 2) * STRIPE].split_at_mut(STRIPE);
    for (u, l) in upper.iter_mut().zip(lower) {
        (*u, *l) = (c * *u - s * *l, s * *u + c * *l);
    }
}

/// A sum in eight lanes, which the compiler can keep in registers.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (x, y) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = x.remainder().iter().zip(y.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in x.zip(y) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// Symmetric, full, with elements of about 1.
    fn noise(n: usize) -> Vec<f64> {
        let mut rng = Rng::at_step(0, 77, n as u32);
        let mut a = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                let x = f64::from(rng.uniform()) - 0.5;
                a[i * n + j] = x;
                a[j * n + i] = x;
            }
        }
        a
    }

    fn check(a: &[f64], n: usize) -> Eigen {
        let found = symmetric(a.to_vec(), n).unwrap();
        let size = a.iter().fold(1e-300f64, |m, v| m.max(v.abs()));
        assert!(found.values.windows(2).all(|v| v[0] >= v[1]));
        for i in 0..n {
            let v = &found.vectors[i * n..(i + 1) * n];
            for j in 0..n {
                let other = &found.vectors[j * n..(j + 1) * n];
                assert!((dot(v, other) - f64::from(u8::from(i == j))).abs() < 1e-12, "{i} and {j} of {n} are not orthonormal");
                let residual = dot(&a[j * n..(j + 1) * n], v) - found.values[i] * v[j];
                assert!(residual.abs() < 1e-13 * size * n as f64, "n = {n}, vector {i}: {residual}");
            }
        }
        found
    }

    #[test]
    fn every_size_from_1_to_40_and_beyond_a_stripe_satisfies_its_equation() {
        (1..40).chain([64, 65, 129]).for_each(|n| {
            check(&noise(n), n);
        });
    }

    #[test]
    fn what_is_known_comes_out() {
        // The second difference: 2 - 2 cos(pi k / (n + 1)).
        let n = 50;
        let mut a = vec![0.0; n * n];
        for i in 0..n {
            a[i * n + i] = 2.0;
            if i > 0 {
                a[i * n + i - 1] = -1.0;
                a[(i - 1) * n + i] = -1.0;
            }
        }
        let found = check(&a, n);
        for (i, value) in found.values.iter().enumerate() {
            let exact = 2.0 - 2.0 * (std::f64::consts::PI * (n - i) as f64 / (n as f64 + 1.0)).cos();
            assert!((value - exact).abs() < 1e-13, "{i}: {value} for {exact}");
        }
    }

    #[test]
    fn zeros_equal_values_and_rank_one_are_no_trouble() {
        check(&vec![0.0; 100], 10);
        let mut same = vec![0.0; 400];
        (0..20).for_each(|i| same[i * 21] = 3.0);
        assert!(check(&same, 20).values.iter().all(|&v| v == 3.0));
        // Rank 1 with empty rows, as the border of an image has them.
        let v: Vec<f64> = (0..30).map(|i| if i % 3 == 0 { 0.0 } else { f64::from(i) }).collect();
        let outer: Vec<f64> = v.iter().flat_map(|a| v.iter().map(move |b| a * b)).collect();
        let found = check(&outer, 30);
        assert!((found.values[0] / dot(&v, &v) - 1.0).abs() < 1e-14 && found.values[1].abs() < 1e-9);
        // Far from 1 on both sides.
        for scale in [1e-150, 1e150] {
            check(&noise(25).iter().map(|x| x * scale).collect::<Vec<_>>(), 25);
        }
    }

    /// As the covariance of fewer rows than columns, with empty columns.
    #[test]
    fn a_rank_far_below_the_size_is_no_trouble() {
        for (n, rank) in [(40, 1), (130, 40), (200, 37)] {
            let rows = noise(n);
            let column = |i: usize, r: usize| if i.is_multiple_of(5) { 0.0 } else { rows[r * n + i] };
            let product = |i: usize, j: usize| (0..rank).map(|r| column(i, r) * column(j, r)).sum::<f64>();
            let a: Vec<f64> = (0..n * n).map(|at| product(at / n, at % n)).collect();
            let found = check(&a, n);
            assert!(found.values[rank - 1] > 1e-6 && found.values[rank].abs() < 1e-12, "rank {rank} of {n}");
        }
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        for bad in [f64::NAN, f64::INFINITY] {
            let mut a = noise(8);
            a[9] = bad;
            assert!(symmetric(a, 8).is_none());
        }
    }
}
