// xent: the cross-entropy of softmax(z) and a label for each row. With m the largest of a row's C numbers,
// lse[r] = m + ln(sum_c exp(z[r, c] - m)) and loss[r] = lse[r] - z[r, label[r]]. A label past the last class counts as
// it. A block of 256 threads for each row; a thread takes columns 256 apart. Bound by an exp and two reads an element;
// by latency where a row is short.
#include "exp.cuh"
#include "ln.cuh"
#include "reduce.cuh"

// The largest number of 256 lanes, one per thread of the block, to all of them. Where one is NaN the row's sum is NaN,
// whatever this gives.
__device__ inline float largest(float mine) {
    __shared__ float lane[LANES];
    const unsigned l = threadIdx.x;
    lane[l] = mine;
    for (unsigned s = LANES / 2; s > 0; s /= 2) {
        __syncthreads();
        if (l < s) lane[l] = lane[l + s] > lane[l] ? lane[l + s] : lane[l];
    }
    __syncthreads();
    return lane[0];
}

extern "C" __global__ void __launch_bounds__(256) xent_rows(const float* __restrict__ z,        // [R, C], a row per block
                                                            const unsigned* __restrict__ label, // [R]
                                                            float* __restrict__ lse,            // [R]
                                                            float* __restrict__ loss,           // [R]
                                                            unsigned C) {
    const unsigned r = blockIdx.x;
    const float* row = z + (unsigned long long)r * C;
    float most = row[0];
    for (unsigned c = threadIdx.x; c < C; c += LANES) most = row[c] > most ? row[c] : most;
    most = largest(most);
    float lane = 0.0f;
    for (unsigned c = threadIdx.x; c < C; c += LANES) lane = lane + narrows_exp(row[c] - most);
    const float sum = tree(lane);
    if (threadIdx.x == 0) {
        const float all = most + narrows_ln(sum);
        lse[r] = all;
        loss[r] = all - row[label[r] < C ? label[r] : C - 1];
    }
}
