// idle: 0 where any row of the code has the unit on, else as many rows more, at most 2^24. NaN is on; subnormal numbers
// are off. A thread per unit, which ends where it finds its unit on. Bound by the latency of memory: eight rows at a
// time.
#include "ptx.cuh"

extern "C" __global__ void idle_each(const unsigned* __restrict__ code, // [R, C], as bits
                                     float* __restrict__ idle,          // [C], N elements
                                     unsigned N, unsigned R, unsigned C) {
    const unsigned c = thread_number();
    if (c >= N) return;
    for (unsigned r = 0; r < R; r += 8) {
        unsigned most = 0;
#pragma unroll
        for (unsigned j = 0; j < 8; ++j) {
            const unsigned size = r + j < R ? code[(unsigned long long)(r + j) * C + c] & 0x7fffffffu : 0;
            most = size > most ? size : most;
        }
        if (most >= 0x00800000u) {
            idle[c] = 0.0f;
            return;
        }
    }
    const float longer = idle[c] + (float)R;
    idle[c] = longer > 0x1p24f ? 0x1p24f : longer;
}
