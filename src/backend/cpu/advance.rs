//! advance: moves the cursor and counts the step.

pub(super) fn advance(clock: &mut [u32], rows: u32, period: u32) {
    // Both are at most 2^31, and the cursor is below the period, so u64 holds the sum.
    clock[0] = ((clock[0] as u64 + rows as u64) % period as u64) as u32;
    clock[1] = clock[1].wrapping_add(1);
}
