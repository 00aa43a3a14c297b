//! Adam: its operands, and the bounds of its three results.

use super::super::case::{Data, Made, Result, U, Within, floats};
use super::super::data::{Kind, Source, numbers};
use super::super::row::{Collector, Given, KINDS, Row, SIZES, any, shape};
use super::super::{contract, reference};
use crate::Shape;
use crate::op::{AdamHyper, Op};

/// Parameters, gradients and moments of that shape, and a table of this many steps.
pub(crate) fn adam(s: Shape, steps: usize, hyper: AdamHyper) -> Op<Shape> {
    Op::Adam { p: s, g: s, m: s, v: s, table: shape(&[steps, 4]), clock: shape(&[2]), hyper }
}

pub(super) fn sizes() -> Vec<(&'static str, Vec<usize>)> {
    vec![("adam", vec![222_384])]
}

pub(super) fn rows(rows: &mut Collector) {
    let hyper =
        |beta1: f64, beta2: f64, eps: f32| AdamHyper { w1: (1.0 - beta1) as f32, beta2: beta2 as f32, w2: (1.0 - beta2) as f32, eps };
    for (turn, n) in SIZES.into_iter().chain([255, 257, 1000, 4097, 100_352]).enumerate() {
        let mut add = |kind, steps, step, hyper| {
            rows.given(kind, adam(any(n, turn), steps, hyper), Given { clock: [9, step], ..Given::default() });
        };
        for (kind, (steps, step)) in KINDS.into_iter().zip([(5, 0), (6, 2), (1, 0)]) {
            add(kind, steps, step, hyper(0.9, 0.999, 1e-8));
        }
        // Past the table: its last row.
        for (kind, (steps, step)) in KINDS.into_iter().zip([(3, 3), (200, 1_000), (2, u32::MAX)]) {
            add(kind, steps, step, hyper(0.5, 0.95, 1e-4));
        }
    }
}

/// The table of learning rates, bias corrections and the factors of weight decay, computed in f64 and rounded once; the
/// last of `steps` rows has no correction. Tables of an odd number of steps have no weight decay.
fn table(steps: usize, hyper: AdamHyper) -> Vec<[f32; 4]> {
    let (beta1, beta2) = (1.0 - f64::from(hyper.w1), f64::from(hyper.beta2));
    let keep = |lr: f64| if steps % 2 == 1 { 1.0 } else { (1.0 - lr * 20.0) as f32 };
    (1..=steps as i32)
        .map(|t| match t as usize == steps && steps > 1 {
            true => [0.5e-3, 1.0, 1.0, keep(0.5e-3)],
            false => [1e-3, (1.0 / (1.0 - beta1.powi(t))) as f32, (1.0 / (1.0 - beta2.powi(t)).sqrt()) as f32, keep(1e-3)],
        })
        .collect()
}

/// The edges of a gradient; their squares do not overflow.
const GRADIENTS: [f32; 9] = [0.0, -0.0, 1.0, -1.0, 1e-30, -1e-20, 104.0, 1e18, -1e18];

pub(super) fn make(table: &Shape, hyper: AdamHyper, row: &Row) -> Made {
    let (n, steps, clock) = (row.op.size(), table.rows(), row.given.clock);
    let Row { kind, seed, .. } = *row;
    let (p, mut g, m) = (
        numbers(kind, n, seed, 0, 8, &[1.0, -3.0, 0.0]),
        numbers(kind, n, seed, 1, 8, &GRADIENTS),
        numbers(kind, n, seed, 2, 8, &[0.0, 0.5]),
    );
    if kind == Kind::Edges && (n > 2 || n > 0 && Source::new(seed, 99).below(2) == 1) {
        g[n / 2] = f32::NAN;
    }
    // The mean of squares is never negative.
    let mut source = Source::new(seed, 3);
    let v: Vec<f32> = (0..n).map(|i| if kind == Kind::Edges { [0.0, 1e-30, 2.0][i % 3] } else { source.real().powi(2) }).collect();
    let table = self::table(steps, hyper);
    let row = table[(clock[1] as usize).min(steps - 1)];

    let wide = [hyper.w1, hyper.beta2, hyper.w2, hyper.eps].map(f64::from);
    let oracle: Vec<reference::Adam> =
        (0..n).map(|i| reference::adam([p[i], g[i], m[i], v[i]].map(f64::from), row.map(f64::from), wide)).collect();
    let bits: Vec<[f32; 3]> = (0..n).map(|i| contract::adam([p[i], g[i], m[i], v[i]], row, hyper)).collect();
    let pick = |f: &dyn Fn(&reference::Adam) -> f64| oracle.iter().map(f).collect::<Vec<f64>>();
    let contract = |c: usize| Data::F32(bits.iter().map(|b| b[c]).collect());

    // m: the difference and the fma. v: a product, the fma, beta2 v; a subnormal w2 g is multiplied by g again.
    // p: 2 of m, 2 of lr c1 m, 3.5 of d, 1 of the quotient, all relative to the step, one of the final difference, and
    // one of p times what decay leaves; in WGSL besides, 8 for the square root, 8 for the division and 4 for what fma
    // leaves.
    let m_within =
        Within { oracle: pick(&|a| a.m), scale: Some(pick(&|a| a.m_terms)), floor: None, ieee: 2.0 * U, wgsl: 4.0 * U, roundings: 3.0 };
    let v_floor = Some(g.iter().map(|g| 2.0 + f64::from(g.abs())).collect());
    let v_within = Within { oracle: pick(&|a| a.v), scale: None, floor: v_floor, ieee: 3.0 * U, wgsl: 4.0 * U, roundings: 2.0 };
    let p_scale = Some(pick(&|a| a.p.abs() + 10.0 * a.rate * a.m_terms));
    let p_floor = Some(pick(&|a| 1.0 + a.rate));
    let p_within = Within { oracle: pick(&|a| a.p), scale: p_scale, floor: p_floor, ieee: 2.0 * U, wgsl: 4.0 * U, roundings: 7.0 };

    let inputs = floats([&p, &g, &m, &v, &table.concat()]).into_iter().chain([Data::U32(clock.to_vec())]).collect();
    let results = [(0, p_within), (1, m_within), (2, v_within)];
    Made { inputs, results: results.map(|(c, within)| Result { contract: contract(c), within: Some(within) }).into() }
}
