// The dense layer and its three derivatives.
//
//   dense     y[r, o]  = sum_i x[r, i] w[o, i] + b[o]; without b where that is null
//   dense_dx  dx[r, i] = sum_o dz[r, o] w[o, i]
//   dense_dw  dw[o, i] = sum_r dz[r, o] x[r, i]
//   dense_db  db[o]    = sum_r dz[r, o]
//
// What follows a product of rows in the same launch is its tail, which may be empty. The three products are one body
// (block.cuh) over two ways to store each factor, in tiles of four kinds, of which cuda/plan.rs chooses: by how many
// tiles there are for the multiprocessors, and how many blocks of 256 terms.
//
// Bound by: fma issue. dense_db reads each number once: bytes, or the latency of a block's 256 rows.
#include "block.cuh"

// For many tiles, four blocks of two warps on a multiprocessor; for fewer, K in four parts, or in two; for few, half
// the rows.
using Many = Block<64, 128, 2, 4, 1>;
using Some = Block<64, 64, 4, 2, 4>;
using Pairs = Block<64, 64, 2, 2, 2>;
using Halves = Block<32, 64, 1, 2, 2>;

extern "C" __global__ void __launch_bounds__(Many::THREADS, 4) dense_many(const float* x, const float* w, const float* b, float* y, unsigned B, unsigned I, unsigned O, const Tail tail) {
    Many::product<K_CONTIGUOUS, K_CONTIGUOUS>(x, I, w, I, b, y, B, O, I, tail);
}

extern "C" __global__ void __launch_bounds__(Many::THREADS, 4) dense_dx_many(const float* dz, const float* w, float* dx, unsigned B, unsigned I, unsigned O, const Tail tail) {
    Many::product<K_CONTIGUOUS, K_STRIDED>(dz, O, w, I, nullptr, dx, B, I, O, tail);
}

extern "C" __global__ void __launch_bounds__(Many::THREADS, 4) dense_dw_many(const float* dz, const float* x, float* dw, unsigned B, unsigned I, unsigned O) {
    Many::product<K_STRIDED, K_STRIDED>(dz, O, x, I, nullptr, dw, O, I, B, Tail());
}

extern "C" __global__ void __launch_bounds__(Some::THREADS, 2) dense_some(const float* x, const float* w, const float* b, float* y, unsigned B, unsigned I, unsigned O, const Tail tail) {
    Some::product<K_CONTIGUOUS, K_CONTIGUOUS>(x, I, w, I, b, y, B, O, I, tail);
}

extern "C" __global__ void __launch_bounds__(Some::THREADS, 2) dense_dx_some(const float* dz, const float* w, float* dx, unsigned B, unsigned I, unsigned O, const Tail tail) {
    Some::product<K_CONTIGUOUS, K_STRIDED>(dz, O, w, I, nullptr, dx, B, I, O, tail);
}

extern "C" __global__ void __launch_bounds__(Some::THREADS, 2) dense_dw_some(const float* dz, const float* x, float* dw, unsigned B, unsigned I, unsigned O) {
    Some::product<K_STRIDED, K_STRIDED>(dz, O, x, I, nullptr, dw, O, I, B, Tail());
}

extern "C" __global__ void __launch_bounds__(Pairs::THREADS, 3) dense_pairs(const float* x, const float* w, const float* b, float* y, unsigned B, unsigned I, unsigned O, const Tail tail) {
    Pairs::product<K_CONTIGUOUS, K_CONTIGUOUS>(x, I, w, I, b, y, B, O, I, tail);
}

extern "C" __global__ void __launch_bounds__(Pairs::THREADS, 3) dense_dx_pairs(const float* dz, const float* w, float* dx, unsigned B, unsigned I, unsigned O, const Tail tail) {
    Pairs::product<K_CONTIGUOUS, K_STRIDED>(dz, O, w, I, nullptr, dx, B, I, O, tail);
}

extern "C" __global__ void __launch_bounds__(Pairs::THREADS, 3) dense_dw_pairs(const float* dz, const float* x, float* dw, unsigned B, unsigned I, unsigned O) {
    Pairs::product<K_STRIDED, K_STRIDED>(dz, O, x, I, nullptr, dw, O, I, B, Tail());
}

extern "C" __global__ void __launch_bounds__(Halves::THREADS, 3) dense_halves(const float* x, const float* w, const float* b, float* y, unsigned B, unsigned I, unsigned O, const Tail tail) {
    Halves::product<K_CONTIGUOUS, K_CONTIGUOUS>(x, I, w, I, b, y, B, O, I, tail);
}

extern "C" __global__ void __launch_bounds__(Halves::THREADS, 3) dense_dx_halves(const float* dz, const float* w, float* dx, unsigned B, unsigned I, unsigned O, const Tail tail) {
    Halves::product<K_CONTIGUOUS, K_STRIDED>(dz, O, w, I, nullptr, dx, B, I, O, tail);
}

extern "C" __global__ void __launch_bounds__(Halves::THREADS, 3) dense_dw_halves(const float* dz, const float* x, float* dw, unsigned B, unsigned I, unsigned O) {
    Halves::product<K_STRIDED, K_STRIDED>(dz, O, x, I, nullptr, dw, O, I, B, Tail());
}

// A warp for 32 columns and each block of 256 rows, at most eight at once: neighbours read neighbours. Plain additions,
// in the same blocks of 256, which the first warp adds up in order.
extern "C" __global__ void __launch_bounds__(256) dense_db(const float* __restrict__ dz, // [B, O]
                                                           float* __restrict__ db,       // [O]
                                                           unsigned B, unsigned O) {
    __shared__ float sums[8][32];
    const unsigned part = threadIdx.x / 32, parts = blockDim.x / 32, lane = threadIdx.x % 32, o = blockIdx.x * 32 + lane;
    float total = 0.0f;
#pragma unroll 1
    for (unsigned r0 = 0; r0 < B; r0 += parts * FOLD) {
        const unsigned first = r0 + part * FOLD, end = least(first + FOLD, B);
        float acc = 0.0f;
        if (o < O)
#pragma unroll 8
            for (unsigned r = first; r < end; ++r) acc = acc + dz[(size_t)r * O + o];
        __syncthreads(); // the sums of the blocks before are in the total
        sums[part][lane] = acc;
        __syncthreads(); // these are whole
        for (unsigned p = 0; p < parts && r0 + p * FOLD < B; ++p) total = r0 + p == 0 ? sums[p][lane] : total + sums[p][lane];
    }
    if (part == 0 && o < O) db[o] = total;
}
