//! The order in which numbers are chosen, for cut and select.

/// An integer in the order of the numbers, by their bits; every NaN is the largest. It is the key of docs/numerics.md
/// as a signed number, which vectors compare faster.
#[inline(always)]
pub(super) fn signed(x: f32) -> i32 {
    let bits = x.to_bits();
    let ordered = bits as i32 ^ ((bits as i32 >> 31) as u32 >> 1) as i32;
    if bits & 0x7fff_ffff > 0x7f80_0000 { i32::MAX } else { ordered }
}

/// The key of docs/numerics.md.
#[inline(always)]
pub(super) fn unsigned(signed: i32) -> u32 {
    signed as u32 ^ 1 << 31
}

/// The inverse of [`unsigned`].
#[inline(always)]
pub(super) fn from_unsigned(key: u32) -> i32 {
    (key ^ 1 << 31) as i32
}
