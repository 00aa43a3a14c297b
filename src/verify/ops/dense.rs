//! The dense layer, its three gradients, and rows.

use super::super::case::{Made, Result, f64s, floats};
use super::super::data::{Kind, Source};
use super::super::row::{Collector, KINDS, Row, SIZES, shape};
use super::super::{contract, reference};
use crate::Shape;
use crate::op::Op;

/// The article's network.
const WIDTHS: [usize; 7] = [784, 128, 64, 32, 64, 128, 784];
/// Lengths of the summed dimension around multiples of 256.
const INNER: [usize; 8] = [255, 256, 257, 300, 512, 513, 784, 1000];

const PRODUCTS: [fn([usize; 3]) -> Op<Shape>; 3] = [dense, dense_dx, dense_dw];

/// {B, I, O}
pub(crate) fn dense([batch, inputs, outputs]: [usize; 3]) -> Op<Shape> {
    let (x, w, y) = (shape(&[batch, inputs]), shape(&[outputs, inputs]), shape(&[batch, outputs]));
    Op::Dense { x, w, b: Some(shape(&[outputs])), y }
}

/// A dense layer without a bias.
fn plain([batch, inputs, outputs]: [usize; 3]) -> Op<Shape> {
    Op::Dense { x: shape(&[batch, inputs]), w: shape(&[outputs, inputs]), b: None, y: shape(&[batch, outputs]) }
}

pub(crate) fn dense_dx([batch, inputs, outputs]: [usize; 3]) -> Op<Shape> {
    Op::DenseDx { dz: shape(&[batch, outputs]), w: shape(&[outputs, inputs]), dx: shape(&[batch, inputs]) }
}

pub(crate) fn dense_dw([batch, inputs, outputs]: [usize; 3]) -> Op<Shape> {
    Op::DenseDw { dz: shape(&[batch, outputs]), x: shape(&[batch, inputs]), dw: shape(&[outputs, inputs]) }
}

pub(crate) fn dense_db([batch, outputs]: [usize; 2]) -> Op<Shape> {
    Op::DenseDb { dz: shape(&[batch, outputs]), db: shape(&[outputs]) }
}

pub(crate) fn repeated([rows, columns]: [usize; 2]) -> Op<Shape> {
    Op::Rows { v: shape(&[columns]), y: shape(&[rows, columns]) }
}

pub(super) fn sizes() -> Vec<(&'static str, Vec<usize>)> {
    let product = vec![128, 784, 128];
    let products = ["dense", "dense_dx", "dense_dw"].map(|name| (name, product.clone()));
    products.into_iter().chain([("dense_db", vec![128, 784]), ("rows", vec![128, 784])]).collect()
}

/// {B, I, O} of the rows that all three products share.
fn shapes() -> Vec<[usize; 3]> {
    let mut source = Source::new(784, 0);
    let mut shapes = Vec::new();
    let mut add = |s: [usize; 3]| {
        if !shapes.contains(&s) {
            shapes.push(s);
        }
    };
    for role in 0..3 {
        for (n, &size) in SIZES.iter().enumerate() {
            for (j, others) in [[1, 1], [5, 9], [33, 65]].into_iter().enumerate() {
                let mut s = [0; 3];
                s[role] = size;
                s[(role + 1) % 3] = others[0];
                s[(role + 2) % 3] = others[1];
                if j == 0 {
                    s[(role + 1) % 3] = SIZES[(n * 5 + role) % SIZES.len()];
                    s[(role + 2) % 3] = SIZES[(n * 3 + 7 + role) % SIZES.len()];
                }
                add(s);
            }
        }
    }
    for _ in 0..14 {
        add([1 + source.below(140), 1 + source.below(140), 1 + source.below(140)]);
    }
    shapes
}

pub(super) fn rows(rows: &mut Collector) {
    for (n, s) in shapes().into_iter().enumerate() {
        for (i, product) in PRODUCTS.into_iter().enumerate() {
            rows.add(Kind::Integers, product(s));
            rows.add(Kind::Reals, product(s));
            if (n + i) % 10 == 0 {
                rows.add(Kind::Edges, product(s));
            }
        }
        rows.add(KINDS[n % 3], plain(s));
    }
    for inner in INNER {
        for [m, n] in [[1, 1], [3, 5], [17, 33], [64, 48]] {
            for kind in [Kind::Integers, Kind::Reals] {
                rows.add(kind, dense([m, inner, n]));
                rows.add(kind, dense_dx([m, n, inner]));
                rows.add(kind, dense_dw([inner, m, n]));
            }
        }
    }
    for batch in [128, 96, 1] {
        for layer in WIDTHS.windows(2) {
            for product in PRODUCTS {
                let s = [batch, layer[0], layer[1]];
                rows.add(Kind::Reals, product(s));
                if batch != 96 {
                    rows.add(Kind::Integers, product(s));
                }
            }
        }
    }
    // One term of each sum, so that a product that underflows to -0 stays -0.
    for op in [dense([16, 1, 17]), plain([16, 1, 17]), dense_dx([16, 17, 1]), dense_dw([1, 16, 17])] {
        rows.add(Kind::Edges, op);
    }
    // More rows, and more columns, than the CPU packs at a time.
    for [m, n] in [[300, 290], [20, 1030]] {
        for kind in [Kind::Integers, Kind::Reals] {
            rows.add(kind, dense([m, 259, n]));
            rows.add(kind, dense_dx([m, n, 259]));
            rows.add(kind, dense_dw([259, m, n]));
        }
        rows.add(Kind::Reals, plain([m, 259, n]));
    }
    for (n, &batch) in SIZES.iter().chain(&INNER).enumerate() {
        for outputs in [1, 3, 33, 65, SIZES[(n * 5 + 2) % SIZES.len()]] {
            rows.add(Kind::Integers, dense_db([batch, outputs]));
            rows.add(Kind::Reals, dense_db([batch, outputs]));
            rows.add(KINDS[(n + outputs) % 3], repeated([batch, outputs]));
        }
        rows.add(Kind::Edges, dense_db([batch, SIZES[n % SIZES.len()]]));
        rows.add(Kind::Edges, repeated([batch, SIZES[n % SIZES.len()]]));
    }
    for outputs in WIDTHS.into_iter().take(4) {
        for batch in [128, 96] {
            rows.add(Kind::Reals, dense_db([batch, outputs]));
            rows.add(Kind::Reals, repeated([batch, outputs]));
        }
    }
}

pub(super) fn make(row: &Row) -> Made {
    let exact = row.exact();
    match &row.op {
        Op::Dense { x, w, b, .. } => {
            let s @ [batch, inputs, outputs] = [x.rows(), x.columns(), w.rows()];
            let (x, w) = (row.tame(0, batch * inputs, 8), row.tame(1, outputs * inputs, 8));
            let b = b.map(|_| row.tame(2, outputs, 8));
            let sums = reference::dense(&f64s(&x), &f64s(&w), b.as_deref().map(f64s).as_deref(), s);
            let y = Result::summed(contract::dense(&x, &w, b.as_deref(), s), sums, inputs as f64 + 1.0, exact);
            let inputs = floats([&x, &w]).into_iter().chain(b.map(|b| floats([&b])).into_iter().flatten());
            Made { inputs: inputs.collect(), results: vec![y] }
        }
        Op::DenseDx { dz, w, .. } => {
            let s @ [batch, inputs, outputs] = [dz.rows(), w.columns(), w.rows()];
            let (dz, w) = (row.tame(0, batch * outputs, 8), row.tame(1, outputs * inputs, 8));
            let sums = reference::dense_dx(&f64s(&dz), &f64s(&w), s);
            let dx = Result::summed(contract::dense_dx(&dz, &w, s), sums, outputs as f64, exact);
            Made { inputs: floats([&dz, &w]), results: vec![dx] }
        }
        Op::DenseDw { dz, x, .. } => {
            let s @ [batch, inputs, outputs] = [x.rows(), x.columns(), dz.columns()];
            let (dz, x) = (row.tame(0, batch * outputs, 8), row.tame(1, batch * inputs, 8));
            let sums = reference::dense_dw(&f64s(&dz), &f64s(&x), s);
            let dw = Result::summed(contract::dense_dw(&dz, &x, s), sums, batch as f64, exact);
            Made { inputs: floats([&dz, &x]), results: vec![dw] }
        }
        Op::DenseDb { dz, .. } => {
            let s @ [batch, outputs] = [dz.rows(), dz.columns()];
            let dz = row.tame(0, batch * outputs, 8);
            let db = Result::summed(contract::dense_db(&dz, s), reference::dense_db(&f64s(&dz), s), batch as f64, exact);
            Made { inputs: floats([&dz]), results: vec![db] }
        }
        Op::Rows { v, y } => {
            let v = row.numbers(0, v.len());
            let y = Result::exactly(reference::rows(&v, y.rows()));
            Made { inputs: floats([&v]), results: vec![y] }
        }
        op => unreachable!("{} is not a product", op.name()),
    }
}
