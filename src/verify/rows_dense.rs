//! The rows of the dense layer and its three gradients.

use super::data::{Kind, Source};
use super::rows::{Rows, SIZES};
use super::spec::Spec;

/// The article's network.
const WIDTHS: [usize; 7] = [784, 128, 64, 32, 64, 128, 784];
/// Lengths of the summed dimension round the blocks of 256.
const INNER: [usize; 8] = [255, 256, 257, 300, 512, 513, 784, 1000];

const PRODUCTS: [fn([usize; 3]) -> Spec; 3] = [Spec::Dense, Spec::DenseDx, Spec::DenseDw];

/// {B, I, O} of each row that all three products have.
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

pub(crate) fn add(rows: &mut Rows) {
    for (n, s) in shapes().into_iter().enumerate() {
        for (i, product) in PRODUCTS.into_iter().enumerate() {
            rows.add(Kind::Integers, product(s));
            rows.add(Kind::Reals, product(s));
            if (n + i) % 10 == 0 {
                rows.add(Kind::Edges, product(s));
            }
        }
    }
    for inner in INNER {
        for [m, n] in [[1, 1], [3, 5], [17, 33], [64, 48]] {
            for kind in [Kind::Integers, Kind::Reals] {
                rows.add(kind, Spec::Dense([m, inner, n]));
                rows.add(kind, Spec::DenseDx([m, n, inner]));
                rows.add(kind, Spec::DenseDw([inner, m, n]));
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
    for spec in [Spec::Dense([16, 1, 17]), Spec::DenseDx([16, 17, 1]), Spec::DenseDw([1, 16, 17])] {
        rows.add(Kind::Edges, spec);
    }
    for (n, &batch) in SIZES.iter().chain(&INNER).enumerate() {
        for outputs in [1, 3, 33, 65, SIZES[(n * 5 + 2) % SIZES.len()]] {
            rows.add(Kind::Integers, Spec::DenseDb([batch, outputs]));
            rows.add(Kind::Reals, Spec::DenseDb([batch, outputs]));
        }
        rows.add(Kind::Edges, Spec::DenseDb([batch, SIZES[n % SIZES.len()]]));
    }
    for outputs in WIDTHS.into_iter().take(4) {
        for batch in [128, 96] {
            rows.add(Kind::Reals, Spec::DenseDb([batch, outputs]));
        }
    }
}

/// More rows, and more columns, than the CPU packs at a time. They come last, so that the seeds of the others stay what they are.
pub(crate) fn add_large(rows: &mut Rows) {
    for [m, n] in [[300, 290], [20, 1030]] {
        for kind in [Kind::Integers, Kind::Reals] {
            rows.add(kind, Spec::Dense([m, 259, n]));
            rows.add(kind, Spec::DenseDx([m, n, 259]));
            rows.add(kind, Spec::DenseDw([259, m, n]));
        }
    }
}
