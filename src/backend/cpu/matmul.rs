//! The product by matrixmultiply, which sums in the same order: blocks of 256 with fused multiply-add where the processor has it.
//! It allocates its packing buffer at each call, so the promise of no heap memory while an op runs holds only where our own tile is used.
#![allow(unsafe_code)]

use super::gemm::{Task, add_bias};

pub(super) fn product(task: &Task, c: &mut [f32]) {
    let Task { a, b, n, k, bias } = *task;
    let m = c.len() / n;
    let last = |rows: usize, row: usize, columns: usize, column: usize| (rows - 1) * row + (columns - 1) * column;
    if k == 0 {
        c.fill(0.0);
    } else {
        assert!(last(m, a.row, k, a.column) < a.data.len() && last(k, b.row, n, b.column) < b.data.len(), "a matrix reaches past its data");
        let stride = |s: usize| s as isize;
        // SAFETY: the largest index of a and of b was just asserted to lie inside; c has m rows of n, contiguous, and is borrowed mutably.
        unsafe {
            matrixmultiply::sgemm(
                m,
                k,
                n,
                1.0,
                a.data.as_ptr(),
                stride(a.row),
                stride(a.column),
                b.data.as_ptr(),
                stride(b.row),
                stride(b.column),
                0.0,
                c.as_mut_ptr(),
                stride(n),
                1,
            );
        }
    }
    if let Some(bias) = bias {
        add_bias(c, bias);
    }
}
