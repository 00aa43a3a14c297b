// What all sums to one number share (docs/numerics.md): both stages and their tree, whose shape depends on nothing but
// the number of lanes; and the loop of their derivatives.
// Bound by bytes: 4 per element and operand, and as much for what a derivative writes; the second stage by latency.
#pragma once
#include "ptx.cuh"

#define LANES 256
#define CHUNK 4096

// Adds 256 lanes, one per thread of the block; the total is returned to thread 0, and something else to the others.
__device__ inline float tree(float mine) {
    __shared__ float lane[LANES];
    const unsigned l = threadIdx.x;
    lane[l] = mine;
    for (unsigned s = LANES / 2; s > 0; s /= 2) {
        __syncthreads();
        if (l < s) lane[l] = lane[l] + lane[l + s];
    }
    return lane[l];
}

// Stage 1: a block of 256 threads for each 4096 elements. A thread takes elements 256 apart, so that neighbours read
// neighbours. Terms of one number get x twice.
template <typename T>
__device__ inline void sum_chunk(const float* __restrict__ x,      // [N]
                                 const float* __restrict__ target, // [N]
                                 float* __restrict__ parts,        // [max(1, ceil(N / 4096))], one per block
                                 unsigned N) {
    float lane = 0.0f;
    for (unsigned j = 0; j < CHUNK / LANES; ++j) {
        const unsigned i = blockIdx.x * CHUNK + j * LANES + threadIdx.x; // below 2^31 + 4096
        if (i < N) lane = T::add(lane, x[i], target[i]);
    }
    const float total = tree(lane);
    if (threadIdx.x == 0) parts[blockIdx.x] = total;
}

// dx[i] = (scale * dy) times the derivative of the term. A thread per element.
template <typename T>
__device__ inline void sum_grad(const float* __restrict__ x,      // [N]
                                        const float* __restrict__ target, // [N]
                                        const float* __restrict__ dy,     // [1]
                                        float* __restrict__ dx,           // [N]
                                        unsigned N, float scale) {
    const unsigned i = thread_number();
    if (i >= N) return;
    const float s = scale * dy[0];
    dx[i] = T::grad(x[i], target[i], s);
}
