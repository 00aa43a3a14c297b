// gather: y[r, c] = data[row, c], row = min(order[(cursor + r) mod M], N - 1), cursor = clock[0]: one batch of a data
// set that lives on the device. f32 and u32 are moved as bits. Bytes become byte / 255, correctly rounded: a
// multiplication by 1 / 255 has other bits for some of them.
// A thread per element of y; the 784 threads of a row read the same entry of the order, from cache.
// Bound by bytes: 8 per element, 5 where the data are bytes.
#include "ptx.cuh"

__device__ inline unsigned taken(unsigned word) { return word; }
__device__ inline float taken(unsigned char byte) { return div_rn((float)byte, 255.0f); }

template <typename T, typename Y>
__device__ inline void gather_rows(const T* __restrict__ data, const unsigned* __restrict__ order, const unsigned* __restrict__ clock,
                                   Y* __restrict__ y, unsigned n, unsigned C, unsigned N, unsigned M) {
    const unsigned i = thread_number();
    if (i >= n) return;
    const unsigned r = i / C, c = i % C;
    const unsigned at = (unsigned)(((unsigned long long)clock[0] + r) % M);
    const unsigned row = order[at] < N ? order[at] : N - 1;
    y[i] = taken(data[(size_t)row * C + c]);
}

extern "C" __global__ void gather_each(const unsigned* data,  // [N, C]
                                       const unsigned* order, // [M]
                                       const unsigned* clock, // [2]
                                       unsigned* y,           // [B, C], n elements
                                       unsigned n, unsigned C, unsigned N, unsigned M) {
    gather_rows(data, order, clock, y, n, C, N, M);
}

extern "C" __global__ void gather_bytes_each(const unsigned char* data, // [N, C]
                                             const unsigned* order,     // [M]
                                             const unsigned* clock,     // [2]
                                             float* y,                  // [B, C], n elements
                                             unsigned n, unsigned C, unsigned N, unsigned M) {
    gather_rows(data, order, clock, y, n, C, N, M);
}
