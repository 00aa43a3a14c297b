//! The oracle: each op in a few naive lines of f64. It shares nothing with any backend.
//!
//! Inputs are f32 numbers, exactly converted. Where a bound needs it, the sum of the absolute terms is computed as
//! well.

use crate::op::{Map, Term, Zip};

/// Sums, and beside each the sum of the absolute values of its terms.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sums {
    pub(crate) value: Vec<f64>,
    pub(crate) terms: Vec<f64>,
}

/// `value[r, c] = sum_k a(r, k) b(c, k)`.
fn products(rows: usize, columns: usize, inner: usize, a: impl Fn(usize, usize) -> f64, b: impl Fn(usize, usize) -> f64) -> Sums {
    let term = |i: usize, k: usize| a(i / columns, k) * b(i % columns, k);
    let value = (0..rows * columns).map(|i| (0..inner).fold(0.0, |sum, k| sum + term(i, k))).collect();
    let terms = (0..rows * columns).map(|i| (0..inner).fold(0.0, |sum, k| sum + term(i, k).abs())).collect();
    Sums { value, terms }
}

/// y [B, O] = x [B, I] times w [O, I] transposed, plus b [O] where there is one.
pub(crate) fn dense(x: &[f64], w: &[f64], b: Option<&[f64]>, [batch, inputs, outputs]: [usize; 3]) -> Sums {
    let mut y = products(batch, outputs, inputs, |r, i| x[r * inputs + i], |o, i| w[o * inputs + i]);
    for i in 0..batch * outputs {
        let b = b.map_or(0.0, |b| b[i % outputs]);
        y.value[i] += b;
        y.terms[i] += b.abs();
    }
    y
}

/// dx [B, I] = dz [B, O] times w [O, I].
pub(crate) fn dense_dx(dz: &[f64], w: &[f64], [batch, inputs, outputs]: [usize; 3]) -> Sums {
    products(batch, inputs, outputs, |r, o| dz[r * outputs + o], |i, o| w[o * inputs + i])
}

/// dw [O, I] = dz [B, O] transposed times x [B, I].
pub(crate) fn dense_dw(dz: &[f64], x: &[f64], [batch, inputs, outputs]: [usize; 3]) -> Sums {
    products(outputs, inputs, batch, |o, r| dz[r * outputs + o], |i, r| x[r * inputs + i])
}

/// db [O] = the sum of the rows of dz [B, O].
pub(crate) fn dense_db(dz: &[f64], [batch, outputs]: [usize; 2]) -> Sums {
    products(outputs, 1, batch, |o, r| dz[r * outputs + o], |_, _| 1.0)
}

/// The same row, repeated.
pub(crate) fn rows<T: Copy>(v: &[T], rows: usize) -> Vec<T> {
    (0..rows * v.len()).map(|i| v[i % v.len()]).collect()
}

/// A function of x, and its derivative times dy.
type Function = (fn(f64) -> f64, fn(f64, f64) -> f64);

pub(crate) fn function(f: Map) -> Function {
    match f {
        Map::Relu => (relu, relu_grad),
        Map::Leaky => (leaky, leaky_grad),
        Map::Sigmoid => (sigmoid, sigmoid_grad),
        Map::Tanh => (tanh, tanh_grad),
        Map::Softplus => (softplus, softplus_grad),
        Map::Silu => (silu, silu_grad),
        Map::Exp => (f64::exp, exp_grad),
        Map::Abs => (f64::abs, abs_grad),
    }
}

/// The larger of x and 0; NaN stays.
pub(crate) fn relu(x: f64) -> f64 {
    if x < 0.0 { 0.0 } else { x }
}

/// The derivative at 0 is 0; NaN in x passes dy.
pub(crate) fn relu_grad(x: f64, dy: f64) -> f64 {
    if x <= 0.0 { 0.0 } else { dy }
}

/// x above 0, else x times the f32 nearest to 0.01.
pub(crate) fn leaky(x: f64) -> f64 {
    if x > 0.0 { x } else { f64::from(0.01f32) * x }
}

/// The derivative at 0 is that below it; NaN in x passes dy.
pub(crate) fn leaky_grad(x: f64, dy: f64) -> f64 {
    if x <= 0.0 { f64::from(0.01f32) * dy } else { dy }
}

/// The logistic function.
pub(crate) fn sigmoid(x: f64) -> f64 {
    if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }
}

/// `dy s(x) s(-x)`, s the logistic function: it is even in x and does not vanish where s rounds to 1.
pub(crate) fn sigmoid_grad(x: f64, dy: f64) -> f64 {
    dy * (sigmoid(x) * sigmoid(-x))
}

/// The hyperbolic tangent.
pub(crate) fn tanh(x: f64) -> f64 {
    x.tanh()
}

/// `dy / cosh(x)^2`: it does not vanish where tanh rounds to 1.
pub(crate) fn tanh_grad(x: f64, dy: f64) -> f64 {
    dy / (x.cosh() * x.cosh())
}

/// log(1 + exp(x)).
pub(crate) fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

pub(crate) fn softplus_grad(x: f64, dy: f64) -> f64 {
    dy * sigmoid(x)
}

/// x sigmoid(x); its limit at -infinity is 0.
pub(crate) fn silu(x: f64) -> f64 {
    x.max(-1e3) * sigmoid(x)
}

pub(crate) fn silu_grad(x: f64, dy: f64) -> f64 {
    dy * (sigmoid(x) + x.clamp(-1e3, 1e3) * sigmoid(x) * sigmoid(-x))
}

pub(crate) fn exp_grad(x: f64, dy: f64) -> f64 {
    dy * x.exp()
}

/// The derivative at 0 is 0; a NaN in x stays.
pub(crate) fn abs_grad(x: f64, dy: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() * dy }
}

/// NaN stays.
pub(crate) fn clamp(x: f64, [lo, hi]: [f64; 2]) -> f64 {
    if x < lo {
        lo
    } else if x > hi {
        hi
    } else {
        x
    }
}

/// 1 at the bounds; a NaN in x passes dy.
pub(crate) fn clamp_grad(x: f64, dy: f64, [lo, hi]: [f64; 2]) -> f64 {
    if x < lo || x > hi { 0.0 } else { dy }
}

/// A function of two numbers.
pub(crate) fn pair(f: Zip) -> fn(f64, f64) -> f64 {
    match f {
        Zip::Add => |a, b| a + b,
        Zip::Mul => |a, b| a * b,
        Zip::KlTerms => |mu, logvar| kl_parts(mu, logvar).iter().fold(0.0, |sum, part| sum + part),
    }
}

/// The parts of twice the divergence of N(mu, exp(logvar)) from N(0, 1).
pub(crate) fn kl_parts(mu: f64, logvar: f64) -> [f64; 4] {
    [mu * mu, logvar.exp(), -logvar, -1.0]
}

/// The parts of a term of a sum; what is the target of the losses is logvar of kl.
fn term(f: Term, x: f64, target: f64) -> Vec<f64> {
    match f {
        Term::Sum => vec![x],
        Term::SquareSum => vec![x * x],
        Term::AbsSum => vec![x.abs()],
        Term::Mse => vec![(x - target) * (x - target)],
        // The binary cross-entropy of sigmoid(x) and target.
        Term::Bce => vec![if x < 0.0 { 0.0 } else { x }, -x * target, (-x.abs()).exp().ln_1p()],
        Term::Kl => kl_parts(x, target).into(),
        Term::RhoKl => {
            let q = away(x);
            vec![target * (target / q).ln(), (1.0 - target) * ((1.0 - target) / (1.0 - q)).ln()]
        }
    }
}

/// 2^-20 away from 0 and 1.
pub(crate) fn away(q: f64) -> f64 {
    q.clamp(0.5f64.powi(20), 1.0 - 0.5f64.powi(20))
}

/// `scale * sum` of the terms, and the same of the absolute values of their parts.
pub(crate) fn reduce(f: Term, x: &[f64], target: &[f64], scale: f64) -> (f64, f64) {
    let terms = || x.iter().zip(target).map(|(&x, &target)| term(f, x, target));
    let sum = terms().fold(0.0, |sum, parts| sum + parts.iter().fold(0.0, |term, part| term + part));
    (scale * sum, scale.abs() * terms().flatten().fold(0.0, |sum, part| sum + part.abs()))
}

/// One element of the gradient of a sum, of kl by logvar; `scale` includes [`Term::slope`].
pub(crate) fn reduce_grad(f: Term, x: f64, target: f64, dy: f64, scale: f64) -> f64 {
    scale
        * dy
        * match f {
            Term::Sum => 1.0,
            Term::SquareSum => x,
            Term::AbsSum => abs_grad(x, 1.0),
            Term::Mse => x - target,
            Term::Bce => sigmoid(x) - target,
            Term::Kl => target.exp() - 1.0,
            Term::RhoKl => (1.0 - target) / (1.0 - away(x)) - target / away(x),
        }
}

/// `x` times the number that the table [T, columns] has for the step; after its end the last row stays.
pub(crate) fn scale_by(x: f64, table: &[f32], columns: usize, column: usize, step: u32) -> f64 {
    let rows = table.chunks_exact(columns);
    let last = rows.len() - 1;
    x * rows.map(|row| f64::from(row[column])).nth((step as usize).min(last)).expect("a row")
}

/// The logarithm of the sum of the exponentials of a row.
pub(crate) fn lse(row: &[f64]) -> f64 {
    let most = row.iter().fold(row[0], |most, &x| most.max(x));
    most + row.iter().fold(0.0, |sum, x| sum + (x - most).exp()).ln()
}

/// The cross-entropy of a row's softmax and a label, which is the last class if it is past it.
pub(crate) fn xent(row: &[f64], label: u32) -> f64 {
    lse(row) - row[(label as usize).min(row.len() - 1)]
}

/// `dy (p - hit)`, p the row's softmax at x, `hit` 1 where x is the label's and else 0.
pub(crate) fn xent_grad(x: f64, lse: f64, hit: f64, dy: f64) -> f64 {
    dy * ((x - lse).exp() - hit)
}

/// `x` made shorter where the norm, the root of `square`, is above `most`.
pub(crate) fn clip(x: f64, square: f64, most: f64) -> f64 {
    let factor = most / (square.sqrt() + 1e-6);
    x * if factor > 1.0 { 1.0 } else { factor }
}

/// The rows of a table that an order names, from the cursor on and round; indices past the end name the last row.
pub(crate) fn gather<T: Copy>(data: &[T], columns: usize, order: &[u32], cursor: usize, rows: usize) -> Vec<T> {
    let last = data.len() / columns.max(1);
    let row = |r: usize| (order[(cursor + r) % order.len()] as usize).min(last.max(1) - 1);
    (0..rows * columns).map(|i| data[row(i / columns) * columns + i % columns]).collect()
}

/// An integer in the order of the numbers, by their bits: those below 0 come first, from the largest magnitude on; NaN
/// comes last.
fn key(x: f32) -> u32 {
    match x.to_bits() {
        _ if x.is_nan() => u32::MAX,
        bits if bits < 1 << 31 => (1 << 31) + bits,
        bits => u32::MAX - bits,
    }
}

/// The threshold of the `taken` largest numbers of each row, the lowest index first among equals: the key of the
/// smallest of them, and the index of the last one that has it.
pub(crate) fn cut(x: &[f32], columns: usize, taken: usize) -> Vec<u32> {
    let of = |row: &[f32]| {
        let mut order: Vec<usize> = (0..columns).collect();
        let plain = |i: usize| if row[i].is_nan() { f32::NAN } else { row[i] };
        order.sort_by(|&a, &b| plain(b).total_cmp(&plain(a)).then(a.cmp(&b)));
        let last = order[taken - 1];
        [key(row[last]), last as u32]
    };
    x.chunks(columns.max(1)).flat_map(of).collect()
}

/// The largest numbers so far of a row, which are `values`, and their indices, after the numbers of `x`, the first of
/// which has the index `first`: as many as before, the first of equal ones, in the order in which they came.
pub(crate) fn merge_topk(x: &[f32], first: u32, values: &[f32], index: &[u32]) -> (Vec<f32>, Vec<u32>) {
    let new = x.iter().enumerate().map(|(c, &x)| (x, first.wrapping_add(c as u32)));
    let all: Vec<(f32, u32)> = values.iter().copied().zip(index.iter().copied()).chain(new).collect();
    let mut taken: Vec<usize> = (0..all.len()).collect();
    let plain = |i: usize| if all[i].0.is_nan() { f32::NAN } else { all[i].0 };
    taken.sort_by(|&a, &b| plain(b).total_cmp(&plain(a)).then(a.cmp(&b)));
    taken.truncate(values.len());
    taken.sort();
    taken.into_iter().map(|i| all[i]).unzip()
}

/// `dy` where the cut of the row takes x, else 0.
pub(crate) fn select<T: Copy + Default>(x: &[f32], cut: &[u32], columns: usize, dy: &[T]) -> Vec<T> {
    let taken = |i: usize| (key(x[i]), u32::MAX - (i % columns) as u32) >= (cut[2 * (i / columns)], u32::MAX - cut[2 * (i / columns) + 1]);
    (0..x.len()).map(|i| if taken(i) { dy[i] } else { T::default() }).collect()
}

/// How many rows each unit has been off for, after these.
pub(crate) fn idle(code: &[f32], before: &[f32]) -> Vec<f32> {
    let rows = code.chunks(before.len().max(1));
    let is_on = |x: f32| x.is_nan() || x.abs() >= f32::MIN_POSITIVE;
    let after = |(c, &before): (usize, &f32)| match rows.clone().any(|row| is_on(row[c])) {
        true => 0.0,
        false => (f64::from(before) + rows.len() as f64).min(f64::from(1 << 24)) as f32,
    };
    before.iter().enumerate().map(after).collect()
}

/// x of the units that have been off for at least that many rows, and another number of all others.
pub(crate) fn dead<T: Copy>(x: &[T], idle: &[f32], least: f32, other: T) -> Vec<T> {
    x.iter().enumerate().map(|(i, &x)| if idle[i % idle.len()] >= least { x } else { other }).collect()
}

/// The clock after a batch: the cursor goes round, the step wraps as u32 does.
pub(crate) fn advance(clock: [u32; 2], rows: u32, period: u32) -> [u32; 2] {
    [((u64::from(clock[0]) + u64::from(rows)) % u64::from(period)) as u32, ((u64::from(clock[1]) + 1) % (1 << 32)) as u32]
}

/// One parameter after a step of Adam, with the quantities that its error bound needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Adam {
    pub(crate) p: f64,
    pub(crate) m: f64,
    pub(crate) v: f64,
    /// `|m| + w1 (|g| + |m|)`, before the step.
    pub(crate) m_terms: f64,
    /// The absolute value of `lr c1 / d`.
    pub(crate) rate: f64,
}

/// Adam (Kingma and Ba 2015) as PyTorch writes it, AdamW (Loshchilov and Hutter 2019) where `row[3]` is below 1.
/// `row` is {lr, 1/(1 - beta1^t), 1/sqrt(1 - beta2^t), 1 - lr * weight decay}.
pub(crate) fn adam([p, g, m, v]: [f64; 4], row: [f64; 4], [w1, beta2, w2, eps]: [f64; 4]) -> Adam {
    let m_terms = m.abs() + w1 * (g.abs() + m.abs());
    let m = m + w1 * (g - m);
    let v = beta2 * v + w2 * g * g;
    let rate = row[0] * row[1] / (v.sqrt() * row[2] + eps);
    Adam { p: p * row[3] - rate * m, m, v, m_terms, rate: rate.abs() }
}

/// Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011), section 3.3:
/// ten rounds of (c0, c1, c2, c3) -> (hi(M1 c2) ^ c1 ^ k0, lo(M1 c2), hi(M0 c0) ^ c3 ^ k1, lo(M0 c0)), the key growing
/// by Weyl constants between them.
pub(crate) fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let wide = |m: u64, c: u32| (((m * u64::from(c)) >> 32) as u32, (m * u64::from(c)) as u32);
    (0..10u32).fold(counter, |[c0, c1, c2, c3], round| {
        let (hi0, lo0) = wide(0xD251_1F53, c0);
        let (hi1, lo1) = wide(0xCD9E_8D57, c2);
        let k0 = key[0].wrapping_add(round.wrapping_mul(0x9E37_79B9));
        let k1 = key[1].wrapping_add(round.wrapping_mul(0xBB67_AE85));
        [hi1 ^ c1 ^ k0, lo1, hi0 ^ c3 ^ k1, lo0]
    })
}

/// `x` times `factor` where the element's 24 random bits are below `keep`, else 0.
pub(crate) fn mask(x: f64, bits: u32, keep: u32, factor: f64) -> f64 {
    if bits < keep { x * factor } else { 0.0 }
}

/// Two normal numbers by Box and Muller's method, of two times 24 bits: at the `turn`-th of 2^24 angles.
pub(crate) fn normal_pair(length: u32, turn: u32) -> [f64; 2] {
    let r = (-2.0 * (f64::from(length + 1) / f64::from(1 << 24)).ln()).sqrt();
    // Quarter by quarter, so that where one of the two is 0 it is exactly that.
    let angle = std::f64::consts::FRAC_PI_2 * f64::from(turn % (1 << 22)) / f64::from(1 << 22);
    let (s, c) = angle.sin_cos();
    let [x, y] = [[c, s], [-s, c], [-c, -s], [s, -c]][(turn >> 22) as usize];
    [r * x, r * y]
}

/// The 24 upper bits of the integer that belongs to an element: a uniform number is this times 2^-24.
pub(crate) fn random_bits(element: usize, seed: u64, purpose: u32, step: u32) -> u32 {
    philox([(element / 4) as u32, step, purpose, 0], [seed as u32, (seed >> 32) as u32])[element % 4] >> 8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers of the authors' Random123 distribution (kat_vectors, philox4x32 10).
    #[test]
    fn philox_gives_the_known_answers() {
        let all = 0xffff_ffff;
        assert_eq!(philox([0; 4], [0; 2]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
        assert_eq!(philox([all; 4], [all; 2]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
        let pi = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
        assert_eq!(philox(pi, [0xa4093822, 0x299f31d0]), [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]);
    }

    #[test]
    fn dense_by_hand() {
        let y = dense(&[1.0, 2.0, 3.0, 4.0], &[5.0, -6.0], Some(&[0.5]), [2, 2, 1]);
        assert_eq!((y.value, y.terms), (vec![-6.5, -8.5], vec![17.5, 39.5]));
        assert_eq!(dense_dx(&[2.0, 3.0], &[5.0, -6.0], [2, 2, 1]).value, [10.0, -12.0, 15.0, -18.0]);
        assert_eq!(dense_dw(&[2.0, 3.0], &[1.0, 2.0, 3.0, 4.0], [2, 2, 1]).value, [11.0, 16.0]);
        assert_eq!(dense_db(&[2.0, 3.0, 4.0, 5.0], [2, 2]).value, [6.0, 8.0]);
    }

    /// Every f32 that is no NaN, in steps: the keys are in the order of the numbers, and -0 comes before 0.
    #[test]
    fn keys_are_in_the_order_of_the_numbers() {
        let mut numbers: Vec<f32> = (0..u32::MAX).step_by(99_991).map(f32::from_bits).filter(|x| !x.is_nan()).collect();
        numbers.extend([f32::NEG_INFINITY, -0.0, 0.0, f32::INFINITY]);
        numbers.sort_by(f32::total_cmp);
        numbers.dedup_by(|a, b| a.to_bits() == b.to_bits());
        assert!(numbers.windows(2).all(|w| key(w[0]) < key(w[1]) && w[0] <= w[1]));
        assert_eq!(
            [f32::NEG_INFINITY, -0.0, 0.0, f32::INFINITY, f32::NAN, -f32::NAN].map(key),
            [0x007f_ffff, 0x7fff_ffff, 0x8000_0000, 0xff80_0000, u32::MAX, u32::MAX]
        );
    }

    #[test]
    fn ties_are_cut_at_the_lowest_index() {
        let x = [2.0, 5.0, 2.0, 1.0, 2.0, f32::NAN, 7.0, -0.0, 0.0, 0.0];
        let cuts = cut(&x, 5, 3);
        assert_eq!(cuts, [key(2.0), 2, key(0.0), 3]);
        assert_eq!(select(&x, &cuts, 5, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), [1, 2, 3, 0, 0, 6, 7, 0, 9, 0]);
        assert_eq!(idle(&[0.0, 1e-40, 0.0, f32::NAN], &[7.0, 0.0]), [9.0, 0.0]);
        assert_eq!(idle(&[-0.0, 0.0], &[16_777_215.0, 16_777_216.0]), [16_777_216.0; 2]);
    }

    #[test]
    fn gather_goes_round_and_clamps() {
        assert_eq!(gather(&[1, 2, 3, 4, 5, 6], 2, &[0, 9, 1], 1, 4), [5, 6, 3, 4, 1, 2, 5, 6]);
        assert_eq!(advance([5, u32::MAX], 3, 7), [1, 0]);
    }
}
