// rows: y[r, c] = v[c]: the transpose of dense_db.
// A thread per element of y; v comes from cache. Bound by bytes: 4 per element.
#include "ptx.cuh"

extern "C" __global__ void rows_each(const float* __restrict__ v, // [C]
                                     float* __restrict__ y,       // [R, C], N elements
                                     unsigned N, unsigned C) {
    const unsigned i = thread_number();
    if (i < N) y[i] = v[i % C];
}
