//! gather: rows of the data set, by an order and a cursor. Bound by memory: 5 bytes an element for bytes, 8 for floats.

use super::level::leveled;
use super::tile;
use crate::Level;

/// The rows to gather: the order, and where to start in it.
#[derive(Clone, Copy)]
pub(super) struct Selection<'a> {
    pub(super) order: &'a [u32],
    pub(super) cursor: u32,
    /// Rows of data; at least 1.
    pub(super) count: usize,
}

impl Selection<'_> {
    /// The row that output row `r` comes from. An index past the data is clamped, so that it can't reach past the
    /// buffer.
    fn source(&self, r: usize) -> usize {
        let at = (self.cursor as usize + r) % self.order.len();
        (self.order[at] as usize).min(self.count - 1)
    }
}

/// y starts at output row `first`; a row has `columns`, which is not 0.
pub(super) fn gather_words<T: Copy>(data: &[T], selection: Selection, first: usize, columns: usize, y: &mut [T]) {
    each(data, selection, first, columns, y, |row, y| y.copy_from_slice(row));
}

/// As [`gather_words`], from bytes.
pub(super) fn gather_bytes(level: Level, data: &[u8], selection: Selection, first: usize, columns: usize, y: &mut [f32]) {
    each(data, selection, first, columns, y, |row, y| convert(level, row, y));
}

/// Calls `f` with each row of y and its source. A data set larger than the caches lies in memory, and the processor
/// can't guess which row comes next, so some are fetched ahead.
fn each<T, Y>(data: &[T], selection: Selection, first: usize, columns: usize, y: &mut [Y], f: impl Fn(&[T], &mut [Y])) {
    const AHEAD: usize = 4;
    let row = |r: usize| &data[selection.source(first + r) * columns..][..columns];
    let fetch = |r: usize| row(r).iter().step_by(64 / size_of::<T>()).for_each(|x| tile::fetch::<{ tile::NEAR }, T>(x));
    let count = y.len() / columns;
    (0..AHEAD.min(count)).for_each(fetch);
    for (r, y) in y.chunks_mut(columns).enumerate() {
        if r + AHEAD < count {
            fetch(r + AHEAD);
        }
        f(row(r), y);
    }
}

/// 1/255 in two parts. A byte times the first is exact, and the sum has the bits of a division by 255: a test checks
/// all 256 bytes.
const PARTS: [f32; 2] = [257.0 / 65536.0, 1.0 / (255.0 * 65536.0)];

#[inline(always)]
fn bytes_body(data: &[u8], y: &mut [f32]) {
    for (y, &byte) in y.iter_mut().zip(data) {
        // The conversions of other libraries divide by 255, which takes three times as long; a multiplication by 1/255
        // gives other bits for half the bytes.
        let byte = byte as f32;
        *y = byte * PARTS[0] + byte * PARTS[1];
    }
}

leveled!(fn convert(data: &[u8], y: &mut [f32]) = bytes_body);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_divided_by_255_to_the_bit() {
        let bytes: Vec<u8> = (0..=255).collect();
        for level in [Level::Portable, Level::Avx2, Level::Avx512].into_iter().filter(|level| level.require().is_ok()) {
            let mut y = [f32::NAN; 256];
            convert(level, &bytes, &mut y);
            assert!(bytes.iter().zip(y).all(|(&byte, y)| y.to_bits() == (f32::from(byte) / 255.0).to_bits()), "{level}");
        }
    }
}
