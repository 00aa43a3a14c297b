// Several dense layers one after the other, or their derivatives, each with its activation: a block of 512 threads
// takes 2 rows through all of them. The rows stay in shared memory; the weights of a layer are read whole by every
// block, those of the next one while this one is computed.
// Bound by latency: of the launch, of the first layer's weights from L2, and of each layer's terms.
#include "tail.cuh"

constexpr unsigned LINKS = 8;
constexpr unsigned CHAIN_ROWS = 2; // of a block
constexpr unsigned CHAIN_THREADS = 512;
constexpr unsigned WIDE = 256;     // the most terms and results of a layer: one block of terms
constexpr unsigned ROOM = 9216;    // floats of a layer's weights in shared memory
constexpr unsigned FOURS = 5;      // a thread's share of them, in fours: ROOM / 4 / CHAIN_THREADS, rounded up

struct Link {
    SLOT unsigned backward; // 0: a dense layer, w [width, terms]; 1: its derivative, w [terms, width]
    SLOT unsigned terms;
    SLOT unsigned width;
    SLOT unsigned function; // 0: none, else one more than `apply` counts
    const float* w;         // a multiple of 4 in each of its lines, at a multiple of 16 bytes
    const float* b;         // [width], or null
    float* product;         // [B, width]
    const float* at;        // [B, width] where a derivative is taken at, or null
    float* result;          // [B, width] of the function
};

struct Chain {
    SLOT unsigned slots;
    SLOT unsigned count;
    Link link[LINKS];
};

__device__ inline void fetch(float4 (&to)[FOURS], const Link& link) {
    const unsigned count = link.terms * link.width / 4;
    const float4* from = (const float4*)link.w;
#pragma unroll
    for (unsigned j = 0; j < FOURS; ++j)
        if (threadIdx.x + CHAIN_THREADS * j < count) to[j] = from[threadIdx.x + CHAIN_THREADS * j];
}

// Where a line holds a result's terms it is 4 floats longer than in memory: then 8 lines meet no bank twice where the
// terms are a multiple of 32. Lines that hold one term of all results lie as they are.
__device__ inline void put(float* panel, const float4 (&from)[FOURS], const Link& link) {
    const unsigned count = link.terms * link.width / 4;
    if (link.backward) {
#pragma unroll
        for (unsigned j = 0; j < FOURS; ++j)
            if (threadIdx.x + CHAIN_THREADS * j < count) ((float4*)panel)[threadIdx.x + CHAIN_THREADS * j] = from[j];
        return;
    }
    const unsigned length = link.terms / 4, lines = CHAIN_THREADS / length, rest = CHAIN_THREADS % length;
    unsigned line = threadIdx.x / length, four = threadIdx.x % length;
#pragma unroll
    for (unsigned j = 0; j < FOURS; ++j) {
        if (threadIdx.x + CHAIN_THREADS * j < count) ((float4*)panel)[line * (length + 1) + four] = from[j];
        line += lines, four += rest;
        if (four >= length) four -= length, line += 1;
    }
}

extern "C" __global__ void __launch_bounds__(512, 1) chain(const float* x, // [B, terms of the first layer]
                                                           unsigned B, const Chain all) {
    __shared__ __align__(16) float panel[ROOM];
    __shared__ __align__(16) float h[2][CHAIN_ROWS][WIDE];
    const unsigned row = threadIdx.x / WIDE, r = blockIdx.x * CHAIN_ROWS + row;
    float4 next[FOURS] = {};
    fetch(next, all.link[0]);
    const unsigned terms = all.link[0].terms;
    const unsigned n = threadIdx.x % WIDE;
    if (n < terms) h[0][row][n] = r < B ? x[(size_t)r * terms + n] : 0.0f;
#pragma unroll 1
    for (unsigned l = 0; l < all.count; ++l) {
        const Link& link = all.link[l];
        const unsigned K = link.terms, width = link.width;
        put(panel, next, link);
        __syncthreads(); // the weights are whole, and what they are multiplied with
        if (l + 1 < all.count) fetch(next, all.link[l + 1]);
        const float* a = h[l % 2][row];
        if (n < width) {
            const size_t to = (size_t)r * width + n;
            const float at[1] = {link.at != nullptr && r < B ? link.at[to] : 0.0f};
            const float bias = link.b != nullptr ? link.b[n] : 0.0f;
            float sum = 0.0f;
            if (link.backward) {
                const float* w = panel + n;
                unsigned k = 0;
#pragma unroll 4
                for (; k + 4 <= K; k += 4, w += 4 * width) {
                    const float4 ak = *(const float4*)(a + k);
                    sum = fmaf(ak.w, w[3 * width], fmaf(ak.z, w[2 * width], fmaf(ak.y, w[width], fmaf(ak.x, w[0], sum))));
                }
#pragma unroll 1
                for (; k < K; ++k, w += width) sum = fmaf(a[k], w[0], sum);
            } else {
                const float* w = panel + n * (K + 4);
#pragma unroll 4
                for (unsigned k = 0; k < K; k += 4) {
                    const float4 ak = *(const float4*)(a + k), wk = *(const float4*)(w + k);
                    sum = fmaf(ak.w, wk.w, fmaf(ak.z, wk.z, fmaf(ak.y, wk.y, fmaf(ak.x, wk.x, sum))));
                }
            }
            float last[1] = {link.b != nullptr ? sum + bias : sum};
            if (r < B) link.product[to] = last[0];
            if (link.function != 0) {
                apply(link.function - 1, last, at, 0.0f);
                if (r < B) link.result[to] = last[0];
            }
            h[(l + 1) % 2][row][n] = last[0];
        }
        __syncthreads(); // everybody is done with the weights: they may be overwritten
    }
}
