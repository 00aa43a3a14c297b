// A tile of a product, c[m, n] = sum_k a(m, k) b(k, n), by one block of 256 threads, for products of few tiles: what
// counts is how soon the tile is done, not how many are done in a second.
//
// A lane has every 32nd column of the tile, C of them, and a warp R rows: per 4 terms a thread reads R lines of a, the
// same for all lanes, and C lines of b for 4 R C fma. K is split at its folds, so that the sums keep their order
// (docs/numerics.md): PARTS groups of warps take one block of 256 terms each, and their sums are added in the order of
// the blocks. The terms come through shared memory, TERMS of each part at once; the next ones are fetched into
// registers meanwhile. There they lie along k, and since a line is 4 floats longer than its terms, 8 lines meet no bank
// twice.
#pragma once
#include "fold.cuh"
#include "ptx.cuh"

constexpr unsigned TILE_THREADS = 256;

// A factor as it lies in memory: element (line, k) is p[line * pitch + k] or p[k * pitch + line].
template <Along along> struct Factor {
    const float* __restrict__ p;
    unsigned pitch, lines, terms;
};

// A thread's share of a panel: of LINES lines and, for each part, TERMS terms, as fours of neighbours in memory.
// What lies outside the factor is read from inside: it only reaches results that are not stored, and sums end before
// it.
template <Along along, unsigned LINES, unsigned PARTS, unsigned TERMS> class Share {
    static constexpr unsigned FOURS = LINES * PARTS * TERMS / 4 / TILE_THREADS;
    // Along k, neighbouring lanes take neighbours. Across, pairs of lanes take 32 bytes and a warp 16 terms, so that no
    // two meet in a bank.
    static constexpr unsigned PER_LINE = PARTS * TERMS / 4, PER_PAIR = 2 * PARTS * TERMS;

    static_assert(FOURS * 4 * TILE_THREADS == LINES * PARTS * TERMS, "whole shares");
    static_assert(along == K_CONTIGUOUS ? TILE_THREADS % PER_LINE == 0 : TILE_THREADS % PER_PAIR == 0 || PER_PAIR % TILE_THREADS == 0, "steps from four to four");

    const Factor<along> factor;
    const bool whole; // four neighbours can be read at once
    unsigned at[FOURS]; // the line times the pitch, or the line
    float4 four[FOURS];

    // The line within the panel, and the term of all parts, of four j.
    static __device__ unsigned line(unsigned j) {
        if (along == K_CONTIGUOUS) return threadIdx.x / PER_LINE + j * (TILE_THREADS / PER_LINE);
        const unsigned pair = TILE_THREADS >= PER_PAIR ? threadIdx.x / PER_PAIR + j * (TILE_THREADS / PER_PAIR) : j / (PER_PAIR / TILE_THREADS);
        return (pair * 2 + threadIdx.x % 2) * 4;
    }
    static __device__ unsigned term(unsigned j) {
        if (along == K_CONTIGUOUS) return threadIdx.x % PER_LINE * 4;
        if (TILE_THREADS >= PER_PAIR) return threadIdx.x / 2 % (PARTS * TERMS);
        return threadIdx.x / 2 + j % (PER_PAIR / TILE_THREADS) * (TILE_THREADS / 2);
    }

    // Neighbour `n` where four can't be read at once. Not inlined: rarely needed, and long.
    static __device__ __noinline__ float one(const float* p, unsigned pitch, unsigned lines, unsigned terms, unsigned line, unsigned k) {
        line = line < lines ? line : lines - 1;
        k = k < terms ? k : terms - 1;
        return p[along == K_CONTIGUOUS ? (size_t)line * pitch + k : (size_t)k * pitch + line];
    }

public:
    __device__ Share(const Factor<along>& factor, unsigned line0)
        : factor(factor), whole(factor.pitch % 4 == 0 && (size_t)factor.p % 16 == 0) {
#pragma unroll
        for (unsigned j = 0; j < FOURS; ++j) {
            const unsigned l = line0 + line(j), last = whole && along == K_STRIDED ? factor.lines - 4 : factor.lines - 1;
            at[j] = whole ? (l < last ? l : last) * (along == K_CONTIGUOUS ? factor.pitch : 1) : l;
        }
    }

    // Asks for the terms from k on, those of the other parts 256 further each.
    __device__ void fetch(unsigned k) {
#pragma unroll
        for (unsigned j = 0; j < FOURS; ++j) {
            const unsigned t = k + term(j) / TERMS * FOLD + term(j) % TERMS;
            if (whole) {
                const unsigned inside = t < factor.terms ? t : 0;
                four[j] = *(const float4*)(factor.p + (along == K_CONTIGUOUS ? at[j] + inside : inside * factor.pitch + at[j]));
            } else {
                float v[4];
#pragma unroll
                for (unsigned n = 0; n < 4; ++n)
                    v[n] = one(factor.p, factor.pitch, factor.lines, factor.terms, along == K_CONTIGUOUS ? at[j] : at[j] + n, along == K_CONTIGUOUS ? t + n : t);
                four[j] = make_float4(v[0], v[1], v[2], v[3]);
            }
        }
    }

    // Writes them to shared memory: part by part, line by line.
    __device__ void put(float* panel) const {
        constexpr unsigned LINE = TERMS + 4;
#pragma unroll
        for (unsigned j = 0; j < FOURS; ++j) {
            float* to = panel + (term(j) / TERMS * LINES + line(j)) * LINE + term(j) % TERMS;
            if (along == K_CONTIGUOUS) *(float4*)to = four[j];
            else to[0] = four[j].x, to[LINE] = four[j].y, to[2 * LINE] = four[j].z, to[3 * LINE] = four[j].w;
        }
    }
};

template <unsigned R, unsigned C, unsigned PARTS, unsigned TERMS_> struct Tile {
    static constexpr unsigned TERMS = TERMS_, LINE = TERMS + 4;
    static constexpr unsigned ROWS = TILE_THREADS / 32 / PARTS * R, COLUMNS = 32 * C;
    // A thread stores so many results: its own where there is one part, else some threads one.
    static constexpr unsigned OUT = PARTS == 1 ? R * C : 1;

    static_assert(PARTS == 1 || ROWS * COLUMNS <= TILE_THREADS, "a result for a thread");

    // Result `n` of those that this thread stores. A row outside the tile is none.
    static __device__ unsigned row(unsigned n) { return PARTS == 1 ? threadIdx.x / 32 * R + n / C : threadIdx.x / COLUMNS; }
    static __device__ unsigned column(unsigned n) { return PARTS == 1 ? threadIdx.x % 32 + 32 * (n % C) : threadIdx.x % COLUMNS; }

    // The sums of this thread's results, in the tile that begins at row m0 and column n0. `also(a, terms)` is called by
    // all threads for each panel of a, in order, with its number of terms.
    template <Along a_along, Along b_along, typename Also>
    static __device__ void sums(float (&total)[OUT], const Factor<a_along>& a, unsigned m0, const Factor<b_along>& b, unsigned n0, Also also) {
        __shared__ __align__(16) float a_panel[PARTS * ROWS * LINE];
        __shared__ __align__(16) float b_panel[PARTS * COLUMNS * LINE];
        const unsigned K = a.terms, part = threadIdx.x / (TILE_THREADS / PARTS);
        const float* a_mine = a_panel + (part * ROWS + threadIdx.x % (TILE_THREADS / PARTS) / 32 * R) * LINE;
        const float* b_mine = b_panel + (part * COLUMNS + threadIdx.x % 32) * LINE;
        Share<a_along, ROWS, PARTS, TERMS> a_next(a, m0);
        Share<b_along, COLUMNS, PARTS, TERMS> b_next(b, n0);
        if (K > 0) a_next.fetch(0), b_next.fetch(0);
#pragma unroll
        for (unsigned n = 0; n < OUT; ++n) total[n] = 0.0f;
        float acc[R][C] = {};
        // k is the first term of the first part; the others lie 256 terms apart.
#pragma unroll 1
        for (unsigned k = 0; k < K;) {
            a_next.put(a_panel);
            b_next.put(b_panel);
            __syncthreads(); // the panels are whole
            const bool folds = k % FOLD + TERMS == FOLD || K - k <= TERMS;
            const unsigned next = folds ? k / FOLD * FOLD + PARTS * FOLD : k + TERMS;
            if (next < K) a_next.fetch(next), b_next.fetch(next);
            const unsigned from = k + part * FOLD;
            if (from < K) multiply(acc, a_mine, b_mine, K - from < TERMS ? K - from : TERMS);
            also((const float*)a_panel, K - k < TERMS ? K - k : TERMS);
            __syncthreads(); // everybody is done with the panels: they may be overwritten
            if (folds) fold(total, acc, b_panel, k / FOLD * FOLD, K);
            k = next;
        }
    }

private:
    // `n` terms of all sums of this thread.
    static __device__ void multiply(float (&acc)[R][C], const float* a, const float* b, unsigned n) {
        unsigned k = 0;
#pragma unroll (R < 4 ? 4 : 2)
        for (; k + 4 <= n; k += 4) {
            float4 bv[C];
#pragma unroll
            for (unsigned j = 0; j < C; ++j) bv[j] = *(const float4*)(b + 32 * j * LINE + k);
#pragma unroll
            for (unsigned i = 0; i < R; ++i) {
                const float4 av = *(const float4*)(a + i * LINE + k);
#pragma unroll
                for (unsigned j = 0; j < C; ++j) {
                    acc[i][j] = fmaf(av.x, bv[j].x, acc[i][j]);
                    acc[i][j] = fmaf(av.y, bv[j].y, acc[i][j]);
                    acc[i][j] = fmaf(av.z, bv[j].z, acc[i][j]);
                    acc[i][j] = fmaf(av.w, bv[j].w, acc[i][j]);
                }
            }
        }
#pragma unroll 1
        for (; k < n; ++k)
#pragma unroll
            for (unsigned i = 0; i < R; ++i)
#pragma unroll
                for (unsigned j = 0; j < C; ++j) acc[i][j] = fmaf(a[i * LINE + k], b[32 * j * LINE + k], acc[i][j]);
    }

    // Adds the sums of the blocks from term k on to the totals.
    static __device__ void fold(float (&total)[OUT], float (&acc)[R][C], float* room, unsigned k, unsigned K) {
        if constexpr (PARTS == 1) {
#pragma unroll
            for (unsigned n = 0; n < OUT; ++n) {
                float& sum = acc[n / C][n % C];
                total[n] = k == 0 ? sum : total[n] + sum;
                sum = 0.0f;
            }
        } else {
            // Part by part: the first rows of the room are the first part's.
#pragma unroll
            for (unsigned i = 0; i < R; ++i)
#pragma unroll
                for (unsigned j = 0; j < C; ++j) {
                    room[(threadIdx.x / 32 * R + i) * COLUMNS + threadIdx.x % 32 + 32 * j] = acc[i][j];
                    acc[i][j] = 0.0f;
                }
            __syncthreads(); // the sums of all parts are there
#pragma unroll
            for (unsigned p = 0; p < PARTS; ++p) {
                const float sum = threadIdx.x < ROWS * COLUMNS ? room[p * ROWS * COLUMNS + threadIdx.x] : 0.0f;
                if (k + p * FOLD < K) total[0] = k + p * FOLD == 0 ? sum : total[0] + sum;
            }
            __syncthreads(); // everybody has read them
        }
    }
};
