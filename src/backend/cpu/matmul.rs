//! The product by matrixmultiply, which sums in the same order: blocks of 256 with fused multiply-add where the processor has it.
//! It allocates its packing buffer at each call, so the promise of no heap memory while an op runs holds only where our own tile is used.
#![allow(unsafe_code)]

use super::gemm::Strided;
use super::memory::Rectangle;

/// The rectangle c of `a b`, without bias; k is not 0.
pub(super) fn product(a: Strided, b: Strided, k: usize, c: &mut Rectangle) {
    let (m, n) = (c.rows(), c.columns().len());
    if m == 0 || n == 0 {
        return;
    }
    let b_data = &b.data[c.columns().start * b.column..];
    let last = |rows: usize, row: usize, columns: usize, column: usize| (rows - 1) * row + (columns - 1) * column;
    assert!(last(m, a.row, k, a.column) < a.data.len() && last(k, b.row, n, b.column) < b_data.len(), "a matrix reaches past its data");
    let (to, pitch) = c.first();
    let stride = |s: usize| s as isize;
    // SAFETY: the largest index of a and of b was just asserted to lie inside; c is a rectangle of m rows and n columns that is borrowed mutably.
    unsafe {
        matrixmultiply::sgemm(
            m,
            k,
            n,
            1.0,
            a.data.as_ptr(),
            stride(a.row),
            stride(a.column),
            b_data.as_ptr(),
            stride(b.row),
            stride(b.column),
            0.0,
            to,
            stride(pitch),
            1,
        );
    }
}
