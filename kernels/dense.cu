// The dense layer and its three derivatives.
//
//   dense     y[r, o]  = sum_i x[r, i] w[o, i] + b[o]; dense_plain has no b
//   dense_dx  dx[r, i] = sum_o dz[r, o] w[o, i]
//   dense_dw  dw[o, i] = sum_r dz[r, o] x[r, i]
//   dense_db  db[o]    = sum_r dz[r, o]
//
// The three products are one body, c[m, n] = sum_k a(m, k) b(k, n), over two ways to store each factor. A block of 256
// threads computes a tile of 64 x 64; thread (tx, ty) of 16 x 16 holds 4 x 4 of it in registers. K comes in tiles of 16
// through shared memory, and the next tile is fetched into registers while this one is used. Per k a thread reads 8
// floats of shared memory for 16 fma.
//
// The order of every sum is a contract (docs/numerics.md): k ascending, one fma each, folded into the total every 256
// terms. Here a thread walks all of K (layer.cu splits it at the folds), and the last tile of K is cut short rather
// than filled with zeros: adding 0 would turn a sum of -0 into 0.
//
// Bound by: flops (fma issue and shared memory) when there are tiles for all multiprocessors; by the latency of one
// tile's walk along K when there are few, as in the article's network (2 to 26 tiles). dense_db reads each number once:
// bytes, or latency below a few thousand columns.
#include "fold.cuh"
#include "ptx.cuh"

#define TILE 64    // rows and columns of c that a block computes
#define DEPTH 16   // terms per tile of K
#define PITCH 68   // a row of a tile in shared memory: 64 and 4 more, so that 16 threads that store one column meet at most in pairs

// Fetches this thread's 4 elements of a tile of 64 lines by 16 terms: element (line, k) is p[line * pitch + k] or
// p[k * pitch + line]. Elements outside become 0; they only reach results that are not stored.
template <Along along>
__device__ inline void fetch(float (&part)[4], const float* __restrict__ p, unsigned pitch, unsigned line0, unsigned lines, unsigned k0, unsigned depth) {
    const unsigned t = threadIdx.x;
#pragma unroll
    for (unsigned j = 0; j < 4; ++j) {
        const unsigned line = line0 + (along == K_CONTIGUOUS ? t / DEPTH + 16 * j : t % TILE);
        const unsigned k = k0 + (along == K_CONTIGUOUS ? t % DEPTH : t / TILE + 4 * j);
        const bool inside = line < lines && k < depth;
        const size_t at = along == K_CONTIGUOUS ? (size_t)line * pitch + k : (size_t)k * pitch + line;
        part[j] = inside ? p[at] : 0.0f;
    }
}

template <Along along>
__device__ inline void place(float (&tile)[DEPTH][PITCH], const float (&part)[4]) {
    const unsigned t = threadIdx.x;
#pragma unroll
    for (unsigned j = 0; j < 4; ++j) {
        if (along == K_CONTIGUOUS) tile[t % DEPTH][t / DEPTH + 16 * j] = part[j];
        else tile[t / TILE + 4 * j][t % TILE] = part[j];
    }
}

// One term of all 16 sums of this thread.
__device__ inline void term(float (&acc)[4][4], const float* a, const float* b) {
    float am[4], bn[4];
#pragma unroll
    for (unsigned j = 0; j < 4; ++j) am[j] = a[j];
#pragma unroll
    for (unsigned j = 0; j < 4; ++j) bn[j] = b[j];
#pragma unroll
    for (unsigned i = 0; i < 4; ++i)
#pragma unroll
        for (unsigned j = 0; j < 4; ++j) acc[i][j] = fmaf(am[i], bn[j], acc[i][j]);
}

// c [M, N] = a b (+ bias [N]); a's and b's pitches are the lengths of their rows.
template <Along a_along, Along b_along, bool with_bias>
__device__ inline void product(const float* __restrict__ a, unsigned a_pitch, const float* __restrict__ b, unsigned b_pitch,
                               const float* __restrict__ bias, float* __restrict__ c, unsigned M, unsigned N, unsigned K) {
    __shared__ __align__(16) float a_tile[DEPTH][PITCH];
    __shared__ __align__(16) float b_tile[DEPTH][PITCH];
    const unsigned across = (N + TILE - 1) / TILE;
    const unsigned m0 = blockIdx.x / across * TILE, n0 = blockIdx.x % across * TILE;
    const unsigned tx = threadIdx.x % 16 * 4, ty = threadIdx.x / 16 * 4;

    float acc[4][4] = {}, total[4][4] = {};
    float a_part[4], b_part[4];
    fetch<a_along>(a_part, a, a_pitch, m0, M, 0, K);
    fetch<b_along>(b_part, b, b_pitch, n0, N, 0, K);
    for (unsigned k = 0; k < K; k += DEPTH) {
        place<a_along>(a_tile, a_part);
        place<b_along>(b_tile, b_part);
        __syncthreads(); // the tiles are whole
        if (K - k > DEPTH) {
            fetch<a_along>(a_part, a, a_pitch, m0, M, k + DEPTH, K);
            fetch<b_along>(b_part, b, b_pitch, n0, N, k + DEPTH, K);
        }
        if (K - k >= DEPTH) {
#pragma unroll
            for (unsigned d = 0; d < DEPTH; ++d) term(acc, &a_tile[d][ty], &b_tile[d][tx]);
        } else {
            for (unsigned d = 0; d < K - k; ++d) term(acc, &a_tile[d][ty], &b_tile[d][tx]);
        }
        __syncthreads(); // everybody is done with the tiles: they may be overwritten
        if (k % FOLD == FOLD - DEPTH || K - k <= DEPTH) {
            const bool first = k < FOLD;
#pragma unroll
            for (unsigned i = 0; i < 4; ++i)
#pragma unroll
                for (unsigned j = 0; j < 4; ++j) {
                    total[i][j] = first ? acc[i][j] : total[i][j] + acc[i][j];
                    acc[i][j] = 0.0f;
                }
        }
    }
#pragma unroll
    for (unsigned i = 0; i < 4; ++i)
#pragma unroll
        for (unsigned j = 0; j < 4; ++j) {
            const unsigned m = m0 + ty + i, n = n0 + tx + j;
            if (m < M && n < N) c[(size_t)m * N + n] = with_bias ? total[i][j] + bias[n] : total[i][j];
        }
}

extern "C" __global__ void __launch_bounds__(256) dense(const float* __restrict__ x, // [B, I]
                                                        const float* __restrict__ w, // [O, I]
                                                        const float* __restrict__ b, // [O]
                                                        float* __restrict__ y,       // [B, O]
                                                        unsigned B, unsigned I, unsigned O) {
    product<K_CONTIGUOUS, K_CONTIGUOUS, true>(x, I, w, I, b, y, B, O, I);
}

// The same without a bias.
extern "C" __global__ void __launch_bounds__(256) dense_plain(const float* __restrict__ x, // [B, I]
                                                              const float* __restrict__ w, // [O, I]
                                                              float* __restrict__ y,       // [B, O]
                                                              unsigned B, unsigned I, unsigned O) {
    product<K_CONTIGUOUS, K_CONTIGUOUS, false>(x, I, w, I, nullptr, y, B, O, I);
}

extern "C" __global__ void __launch_bounds__(256) dense_dx(const float* __restrict__ dz, // [B, O]
                                                           const float* __restrict__ w,  // [O, I]
                                                           float* __restrict__ dx,       // [B, I]
                                                           unsigned B, unsigned I, unsigned O) {
    product<K_CONTIGUOUS, K_STRIDED, false>(dz, O, w, I, nullptr, dx, B, I, O);
}

extern "C" __global__ void __launch_bounds__(256) dense_dw(const float* __restrict__ dz, // [B, O]
                                                           const float* __restrict__ x,  // [B, I]
                                                           float* __restrict__ dw,       // [O, I]
                                                           unsigned B, unsigned I, unsigned O) {
    product<K_STRIDED, K_STRIDED, false>(dz, O, x, I, nullptr, dw, O, I, B);
}

// A thread per column: neighbours read neighbours. Plain additions, in the same blocks of 256.
extern "C" __global__ void __launch_bounds__(64) dense_db(const float* __restrict__ dz, // [B, O]
                                                          float* __restrict__ db,       // [O]
                                                          unsigned B, unsigned O) {
    const unsigned o = thread_number();
    if (o >= O) return;
    float total = 0.0f;
    for (unsigned r0 = 0; r0 < B; r0 += FOLD) {
        const unsigned end = B - r0 < FOLD ? B : r0 + FOLD;
        float acc = 0.0f;
#pragma unroll 8
        for (unsigned r = r0; r < end; ++r) acc = acc + dz[(size_t)r * O + o];
        total = r0 == 0 ? acc : total + acc;
    }
    db[o] = total;
}
