// What all products share (docs/numerics.md): the length of a block of terms, and where a factor's terms lie.
#pragma once

constexpr unsigned FOLD = 256; // terms that are added before they join the total

// Where the terms of a sum lie next to each other in memory: along k (a row of x, w or dz is one sum's terms), or
// across (a column is).
enum Along { K_CONTIGUOUS, K_STRIDED };
