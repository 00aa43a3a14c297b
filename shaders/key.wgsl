// Shared text: the order in which numbers are chosen (docs/numerics.md).

// An unsigned integer in the order of the numbers, by their bits; every NaN is the largest.
fn key(bits: u32) -> u32 {
    let ordered = bits ^ select(0x80000000u, 0xffffffffu, bits >= 0x80000000u);
    return select(ordered, 0xffffffffu, (bits & 0x7fffffffu) > 0x7f800000u);
}

