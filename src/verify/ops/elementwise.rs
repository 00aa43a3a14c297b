//! Functions of two numbers; axpy, clamp, clip, scale, scale_by, fill and copy.

use super::super::case::{Data, FOUR_ULP, Made, Result, U, Within, each, f64s, floats, pairs};
use super::super::data::Kind;
use super::super::layout::Layout;
use super::super::row::{Collector, Given, HUGE, KINDS, LARGE, Row, SIZES, Same, any, shape};
use super::super::{contract, reference};
use crate::Shape;
use crate::op::{Op, Zip};

pub(crate) fn zip(f: Zip, s: Shape) -> Op<Shape> {
    Op::Zip { f, a: s, b: s, y: s }
}

pub(crate) fn axpy(s: Shape, factor: f32) -> Op<Shape> {
    Op::Axpy { a: s, b: s, y: s, factor }
}

pub(crate) fn clamp(s: Shape, [lo, hi]: [f32; 2]) -> Op<Shape> {
    Op::Clamp { x: s, y: s, lo, hi }
}

pub(crate) fn clamp_grad(s: Shape, [lo, hi]: [f32; 2]) -> Op<Shape> {
    Op::ClampGrad { x: s, dy: s, dx: s, lo, hi }
}

/// By a column of a table [T, C].
pub(crate) fn scale_by(s: Shape, table: [usize; 2], column: u32) -> Op<Shape> {
    Op::ScaleBy { x: s, table: shape(&table), clock: shape(&[2]), y: s, column }
}

pub(crate) fn clip(s: Shape, most: f32) -> Op<Shape> {
    Op::Clip { x: s, square: shape(&[1]), y: s, most }
}

pub(super) fn sizes() -> Vec<(&'static str, Vec<usize>)> {
    let zips = Zip::ALL.map(|f| (f.name(), vec![128, 784]));
    let rows = ["axpy", "clamp", "clamp_grad", "scale", "scale_by", "copy"].map(|name| (name, vec![128, 784]));
    let parameters = ["clip", "fill"].map(|name| (name, vec![222_384]));
    zips.into_iter().chain(rows).chain(parameters).collect()
}

const ALIASES: [Same; 4] = [Same::First, Same::Second, Same::Operands, Same::All];

pub(super) fn rows(rows: &mut Collector) {
    let same = |same| Given { same, ..Given::default() };
    let more = [255, 256, 257, 1000, 1023, 1025, 4095, 4097, 65_537, 100_352];
    for (turn, n) in SIZES.into_iter().chain(more).enumerate() {
        let s = any(n, turn);
        for f in Zip::ALL {
            rows.kinds(&zip(f, s));
            for (i, alias) in ALIASES.into_iter().enumerate() {
                rows.given(KINDS[(turn + i) % 3], zip(f, s), same(alias));
            }
        }
        for (kind, factor) in KINDS.into_iter().zip([-3.0, 0.37, 1e-20]) {
            rows.add(kind, axpy(s, factor));
        }
        for (i, alias) in ALIASES.into_iter().enumerate() {
            let (kind, factor) = [(Kind::Integers, 2.0), (Kind::Reals, -0.1), (Kind::Edges, 1.0)][(turn + i) % 3];
            rows.given(kind, axpy(s, factor), same(alias));
        }
        // Between two numbers, on one side, and everywhere.
        let (low, high) = (f32::NEG_INFINITY, f32::INFINITY);
        for (kind, bounds) in [
            (Kind::Integers, [-2.0, 5.0]),
            (Kind::Integers, [[0.0, high], [low, 3.0], [low, high], [-1.0, 1.0]][turn % 4]),
            (Kind::Reals, [-0.3, 0.7]),
            (Kind::Edges, [-30.0, 17.0]),
            (Kind::Edges, [[low, 0.0], [-0.0, high], [low, high], [-1.0, -1e-30]][turn % 4]),
        ] {
            rows.add(kind, clamp(s, bounds));
            rows.add(kind, clamp_grad(s, bounds));
        }
        let mut clip = |kind, most, square, alias| {
            rows.given(kind, self::clip(s, most), Given { square, ..same(alias) });
        };
        // Norms above the largest and below it, 0, infinite and NaN.
        clip(Kind::Integers, 2.0, 4097.0, Same::None);
        clip(Kind::Integers, 70.0, 4096.0, Same::First);
        clip(Kind::Reals, 1.0, 2.0 + n.max(1) as f32, Same::First);
        clip(Kind::Reals, 0.1, [0.0, 1e-14, 1e-20][turn % 3], Same::None);
        clip(Kind::Edges, 1.5, [9.0, f32::INFINITY, f32::NAN][turn % 3], [Same::None, Same::First][turn % 2]);
        // Within the table, at its last row and past it.
        for (kind, (table, column, step)) in KINDS.into_iter().zip([([5, 3], 2, 1), ([6, 1], 0, 5), ([3, 4], 1, u32::MAX)]) {
            let given = Given { clock: [turn as u32, step], ..Given::default() };
            rows.given(kind, self::scale_by(s, table, column), given);
        }
        let mut scale = |kind, factor, alias| rows.given(kind, Op::Scale { x: s, y: s, factor }, same(alias));
        scale(Kind::Integers, -3.0, Same::None);
        scale(Kind::Integers, 4.0, Same::First);
        scale(Kind::Reals, 0.1, Same::None);
        scale(Kind::Reals, -1.0 / 3.0, Same::First);
        scale(Kind::Edges, 1.5, [Same::None, Same::First][turn % 2]);
        rows.add(Kind::Edges, Op::Fill { y: s, value: [f32::NAN, f32::INFINITY, -0.0, 1e-40][turn % 4] });
        rows.add(Kind::Integers, Op::Fill { y: s, value: 3.0 + turn as f32 });
        rows.add(Kind::Reals, Op::Fill { y: s, value: [0.0, -2.5, 0.1][turn % 3] });
        rows.kinds(&Op::Copy { x: s, y: s });
    }
    // Over 65,535 workgroups, and buffers over 128 MiB.
    let (large, huge) = (shape(&[LARGE]), shape(&[HUGE]));
    let mut laid = |kind, op, given| rows.laid(kind, op, given, Layout::Odd);
    laid(Kind::Integers, zip(Zip::Add, shape(&[17, LARGE / 17])), Given::default());
    laid(Kind::Integers, Op::Scale { x: large, y: large, factor: 2.0 }, same(Same::First));
    laid(Kind::Integers, Op::Fill { y: large, value: 7.0 }, Given::default());
    laid(Kind::Reals, Op::Copy { x: huge, y: huge }, Given::default());
}

/// Both operands of a row. A subnormal number meets no infinite one: where it does not count as 0, their product is not
/// NaN.
fn two(row: &Row, n: usize) -> (Vec<f32>, Vec<f32>) {
    let a = row.numbers(0, n);
    if matches!(row.given.same, Same::Operands | Same::All) {
        return (a.clone(), a);
    }
    let tame = |x: f32, other: f32| if x.is_subnormal() && other.is_infinite() { 1e-30 } else { x };
    let b = row.numbers(1, n);
    (pairs(&a, &b, tame), pairs(&b, &a, tame))
}

pub(super) fn make(row: &Row) -> Made {
    let n = row.op.size();
    let made = |inputs, result| Made { inputs, results: vec![result] };
    match row.op {
        Op::Zip { f, .. } => {
            let (a, b) = two(row, n);
            let (oracle, bits) = (reference::pair(f), contract::pair(f));
            let of = |units| Result::rounded(pairs(&a, &b, bits), pairs(&f64s(&a), &f64s(&b), oracle), units);
            // Both operands and the result may be lost; in a product an operand with the other as a factor.
            let y = match f {
                Zip::Add => of([1.0, 1.0]).losing(3.0, None).sharp(row.exact()),
                Zip::Mul => {
                    let floor = pairs(&a, &b, |a, b| 1.0 + f64::from(a.abs()) + f64::from(b.abs()));
                    of([1.0, 1.0]).losing(3.0, Some(floor)).sharp(row.exact())
                }
                // exp is good to 2, in WGSL to 4 ulp, and fma may round twice there; then the fma and two differences.
                Zip::KlTerms => {
                    let size = |mu: f32, logvar: f32| reference::kl_parts(mu.into(), logvar.into()).iter().map(|part| part.abs()).sum();
                    let mut y = of([5.0, 12.0]);
                    if let Some(within) = &mut y.within {
                        within.scale = Some(pairs(&a, &b, size));
                    }
                    y
                }
            };
            made(floats([&a, &b]), y)
        }
        Op::Axpy { factor, .. } => {
            let (a, b) = two(row, n);
            let oracle = pairs(&a, &b, |a, b| f64::from(b) * f64::from(factor) + f64::from(a));
            // fma may round twice in WGSL; then the terms count, not their sum.
            let scale = Some(pairs(&a, &b, |a, b| f64::from((b * factor).abs()) + f64::from(a.abs())));
            let floor = Some(vec![1.0 + f64::from(factor.abs()); n]);
            let w = Within { oracle, scale, floor, ieee: U, wgsl: 2.0 * U, roundings: 3.0 };
            let y = Result::within(pairs(&a, &b, |a, b| contract::fma(b, factor, a)), w);
            made(floats([&a, &b]), y.sharp(row.exact()))
        }
        Op::Clamp { lo, hi, .. } => {
            let x = row.numbers(0, n);
            let oracle = each(&f64s(&x), |x| reference::clamp(x, [lo.into(), hi.into()]));
            made(floats([&x]), Result::rounded(each(&x, |x| contract::clamp(x, [lo, hi])), oracle, [0.0, 0.0]).sharp(row.exact()))
        }
        Op::ClampGrad { lo, hi, .. } => {
            // A subnormal x counts as 0, which may lie on the other side of a bound.
            let x = each(&row.numbers(0, n), |x| if x.is_subnormal() { 1e-30 } else { x });
            let dy = row.numbers(1, n);
            let oracle = pairs(&f64s(&x), &f64s(&dy), |x, dy| reference::clamp_grad(x, dy, [lo.into(), hi.into()]));
            let dx = Result::rounded(pairs(&x, &dy, |x, dy| contract::clamp_grad(x, dy, [lo, hi])), oracle, [0.0, 0.0]);
            made(floats([&x, &dy]), dx.sharp(true))
        }
        Op::Clip { most, .. } => {
            let (x, square) = (row.numbers(0, n), row.given.square);
            let oracle = each(&f64s(&x), |x| reference::clip(x, square.into(), most.into()));
            // The root, the sum, the quotient and the product; in WGSL 4 ulp more for the root and for the quotient.
            let w = Within { oracle, scale: None, floor: None, ieee: 4.0 * U, wgsl: 4.0 * U + 2.0 * FOUR_ULP, roundings: 2.0 };
            made(floats([&x, &[square]]), Result::within(each(&x, |x| contract::clip(x, square, most)), w))
        }
        Op::Scale { factor, .. } => {
            let x = row.numbers(0, n);
            let oracle = each(&x, |x| f64::from(x) * f64::from(factor));
            let floor = Some(vec![1.0 + f64::from(factor.abs()); n]);
            let y = Result::rounded(each(&x, |x| contract::times(x, factor)), oracle, [1.0, 1.0]).losing(1.0, floor);
            made(floats([&x]), y.sharp(row.exact() && factor.fract() == 0.0))
        }
        Op::ScaleBy { table, column, .. } => {
            let (x, step) = (row.numbers(0, n), row.given.clock[1]);
            // Numbers of which no two are the same, whole ones for rows of integers.
            let unit = if row.exact() { 1.0 } else { 0.37 };
            let table_of: Vec<f32> = (0..table.len()).map(|i| unit * (i as f32 - 2.5).floor()).collect();
            let (columns, at) = (table.columns(), column as usize);
            let factor = table_of[(step as usize).min(table.rows() - 1) * columns + at];
            let oracle = each(&f64s(&x), |x| reference::scale_by(x, &table_of, columns, at, step));
            let floor = Some(vec![1.0 + f64::from(factor.abs()); n]);
            let y = Result::rounded(each(&x, |x| contract::times(x, factor)), oracle, [1.0, 1.0]).losing(1.0, floor);
            let inputs = floats([&x, &table_of]).into_iter().chain([Data::U32(row.given.clock.to_vec())]).collect();
            made(inputs, y.sharp(row.exact()))
        }
        Op::Fill { value, .. } => made(vec![], Result::exactly(vec![value; n])),
        Op::Copy { .. } => {
            let x = row.numbers(0, n);
            made(floats([&x]), Result::exactly(x.clone()))
        }
        ref op => unreachable!("{} is of another family", op.name()),
    }
}
