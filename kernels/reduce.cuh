// The fixed tree that all sums to one number share (docs/numerics.md): its shape depends on nothing but the number of lanes.
#pragma once

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

// Stage 2: adds `parts` partial sums. One block of 256 threads; the total is returned to thread 0.
__device__ inline float tree_of_parts(const float* work, unsigned parts) {
    float lane = 0.0f;
    for (unsigned i = threadIdx.x; i < parts; i += LANES) lane = lane + work[i];
    return tree(lane);
}
