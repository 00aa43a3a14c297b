//! gather: rows of the data set by an order and a cursor. Bound by memory: 5 bytes an element for bytes, 8 for floats.

use super::level::leveled;
use super::split;
use crate::Level;

/// Which rows are gathered: the order, and where in it to begin.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) order: &'a [u32],
    pub(super) cursor: u32,
    /// Rows of data; at least 1.
    pub(super) count: usize,
}

impl Rows<'_> {
    /// The row that output row `r` comes from. An index past the data is clamped, so that it can't reach past the buffer.
    fn source(&self, r: usize) -> usize {
        let at = (self.cursor as usize + r) % self.order.len();
        (self.order[at] as usize).min(self.count - 1)
    }
}

pub(super) fn gather_floats(data: &[f32], rows: Rows, columns: usize, y: &mut [f32]) {
    per_row(columns, y, |r, y| {
        let start = rows.source(r) * columns;
        y.copy_from_slice(&data[start..start + columns]);
    });
}

pub(super) fn gather_bytes(level: Level, data: &[u8], rows: Rows, columns: usize, y: &mut [f32]) {
    per_row(columns, y, |r, y| {
        let start = rows.source(r) * columns;
        bytes_piece(level, &data[start..start + columns], y);
    });
}

fn per_row(columns: usize, y: &mut [f32], f: impl Fn(usize, &mut [f32]) + Sync) {
    if columns == 0 {
        return;
    }
    let rows = split::PIECE.div_ceil(columns);
    split::pieces(y, rows * columns, |i, y| {
        for (r, y) in y.chunks_mut(columns).enumerate() {
            f(i * rows + r, y);
        }
    });
}

#[inline(always)]
fn bytes_body(data: &[u8], y: &mut [f32]) {
    for (y, &byte) in y.iter_mut().zip(data) {
        // A division, not a multiplication by 1/255: only this is what other libraries' conversion gives.
        *y = byte as f32 / 255.0;
    }
}

leveled!(fn bytes_piece(data: &[u8], y: &mut [f32]) = bytes_body);
