//! Sums over all elements, and their derivatives.

use super::super::case::{FOUR_ULP, Made, Result, U, Within, f64s, floats, pairs};
use super::super::data::{Kind, Source, numbers};
use super::super::layout::Layout;
use super::super::reference::Sums;
use super::super::row::{Collector, Given, LARGE, Row, SIZES, any, shape};
use super::super::{contract, reference};
use crate::Shape;
use crate::op::{LANES, Op, Term, chunks};

/// Chunks and lanes, and one more.
const REDUCED: [usize; 14] = [255, 256, 257, 511, 512, 513, 4095, 4096, 4097, 8191, 8193, 65_537, 100_352, 1_048_577];

/// Roundings of a term, the additions of its sum left out.
fn depth(f: Term) -> f64 {
    match f {
        Term::Sum => 0.0,
        // The difference, the square and the scale.
        Term::SquareSum | Term::AbsSum | Term::Mse => 4.0,
        // exp and log1p, each accurate to 4 ulp, take the place of one rounding.
        Term::Bce => 20.0,
        // exp, good to 4 ulp, the fma, two differences and the scale.
        Term::Kl => 12.0,
        // The quotients, the logarithms, good to 2 ulp, the products.
        Term::RhoKl => 12.0,
    }
}

pub(crate) fn reduce(f: Term, s: Shape, scale: f32) -> Op<Shape> {
    Op::Reduce { f, x: s, other: f.other().map(|_| s), parts: shape(&[chunks(s.len())]), y: shape(&[1]), scale }
}

pub(crate) fn reduce_grad(f: Term, s: Shape, scale: f32) -> Op<Shape> {
    Op::ReduceGrad { f, x: f.grad_takes_x().then_some(s), other: f.other().map(|_| s), dy: shape(&[1]), dx: s, scale }
}

pub(super) fn sizes() -> Vec<(&'static str, Vec<usize>)> {
    Term::ALL.into_iter().flat_map(Term::names).map(|name| (name, vec![128, 784])).collect()
}

pub(super) fn rows(rows: &mut Collector) {
    for (turn, n) in SIZES.into_iter().skip(1).chain(REDUCED).chain([0]).enumerate() {
        for f in Term::ALL {
            let s = any(n, turn);
            let mean = (1.0 / n.max(1) as f64) as f32;
            if !f.is_mean() {
                rows.kinds(&reduce(f, s, 1.0));
            } else if n > 0 {
                rows.add(Kind::Integers, reduce(f, s, 0.25));
                rows.add(Kind::Reals, reduce(f, s, mean));
                rows.add(Kind::Edges, reduce(f, s, mean));
            }
            if n < 1 << 20 {
                rows.add(Kind::Integers, reduce_grad(f, s, 0.5));
                rows.add(Kind::Reals, reduce_grad(f, s, f.slope() * mean));
                rows.add(Kind::Edges, reduce_grad(f, s, f.slope() * mean));
            }
        }
    }
    rows.laid(Kind::Integers, reduce(Term::Sum, shape(&[LARGE]), 1.0), Given::default(), Layout::Odd);
}

/// The largest integers whose sums, or sums of squared differences, are still exact.
fn limit(f: Term, n: usize) -> u32 {
    match f {
        Term::Sum | Term::AbsSum if n > 1 << 21 => 1,
        Term::Sum | Term::AbsSum | Term::Bce | Term::Kl | Term::RhoKl => 8,
        Term::SquareSum | Term::Mse => (1..=8u32).rev().find(|r| n * 4 * (r * r) as usize <= 1 << 24).unwrap_or(1),
    }
}

/// The edges of logvar; a few of their exponentials can be added.
const LOGVARS: [f32; 11] = [-1.0, -0.0, 0.0, 1.0, 17.0, -17.0, 30.0, -88.0, -104.0, 1e-30, -1e-30];

/// Whether every step is exact on small integers.
fn is_exact(f: Term) -> bool {
    !matches!(f, Term::Bce | Term::Kl | Term::RhoKl)
}

/// Both operands; terms of one number get x twice.
fn operands(f: Term, n: usize, limit: u32, row: &Row) -> (Vec<f32>, Vec<f32>) {
    let x = row.tame(0, n, limit);
    if f == Term::RhoKl {
        // Activities from 0 to 1, or anything; and wanted ones.
        let mut source = Source::new(row.seed, 7);
        let mut q = |i: usize| match row.kind {
            Kind::Integers => 0.5 + x[i] / 16.0,
            Kind::Edges if i % 2 == 1 || x[i].is_nan() => x[i],
            _ => source.unit(),
        };
        let q = (0..n).map(&mut q).collect();
        let mut rho = || if row.kind == Kind::Integers { 0.5 } else { 0.01 + 0.98 * source.unit() };
        return (q, (0..n).map(|_| rho()).collect());
    }
    let other = match f {
        Term::Mse | Term::Bce => row.tame(1, n, limit),
        Term::Kl => numbers(row.kind, n, row.seed, 1, limit, &LOGVARS),
        Term::Sum | Term::SquareSum | Term::AbsSum | Term::RhoKl => x.clone(),
    };
    (x, other)
}

fn inputs<const N: usize>(f: Term, x: &[f32], target: &[f32], more: [&[f32]; N]) -> Vec<super::super::case::Data> {
    let target = f.other().map(|_| floats([target])).into_iter().flatten();
    floats([x]).into_iter().chain(target).chain(floats(more)).collect()
}

pub(super) fn make(f: Term, s: &Shape, scale: f32, row: &Row) -> Made {
    let n = s.len();
    let (mut x, mut target) = operands(f, n, limit(f, n), row);
    if f == Term::Mse && row.kind == Kind::Reals && n > LANES && n % 2 == 1 {
        // Only the first lane has terms, 1 and 4097^2 = 2^24 + 2^13 + 1: a product that is rounded before it is added
        // shows. Among 256 lanes of any numbers it seldom would.
        x.copy_from_slice(&target);
        (x[0], target[0], x[LANES], target[LANES]) = (1.0, 0.0, 0.0, 4097.0);
    }
    let (value, mut terms) = reference::reduce(f, &f64s(&x), &f64s(&target), scale.into());
    if f == Term::RhoKl {
        // What a quotient is off by is off of its logarithm, however small that is.
        terms += f64::from(scale.abs()) * n as f64;
    }
    let depth = 32.0 + depth(f) + chunks(n).div_ceil(256) as f64;
    let sums = Sums { value: vec![value], terms: vec![terms] };
    let y = Result::summed(vec![contract::reduce(f, &x, &target, scale)], sums, depth, row.exact() && is_exact(f));
    Made { inputs: inputs(f, &x, &target, []), results: vec![y] }
}

pub(super) fn make_grad(f: Term, s: &Shape, scale: f32, row: &Row) -> Made {
    let n = s.len();
    // The gradient of a sum does not depend on x.
    let special = f == Term::Sum && row.kind == Kind::Edges;
    let dy =
        if special { [f32::NAN, f32::NEG_INFINITY, f32::NAN, 1e-30] } else { [2.0, 0.75, -1.0, 0.5] }[Source::new(row.seed, 98).below(4)];
    let (mut x, mut target) = operands(f, n, 8, row);
    match f {
        Term::Bce => x = row.numbers(0, n),
        Term::Kl => target = row.numbers(0, n),
        _ => {}
    }
    let (wide_x, wide_target) = (f64s(&x), f64s(&target));
    let factor = f64::from(scale) * f64::from(dy);
    let oracle = pairs(&wide_x, &wide_target, |x, t| reference::reduce_grad(f, x, t, dy.into(), scale.into()));
    let within = |units: f64, scale, roundings, floor| Within {
        oracle: oracle.clone(),
        scale,
        floor: Some(floor),
        ieee: units * U,
        wgsl: units * U + if is_exact(f) { 0.0 } else { FOUR_ULP },
        roundings,
    };
    let lost = |size: &dyn Fn(f64, f64) -> f64| pairs(&wide_x, &wide_target, |x, t| size(x, t) + f64::from(scale.abs()));
    let w = match f {
        Term::Sum => within(1.0, None, 1.0, vec![1.0 + f64::from(scale.abs()); n]),
        Term::SquareSum => within(2.0, None, 3.0, lost(&|x, _| 1.0 + x.abs())),
        Term::AbsSum => within(1.0, None, 1.0, vec![1.0 + f64::from(scale.abs()); n]),
        Term::Mse => within(3.0, None, 3.0, lost(&|x, t| 1.0 + (x - t).abs())),
        Term::Bce => {
            // The sigmoid is good to 10; the difference and both products add one each.
            let terms = pairs(&wide_x, &wide_target, |z, t| factor.abs() * (reference::sigmoid(z) + t.abs()));
            within(13.0, Some(terms), 4.0, lost(&|_, t| 2.0 + t.abs() + factor.abs()))
        }
        Term::RhoKl => {
            // Both differences, the quotient, the difference and both products.
            let sizes = |q: f64, t: f64| (1.0 - t) / (1.0 - reference::away(q)) + t / reference::away(q);
            let terms = pairs(&wide_x, &wide_target, |q, t| factor.abs() * sizes(q, t));
            within(6.0, Some(terms), 4.0, lost(&|q, t| 2.0 + sizes(q, t) + factor.abs()))
        }
        Term::Kl => {
            // exp is good to 2, in WGSL to 4 ulp; the difference and both products.
            let terms = pairs(&wide_x, &wide_target, |_, logvar| factor.abs() * (logvar.exp() + 1.0));
            within(5.0, Some(terms), 4.0, lost(&|_, logvar| 1.0 + logvar.exp() + factor.abs()))
        }
    };
    let dx = Result::within(pairs(&x, &target, |x, t| contract::reduce_grad(f, x, t, dy, scale)), w);
    let inputs = inputs(f, &x, &target, [&[dy]]).into_iter().skip(usize::from(!f.grad_takes_x())).collect();
    Made { inputs, results: vec![dx.sharp(row.exact() && is_exact(f))] }
}
