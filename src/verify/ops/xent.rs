//! Cross-entropy of a softmax and labels, and its gradient.

use super::super::case::{Data, Made, Result, U, Within, f64s, floats};
use super::super::data::{Kind, Source};
use super::super::row::{Collector, Row, shape};
use super::super::{contract, reference};
use crate::Shape;
use crate::op::Op;

pub(crate) fn xent([rows, classes]: [usize; 2]) -> Op<Shape> {
    let of = || shape(&[rows]);
    Op::Xent { z: shape(&[rows, classes]), label: of(), lse: of(), loss: of() }
}

pub(crate) fn xent_grad([rows, classes]: [usize; 2]) -> Op<Shape> {
    let (z, of) = (shape(&[rows, classes]), || shape(&[rows]));
    Op::XentGrad { z, label: of(), lse: of(), dy: of(), dz: z }
}

pub(super) fn sizes() -> Vec<(&'static str, Vec<usize>)> {
    vec![("xent", vec![128, 784]), ("xent_grad", vec![128, 784])]
}

/// Rows and classes: lanes and one more, and more rows than lanes.
const SIZES: [[usize; 2]; 20] = [
    [1, 1],
    [1, 2],
    [2, 1],
    [2, 10],
    [3, 3],
    [7, 10],
    [16, 17],
    [17, 255],
    [31, 256],
    [33, 257],
    [64, 1],
    [65, 10],
    [127, 33],
    [128, 100],
    [129, 511],
    [5, 4096],
    [2, 4097],
    [257, 10],
    [1000, 2],
    [4097, 3],
];

pub(super) fn rows(rows: &mut Collector) {
    for sizes in SIZES {
        rows.kinds(&xent(sizes));
        rows.kinds(&xent_grad(sizes));
    }
    rows.add(Kind::Integers, xent([0, 5]));
    rows.add(Kind::Integers, xent_grad([0, 5]));
    rows.add(Kind::Integers, xent_grad([5, 0]));
}

/// A label for each row. Where `beyond`, one is past the last class.
fn labels(rows: usize, classes: usize, row: &Row) -> Vec<u32> {
    let mut source = Source::new(row.seed, 5);
    let mut labels: Vec<u32> = (0..rows).map(|_| source.below(classes) as u32).collect();
    if row.seed.is_multiple_of(3) && rows > 0 {
        labels[rows / 2] = [classes as u32, u32::MAX][source.below(2)];
    }
    labels
}

pub(super) fn make(row: &Row) -> Made {
    match &row.op {
        Op::Xent { z, .. } => {
            let (rows, classes) = (z.rows(), z.columns());
            let (x, label) = (row.tame(0, z.len(), 8), labels(rows, classes, row));
            let [lse, loss] = contract::xent(&x, classes, &label);
            let wide = f64s(&x);
            // The value, and what its error is relative to. What a row's sum is off by is off of its logarithm, and the
            // arguments of its exponentials are rounded.
            let of = wide.chunks(classes).zip(&label).map(|(row, &label)| {
                let (most, all, loss) = (row.iter().fold(row[0], |most, &x| most.max(x)), reference::lse(row), reference::xent(row, label));
                let size = 1.0 + most.abs() + (all - most);
                ((all, size), (loss, size + (all - loss).abs()))
            });
            let (all, losses): (Vec<_>, Vec<_>) = of.unzip();
            let units = 40.0 + classes.div_ceil(256) as f64;
            let within = |of: Vec<(f64, f64)>, units: f64| {
                let (oracle, scale) = of.into_iter().unzip();
                Within { oracle, scale: Some(scale), floor: None, ieee: units * U, wgsl: 2.0 * units * U, roundings: 1.0 }
            };
            let results = vec![Result::within(lse, within(all, units)), Result::within(loss, within(losses, units + 1.0))];
            Made { inputs: vec![Data::F32(x), Data::U32(label)], results }
        }
        Op::XentGrad { z, .. } => {
            let (rows, classes) = (z.rows(), z.columns());
            let (x, label) = (row.tame(0, z.len(), 8), labels(rows, classes, row));
            let mut source = Source::new(row.seed, 98);
            let dy: Vec<f32> = (0..rows).map(|_| [2.0, 0.75, -1.0, 0.5][source.below(4)]).collect();
            let lse = if z.is_empty() { vec![0.0; rows] } else { contract::xent(&x, classes, &label)[0].clone() };
            let (mut bits, mut oracle, mut sizes, mut floor) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            for (i, &x) in x.iter().enumerate() {
                let (r, c) = (i / classes, i % classes);
                let hit = c == (label[r] as usize).min(classes - 1);
                bits.push(contract::xent_grad(x, lse[r], hit, dy[r]));
                let (x, lse, hit, dy) = (f64::from(x), f64::from(lse[r]), f64::from(u8::from(hit)), f64::from(dy[r]));
                oracle.push(reference::xent_grad(x, lse, hit, dy));
                sizes.push(dy.abs() * ((x - lse).exp() * (1.0 + (x - lse).abs()) + hit));
                floor.push(2.0 + dy.abs());
            }
            // exp is good to 4 ulp; its argument, the difference and the product.
            let w = Within { oracle, scale: Some(sizes), floor: Some(floor), ieee: 11.0 * U, wgsl: 15.0 * U, roundings: 3.0 };
            let inputs = [Data::F32(x), Data::U32(label)].into_iter().chain(floats([&lse, &dy])).collect();
            Made { inputs, results: vec![Result::within(bits, w)] }
        }
        op => unreachable!("{} is of another family", op.name()),
    }
}
