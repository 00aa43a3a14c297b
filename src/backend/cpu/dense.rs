//! The dense layer and its gradients: three products and a sum of rows.

use super::gemm::{Gemm, Strided, Task};
use super::level::leveled;
use super::split;
use crate::Level;
use crate::op::BLOCK;

/// `y = x w^T + b`: x has `inputs` columns, y one column per element of b.
pub(super) fn dense(gemm: &Gemm, x: &[f32], w: &[f32], b: &[f32], y: &mut [f32], inputs: usize) {
    let x = Strided { data: x, row: inputs, column: 1 };
    let w = Strided { data: w, row: 1, column: inputs };
    gemm.product(&Task { a: x, b: w, n: b.len(), k: inputs, bias: Some(b) }, y);
}

/// `dx = dz w`: dz has `outputs` columns, dx has `inputs`.
pub(super) fn dense_dx(gemm: &Gemm, dz: &[f32], w: &[f32], dx: &mut [f32], outputs: usize, inputs: usize) {
    let dz = Strided { data: dz, row: outputs, column: 1 };
    let w = Strided { data: w, row: inputs, column: 1 };
    gemm.product(&Task { a: dz, b: w, n: inputs, k: outputs, bias: None }, dx);
}

/// `dw = dz^T x`: dz has `outputs` columns, x has `inputs`, both `batch` rows.
pub(super) fn dense_dw(gemm: &Gemm, dz: &[f32], x: &[f32], dw: &mut [f32], batch: usize, outputs: usize, inputs: usize) {
    let dz = Strided { data: dz, row: 1, column: outputs };
    let x = Strided { data: x, row: inputs, column: 1 };
    gemm.product(&Task { a: dz, b: x, n: inputs, k: batch, bias: None }, dw);
}

/// Columns whose sums one thread takes at a time.
const COLUMNS: usize = 128;

/// `db = sum of the rows of dz`.
pub(super) fn dense_db(level: Level, dz: &[f32], db: &mut [f32]) {
    let outputs = db.len();
    split::pieces(db, COLUMNS, |i, db| dense_db_piece(level, dz, outputs, i * COLUMNS, db));
}

#[inline(always)]
fn dense_db_body(dz: &[f32], outputs: usize, first: usize, db: &mut [f32]) {
    let n = db.len();
    db.fill(0.0);
    for (block, rows) in dz.chunks(BLOCK * outputs).enumerate() {
        let mut acc = [0f32; COLUMNS];
        for row in rows.chunks_exact(outputs) {
            for (acc, &dz) in acc.iter_mut().zip(&row[first..first + n]) {
                *acc += dz;
            }
        }
        for (db, &acc) in db.iter_mut().zip(&acc) {
            *db = if block == 0 { acc } else { *db + acc };
        }
    }
}

leveled!(fn dense_db_piece(dz: &[f32], outputs: usize, first: usize, db: &mut [f32]) = dense_db_body);
