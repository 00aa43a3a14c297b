//! gather: rows of the data set by an order and a cursor. Bound by memory: 5 bytes an element for bytes, 8 for floats.

use super::level::leveled;
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

/// y begins at output row `first`; a row has `columns`, which is not 0.
pub(super) fn gather_floats(data: &[f32], rows: Rows, first: usize, columns: usize, y: &mut [f32]) {
    for (r, y) in y.chunks_mut(columns).enumerate() {
        y.copy_from_slice(&data[rows.source(first + r) * columns..][..columns]);
    }
}

/// As [`gather_floats`], from bytes.
pub(super) fn gather_bytes(level: Level, data: &[u8], rows: Rows, first: usize, columns: usize, y: &mut [f32]) {
    for (r, y) in y.chunks_mut(columns).enumerate() {
        convert(level, &data[rows.source(first + r) * columns..][..columns], y);
    }
}

#[inline(always)]
fn bytes_body(data: &[u8], y: &mut [f32]) {
    for (y, &byte) in y.iter_mut().zip(data) {
        // A division, not a multiplication by 1/255: only this is what other libraries' conversion gives.
        *y = byte as f32 / 255.0;
    }
}

leveled!(fn convert(data: &[u8], y: &mut [f32]) = bytes_body);
