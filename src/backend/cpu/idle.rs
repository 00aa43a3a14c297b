//! idle: for how many rows each unit of a code has been off. Bound by memory: 4 bytes an element of the code.

use super::level::leveled;
use crate::op::IDLE_MOST;

/// Units at a time.
const UNITS: usize = 256;

/// So many rows more. The counter stops at 2^24; NaN stays.
#[inline(always)]
fn longer(idle: f32, rows: f32) -> f32 {
    let longer = idle + rows;
    if longer > IDLE_MOST { IDLE_MOST } else { longer }
}

/// `idle` begins with unit `first` of the code's rows, of `columns` each.
#[inline(always)]
fn idle_body(code: &[f32], columns: usize, first: usize, idle: &mut [f32]) {
    let rows = (code.len() / columns) as f32;
    for (n, idle) in idle.chunks_mut(UNITS).enumerate() {
        let mut on = [0u32; UNITS];
        for row in code.chunks_exact(columns) {
            let row = &row[first + n * UNITS..][..idle.len()];
            // By the bits, NaN is on, and subnormal numbers are off, as 0 is.
            on.iter_mut().zip(row).for_each(|(on, x)| *on |= u32::from(x.to_bits() << 1 >= 0x0100_0000));
        }
        idle.iter_mut().zip(on).for_each(|(idle, on)| *idle = if on != 0 { 0.0 } else { longer(*idle, rows) });
    }
}

leveled!(pub(super) fn idle(code: &[f32], columns: usize, first: usize, idle: &mut [f32]) = idle_body);
