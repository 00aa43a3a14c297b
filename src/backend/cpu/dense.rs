//! The dense layer and its gradients: three products and a sum of rows.

use super::gemm::{Product, Right, Strided};
use super::level::leveled;
use crate::op::BLOCK;

/// The w of `y = x w^T + b` as the right side of the product: w has `inputs` columns.
pub(super) fn turned(w: &[f32], inputs: usize) -> Strided<'_> {
    Strided { data: w, row: 1, column: inputs }
}

/// The w of `dx = dz w`, or the x of `dw = dz^T x`, which has `inputs` columns.
pub(super) fn straight(right: &[f32], inputs: usize) -> Strided<'_> {
    Strided { data: right, row: inputs, column: 1 }
}

/// `y = x w^T + b`: x has `inputs` columns, y one column per row of w.
pub(super) fn dense<'a>(x: &'a [f32], w: Right<'a>, bias: Option<&'a [f32]>, inputs: usize) -> Product<'a> {
    Product { a: Strided { data: x, row: inputs, column: 1 }, b: w, k: inputs, bias }
}

/// `dx = dz w`: dz has `outputs` columns, dx has `inputs`.
pub(super) fn dense_dx<'a>(dz: &'a [f32], w: Right<'a>, outputs: usize) -> Product<'a> {
    Product { a: Strided { data: dz, row: outputs, column: 1 }, b: w, k: outputs, bias: None }
}

/// Rows of `dw = dz^T x` from `first` on: dz has `batch` rows and `outputs` columns.
pub(super) fn dense_dw<'a>(dz: &'a [f32], first: usize, x: Right<'a>, batch: usize, outputs: usize) -> Product<'a> {
    let dz = Strided { data: dz.get(first..).unwrap_or_default(), row: 1, column: outputs };
    Product { a: dz, b: x, k: batch, bias: None }
}

/// `db = sum of the rows of dz`, for the columns from `first` on. Bound by memory: 4 bytes an element.
#[inline(always)]
fn dense_db_body(dz: &[f32], outputs: usize, first: usize, db: &mut [f32]) {
    let mut first = first;
    let (wide, rest) = db.as_chunks_mut::<64>();
    for db in wide {
        columns(dz, outputs, first, db);
        first += 64;
    }
    let (narrow, rest) = rest.as_chunks_mut::<16>();
    for db in narrow {
        columns(dz, outputs, first, db);
        first += 16;
    }
    for db in rest {
        columns(dz, outputs, first, std::array::from_mut(db));
        first += 1;
    }
}

/// The sums of N columns, in registers.
#[inline(always)]
fn columns<const N: usize>(dz: &[f32], outputs: usize, first: usize, db: &mut [f32; N]) {
    *db = [0.0; N];
    for (block, rows) in dz.chunks(BLOCK * outputs).enumerate() {
        let mut acc = [0f32; N];
        for row in rows.chunks_exact(outputs) {
            let row: &[f32; N] = row[first..first + N].try_into().expect("N columns");
            for (acc, &dz) in acc.iter_mut().zip(row) {
                *acc += dz;
            }
        }
        for (db, &acc) in db.iter_mut().zip(&acc) {
            *db = if block == 0 { acc } else { *db + acc };
        }
    }
}

leveled!(pub(super) fn dense_db(dz: &[f32], outputs: usize, first: usize, db: &mut [f32]) = dense_db_body);
