// The order in which numbers are chosen (docs/numerics.md).
#pragma once

// An unsigned integer in the order of the numbers, by their bits; every NaN is the largest.
__device__ inline unsigned key(unsigned bits) {
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0xffffffffu;
    return bits ^ (bits >> 31 ? 0xffffffffu : 0x80000000u);
}
