//! fill. Bound by memory: 4 bytes an element.

pub(super) fn fill(y: &mut [f32], value: f32) {
    y.fill(value);
}
