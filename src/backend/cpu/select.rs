//! select: what the cut of its row takes, else 0. Bound by memory: 12 bytes an element.

use super::key;
use super::level::leveled;

/// The first element is element `first` of the cut's rows, of `columns` each, which is not 0.
#[inline(always)]
fn select_body(x: &[f32], cut: &[u32], dy: &[f32], dx: &mut [f32], first: usize, columns: usize) {
    let mut done = 0;
    while done < x.len() {
        let (row, column) = ((first + done) / columns, (first + done) % columns);
        let part = done..x.len().min(done + columns - column);
        let (key, last) = (key::from_unsigned(cut[2 * row]), cut[2 * row + 1]);
        let numbers = x[part.clone()].iter().zip(&dy[part.clone()]).zip(&mut dx[part.clone()]);
        for (c, ((&x, &dy), dx)) in (column as u32..).zip(numbers) {
            let mine = key::signed(x);
            let taken = (mine > key) | ((mine == key) & (c <= last));
            *dx = f32::from_bits(if taken { dy.to_bits() } else { 0 });
        }
        done = part.end;
    }
}

leveled!(pub(super) fn select(x: &[f32], cut: &[u32], dy: &[f32], dx: &mut [f32], first: usize, columns: usize) = select_body);
