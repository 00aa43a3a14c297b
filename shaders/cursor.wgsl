// Shared text: where the cursor of the clock is after a step.

fn moved(cursor: u32) -> u32 {
    // Neither part of the sum is over 2^31, so it fits.
    return (cursor % u.period + u.rows % u.period) % u.period;
}
