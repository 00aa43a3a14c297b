// Shared text: gather from bytes. `at` counts bytes; a row need not start on a word.

fn taken(at: u32) -> u32 {
    return unit((data[at >> 2u] >> (8u * (at & 3u))) & 255u);
}

// The bits of the f32 nearest to byte / 255, with integers alone: division in WGSL is good to 2.5 ulp only.
// The byte is shifted so that its top bit is bit 7; then 2^24 * byte / 255 lies in [2^23, 2^24] and its nearest integer
// is the significand.
fn unit(byte: u32) -> u32 {
    if (byte == 0u) {
        return 0u;
    }
    let shift = countLeadingZeros(byte) - 24u;
    let scaled = (byte << shift) << 24u;
    let down = scaled / 255u;
    // 255 is odd, so there are no ties.
    let nearest = down + select(0u, 1u, 2u * (scaled - 255u * down) > 255u);
    // Added, not or-ed: 2^24 carries into the exponent.
    return ((126u - shift) << 23u) + (nearest - 0x800000u);
}
