// select: dx = dy where the cut of the row takes x, else 0. The choice with dy = x, and its derivative.
// A thread per element. Bound by bytes: 12 per element, 8 where dy is x.
#include "key.cuh"
#include "ptx.cuh"

// All as bits, so that no number is changed. dy may be x.
extern "C" __global__ void select_each(const unsigned* __restrict__ x,   // [R, C], N elements
                                       const unsigned* __restrict__ cut, // [R, 2]
                                       const unsigned* __restrict__ dy,  // [N]
                                       unsigned* __restrict__ dx,        // [N]
                                       unsigned N, unsigned C) {
    const unsigned i = thread_number();
    if (i >= N) return;
    const unsigned row = i / C, mine = key(x[i]), least = cut[2 * row], last = cut[2 * row + 1];
    dx[i] = mine > least || (mine == least && i - row * C <= last) ? dy[i] : 0u;
}
