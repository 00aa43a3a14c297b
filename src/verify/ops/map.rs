//! Functions of one number, and their derivatives.

use super::super::case::{Made, Result, each, f64s, floats, pairs};
use super::super::data::Kind;
use super::super::layout::Layout;
use super::super::row::{Collector, Given, LARGE, Row, SIZES, any, shape};
use super::super::{contract, reference};
use crate::Shape;
use crate::op::{Map, Op};

/// How far a function or its derivative may be off.
struct Bound {
    /// Half ulps on the CPU and in WGSL. 0: every step is exact.
    units: [f64; 2],
    /// What turns a lost subnormal into an error of the result: 1, and this times abs(x), or abs(dy) for a derivative.
    lost: f64,
    /// The size that the half ulps refer to, for a derivative times abs(dy); the result's own where there is none.
    size: Option<fn(f64) -> f64>,
}

/// Of the function and of its derivative; and whether the derivative jumps at 0.
fn bounds(f: Map) -> ([Bound; 2], bool) {
    let bound = |ieee, wgsl, lost| Bound { units: [ieee, wgsl], lost, size: None };
    match f {
        Map::Relu => ([bound(0.0, 0.0, 0.0), bound(0.0, 0.0, 0.0)], true),
        Map::Leaky => ([bound(1.0, 1.0, 0.0), bound(1.0, 1.0, 0.0)], true),
        // exp is good to 4 ulp, of which the sum and the quotient leave all in the tail; two roundings more.
        Map::Sigmoid => ([bound(10.0, 18.0, 0.0), bound(14.0, 22.0, 1.0)], false),
        // Above 0.625 e is at most 0.29, so its error of 4 ulp counts for less than half in the difference and in the
        // sum.
        Map::Tanh => ([bound(8.0, 16.0, 0.0), bound(14.0, 22.0, 4.0)], false),
        // exp and log1p are good to 4 ulp each; the sum. The sigmoid and a product.
        Map::Softplus => ([bound(17.0, 25.0, 0.0), bound(11.0, 19.0, 1.0)], false),
        // Two sigmoids of 10, two products, the fma. Near its zero the derivative is a difference.
        Map::Silu => {
            let size = |x: f64| reference::sigmoid(x) * (1.0 + x.abs().min(1e3) * reference::sigmoid(-x));
            ([bound(11.0, 19.0, 1.0), Bound { size: Some(size), ..bound(24.0, 40.0, 106.0) }], false)
        }
        // 0.88 ulp, which is at most 1.76 half ulps of the result; 4 ulp in WGSL. A product.
        Map::Exp => ([bound(2.0, 8.0, 0.0), bound(3.0, 9.0, 1.0)], false),
        Map::Abs => ([bound(0.0, 0.0, 0.0), bound(0.0, 0.0, 0.0)], true),
    }
}

pub(crate) fn map(f: Map, s: Shape) -> Op<Shape> {
    Op::Map { f, x: s, y: s }
}

pub(crate) fn map_grad(f: Map, s: Shape) -> Op<Shape> {
    Op::MapGrad { f, x: s, dy: s, dx: s }
}

pub(super) fn sizes() -> Vec<(&'static str, Vec<usize>)> {
    Map::ALL.into_iter().flat_map(Map::names).map(|name| (name, vec![128, 784])).collect()
}

pub(super) fn rows(rows: &mut Collector) {
    let more = [255, 256, 257, 1000, 1023, 1025, 4095, 4097, 65_537, 100_352];
    for (turn, n) in SIZES.into_iter().chain(more).enumerate() {
        for f in Map::ALL {
            rows.kinds(&map(f, any(n, turn)));
            rows.kinds(&map_grad(f, any(n, turn)));
        }
    }
    rows.laid(Kind::Integers, map(Map::Relu, shape(&[LARGE])), Given::default(), Layout::Odd);
    rows.laid(Kind::Reals, map(Map::Relu, shape(&[1000])), Given::default(), Layout::Far);
}

pub(super) fn make(f: Map, s: &Shape, row: &Row) -> Made {
    let ([bound, _], _) = bounds(f);
    let x = row.numbers(0, s.len());
    let (oracle, bits) = (reference::function(f).0, contract::function(f).0);
    let mut y = Result::rounded(each(&x, bits), each(&f64s(&x), oracle), bound.units);
    if bound.lost > 0.0 {
        y = y.losing(bound.units[0], Some(each(&x, |x| bound.lost * f64::from(x.abs()) + 1.0)));
    }
    Made { inputs: floats([&x]), results: vec![y.sharp(bound.units[0] == 0.0 && row.exact())] }
}

pub(super) fn make_grad(f: Map, s: &Shape, row: &Row) -> Made {
    let ([_, bound], jumps) = bounds(f);
    let (x, dy) = (row.numbers(0, s.len()), row.numbers(1, s.len()));
    // A subnormal x counts as 0, where a derivative that jumps may differ. No bound can express that, so x has none.
    let tame = |x: f32| if jumps && x.is_subnormal() { 1e-30 } else { x };
    let x = each(&x, tame);
    let (oracle, bits) = (reference::function(f).1, contract::function(f).1);
    // Nor does a subnormal dy meet a large derivative, which makes it count where it is not 0.
    let tame = |x: f32, dy: f32| if dy.is_subnormal() && bits(x, 1.0).abs() > 2.0 { 1e-30 } else { dy };
    let dy = pairs(&x, &dy, tame);
    let floor = each(&dy, |dy| bound.lost * f64::from(dy.abs()) + 1.0);
    let dx = Result::rounded(pairs(&x, &dy, bits), pairs(&f64s(&x), &f64s(&dy), oracle), bound.units);
    let mut dx = dx.losing(6.0, Some(floor)).sharp(bound.units[0] == 0.0);
    if let (Some(size), Some(within)) = (bound.size, &mut dx.within) {
        within.scale = Some(pairs(&x, &dy, |x, dy| size(x.into()) * f64::from(dy.abs())));
    }
    Made { inputs: floats([&x, &dy]), results: vec![dx] }
}
