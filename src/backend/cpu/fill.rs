//! fill. Bound by memory: 4 bytes an element.

use super::split;

pub(super) fn fill(y: &mut [f32], value: f32) {
    split::pieces(y, split::PIECE, |_, y| y.fill(value));
}
