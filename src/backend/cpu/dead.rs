//! dead: the numbers of units that have been idle for long, and another number elsewhere. Bound by memory: 8 bytes an
//! element.

use super::level::leveled;

/// x begins with unit `first` of a row.
#[inline(always)]
fn dead_body(x: &[f32], idle: &[f32], y: &mut [f32], first: usize, least: f32, other: f32) {
    let mut done = 0;
    let mut first = first;
    while done < x.len() {
        let part = done..x.len().min(done + idle.len() - first);
        let numbers = x[part.clone()].iter().zip(&idle[first..]).zip(&mut y[part.clone()]);
        for ((&x, &idle), y) in numbers {
            *y = f32::from_bits(if idle >= least { x.to_bits() } else { other.to_bits() });
        }
        (done, first) = (part.end, 0);
    }
}

leveled!(pub(super) fn dead(x: &[f32], idle: &[f32], y: &mut [f32], first: usize, least: f32, other: f32) = dead_body);
