// A block's tile of a product of many tiles, c[m, n] = sum_k a(m, k) b(k, n): what counts is how many multiply-adds a
// multiprocessor does in a second (tile.cuh is for products of few tiles).
//
// A warp has 16 RG rows and 32 CG columns, a lane RG groups of 4 rows and CG groups of 4 columns: per term it reads
// RG + CG fours of shared memory for 16 RG CG fma. Beyond 128 sums a lane there are no registers.
//
// K is split at its folds, so that the sums keep their order (docs/numerics.md): PARTS groups of warps take one block
// of 256 terms each, and add their sums to the totals in the order of the blocks. The totals lie in shared memory,
// where they are needed once in 256 terms; registers would not hold them beside the sums. The terms come through shared
// memory too, 8 of each part at once, in two buffers, so that one barrier a panel does; the next panel is fetched into
// registers meanwhile.
//
// Bound by fma issue. An fma needs three numbers of a register file that gives two a cycle, one of each half, unless
// the fma before had one of them at the same place. So the rows are gone through to and fro, and nothing may tell the
// compiler which registers to take: totals that are stored as fours cost a move for every fourth fma.
// An H200 (2026-11-27) did 40 to 47 TFLOP/s at 2048 and 4096 cubed, 33 to 41 at 1024 cubed.
#pragma once
#include "fold.cuh"
#include "ptx.cuh"
#include "tail.cuh"

constexpr unsigned PANEL_TERMS = 8;

__device__ inline unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

// A thread's share of a panel of LINES lines and 8 terms, as fours of neighbours in memory; GROUP threads have it all.
// What lies outside the factor is read from inside: it only reaches results that are not stored, and sums end before
// it.
template <Along along, unsigned LINES, unsigned GROUP> class Fours {
    static constexpr unsigned COUNT = LINES * PANEL_TERMS / 4 / GROUP;
    static_assert(COUNT * 4 * GROUP == LINES * PANEL_TERMS, "whole shares");

    const float* __restrict__ const p; // element (line, k) is p[line * pitch + k] or p[k * pitch + line]
    const unsigned pitch, lines, terms, me;
    const bool whole; // four neighbours can be read at once
    unsigned at[COUNT]; // the line times the pitch, or the line
    float4 four[COUNT];

    // The line within the panel, and the term, of four j.
    __device__ unsigned line(unsigned j) const {
        return along == K_CONTIGUOUS ? me / 2 + j * (GROUP / 2) : (me + j * GROUP) % (LINES / 4) * 4;
    }
    __device__ unsigned term(unsigned j) const { return along == K_CONTIGUOUS ? me % 2 * 4 : (me + j * GROUP) / (LINES / 4); }

public:
    __device__ Fours(const float* p, unsigned pitch, unsigned lines, unsigned terms, unsigned line0, unsigned me)
        : p(p), pitch(pitch), lines(lines), terms(terms), me(me), whole(pitch % 4 == 0 && (size_t)p % 16 == 0) {
#pragma unroll
        for (unsigned j = 0; j < COUNT; ++j) {
            const unsigned l = line0 + line(j);
            at[j] = !whole ? l : along == K_CONTIGUOUS ? least(l, lines - 1) * pitch : least(l, lines - 4);
        }
    }

    // Asks for the terms from k on.
    __device__ void fetch(unsigned k) {
        if (whole) {
#pragma unroll
            for (unsigned j = 0; j < COUNT; ++j) {
                const unsigned t = least(k + term(j), along == K_CONTIGUOUS ? terms - 4 : terms - 1);
                four[j] = *(const float4*)(p + (along == K_CONTIGUOUS ? at[j] + t : t * pitch + at[j]));
            }
        } else {
#pragma unroll
            for (unsigned j = 0; j < COUNT; ++j) {
                float v[4];
#pragma unroll
                for (unsigned e = 0; e < 4; ++e) {
                    const unsigned l = least(along == K_CONTIGUOUS ? at[j] : at[j] + e, lines - 1);
                    const unsigned t = least(along == K_CONTIGUOUS ? k + term(j) + e : k + term(j), terms - 1);
                    v[e] = p[along == K_CONTIGUOUS ? l * pitch + t : t * pitch + l];
                }
                four[j] = make_float4(v[0], v[1], v[2], v[3]);
            }
        }
    }

    // Writes them to shared memory, term by term. Where they are turned, the lines of terms 4 to 7 are `swapped`, so
    // that no two threads of a warp meet in a bank.
    __device__ void put(float* panel) const {
#pragma unroll
        for (unsigned j = 0; j < COUNT; ++j) {
            if (along == K_CONTIGUOUS) {
                float* to = panel + term(j) * LINES + (line(j) ^ (me % 2 * 16));
                to[0] = four[j].x, to[LINES] = four[j].y, to[2 * LINES] = four[j].z, to[3 * LINES] = four[j].w;
            } else *(float4*)(panel + term(j) * LINES + line(j)) = four[j];
        }
    }

    // What a line of this term is to be xored with.
    static __device__ unsigned swapped(unsigned term) { return along == K_CONTIGUOUS ? term / 4 % 2 * 16 : 0; }
};

template <unsigned ROWS, unsigned COLUMNS, unsigned RG, unsigned CG, unsigned PARTS> struct Block {
    static constexpr unsigned R = 4 * RG, C = 4 * CG, GROUP = ROWS / R * (COLUMNS / C), THREADS = GROUP * PARTS;
    static constexpr unsigned PANEL = PANEL_TERMS * (ROWS + COLUMNS), TOTALS = ROWS * COLUMNS, BAND = 8;
    static_assert(ROWS % (16 * RG) == 0 && COLUMNS % (32 * CG) == 0 && R % PARTS == 0, "whole warps, and whole rows of totals");

    // c [M, N] = a b (+ bias [N], unless that is null), and its tail; a's and b's pitches are the lengths of their
    // rows.
    template <Along a_along, Along b_along>
    static __device__ void product(const float* a, unsigned a_pitch, const float* b, unsigned b_pitch, const float* bias, float* c, unsigned M, unsigned N, unsigned K, const Tail& tail) {
        __shared__ __align__(16) float room[2 * PARTS * PANEL + TOTALS];
        using A = Fours<a_along, ROWS, GROUP>;
        using B = Fours<b_along, COLUMNS, GROUP>;
        // Eight rows of tiles, column by column, so that blocks that run together share what they read.
        const unsigned across = (N + COLUMNS - 1) / COLUMNS, down = (M + ROWS - 1) / ROWS;
        const unsigned band = blockIdx.x / (BAND * across) * BAND, within = blockIdx.x % (BAND * across);
        const unsigned high = down - band < BAND ? down - band : BAND;
        const unsigned m0 = (band + within % high) * ROWS, n0 = within / high * COLUMNS;
        const unsigned part = PARTS == 1 ? 0 : threadIdx.x / GROUP, me = PARTS == 1 ? threadIdx.x : threadIdx.x % GROUP;
        // Lanes 4 x 8, those of half a warp 2 x 8.
        const unsigned lane = me % 32, warp = me / 32;
        const unsigned row = warp % (ROWS / (16 * RG)) * (16 * RG) + (lane % 2 + lane / 16 * 2) * 4;
        const unsigned column = warp / (ROWS / (16 * RG)) * (32 * CG) + lane / 2 % 8 * 4;

        float* const panels = room + part * 2 * PANEL;
        float* const totals = room + 2 * PARTS * PANEL + me;
        A a_next(a, a_pitch, M, K, m0, me);
        B b_next(b, b_pitch, N, K, n0, me);
        float acc[R][C] = {};
        unsigned now = 0; // where the panel that is used lies
        if (K > 0) {
            a_next.fetch(part * FOLD), b_next.fetch(part * FOLD);
            a_next.put(panels), b_next.put(panels + PANEL_TERMS * ROWS);
        }
        __syncthreads(); // the first panels are whole
        // k is the first term of the first part; the others lie 256 terms apart.
#pragma unroll 1
        for (unsigned k = 0; k < K; k += PARTS * FOLD) {
            const unsigned mine = k + part * FOLD, own = terms(mine, K), all = terms(k, K);
#pragma unroll 1
            for (unsigned done = 0; done + PANEL_TERMS <= all; done += PANEL_TERMS) {
                if (PARTS == 1 || done + PANEL_TERMS <= own) {
                    const unsigned after = done + PANEL_TERMS, next = mine + after + (after == FOLD ? (PARTS - 1) * FOLD : 0);
                    a_next.fetch(next), b_next.fetch(next);
                    const float *am = panels + now, *bn = am + PANEL_TERMS * ROWS;
#pragma unroll
                    for (unsigned d = 0; d < PANEL_TERMS; ++d)
                        multiply(acc, am + d * ROWS, row ^ A::swapped(d), bn + d * COLUMNS, column ^ B::swapped(d));
                    now ^= PANEL;
                    a_next.put(panels + now), b_next.put(panels + now + PANEL_TERMS * ROWS);
                }
                __syncthreads(); // the next panels are whole, and nobody needs these any more
            }
            // The last panel of K is cut short: adding 0 would turn a sum of -0 into 0.
#pragma unroll 1
            for (unsigned d = 0; d < own % PANEL_TERMS; ++d) {
                const float *am = panels + now, *bn = am + PANEL_TERMS * ROWS;
                multiply(acc, am + d * ROWS, row ^ A::swapped(d), bn + d * COLUMNS, column ^ B::swapped(d));
            }
            // Each part in its turn: those that had no terms add none.
#pragma unroll 1
            for (unsigned p = 0; p < PARTS; ++p) {
                if (part == p && own > 0) fold(totals, acc, mine == 0);
                if (PARTS > 1) __syncthreads(); // this part's sums are in the totals
            }
        }
        // The parts share the rows. What the tail's first function reads beside the product is asked for some fours
        // ahead: nothing else would hide how long that takes.
        const FoursOfTail after(tail, N % 4 == 0 && (size_t)c % 16 == 0);
        const auto i_of = [&](unsigned q) { return part + q / CG * PARTS; };
        const auto m_of = [&](unsigned q) { return m0 + row + i_of(q) / 4 * 16 + i_of(q) % 4; };
        const auto n_of = [&](unsigned q) { return n0 + column + q % CG * 32; };
        constexpr unsigned FOURS = R / PARTS * CG, AHEAD = FOURS < 4 ? FOURS : 4;
        float given[AHEAD][4] = {};
        const auto ask = [&](float (&four)[4], unsigned q) {
            const unsigned m = m_of(q), n = n_of(q);
            if (after.reads() && q < FOURS && m < M && n < N) after.ask(four, (size_t)m * N + n, N - n);
        };
#pragma unroll
        for (unsigned q = 0; q < AHEAD; ++q) ask(given[q], q);
#pragma unroll 1
        for (unsigned q = 0; q < FOURS; ++q) {
            float x[4], v[4];
#pragma unroll
            for (unsigned e = 0; e < 4; ++e) {
                x[e] = given[0][e];
#pragma unroll
                for (unsigned d = 1; d < AHEAD; ++d) given[d - 1][e] = given[d][e];
            }
            ask(given[AHEAD - 1], q + AHEAD);
            const unsigned m = m_of(q), n = n_of(q);
            if (m >= M || n >= N) continue;
#pragma unroll
            for (unsigned e = 0; e < 4; ++e) {
                v[e] = K > 0 ? totals[(i_of(q) * C + q % CG * 4 + e) * GROUP] : 0.0f;
                if (bias != nullptr) v[e] = v[e] + bias[least(n + e, N - 1)];
            }
            const size_t at = (size_t)m * N + n;
            write_four(c, at, v, N - n, after.whole);
            after.finish(v, x, at, N - n);
        }
    }

private:
    // Terms of a block that begins at this one.
    static __device__ unsigned terms(unsigned first, unsigned K) { return first >= K ? 0 : K - first < FOLD ? K - first : FOLD; }

    // One term of all sums of this thread. To and fro, so that each fma has one factor of the one before.
    static __device__ void multiply(float (&acc)[R][C], const float* a, unsigned row, const float* b, unsigned column) {
        float am[R], bn[C];
#pragma unroll
        for (unsigned g = 0; g < RG; ++g) {
            const float4 four = *(const float4*)(a + (row ^ (16 * g)));
            am[4 * g] = four.x, am[4 * g + 1] = four.y, am[4 * g + 2] = four.z, am[4 * g + 3] = four.w;
        }
#pragma unroll
        for (unsigned g = 0; g < CG; ++g) {
            const float4 four = *(const float4*)(b + column + 32 * g);
            bn[4 * g] = four.x, bn[4 * g + 1] = four.y, bn[4 * g + 2] = four.z, bn[4 * g + 3] = four.w;
        }
#pragma unroll
        for (unsigned i = 0; i < R; ++i)
#pragma unroll
            for (unsigned j = 0; j < C; ++j) {
                const unsigned n = i % 2 == 0 ? j : C - 1 - j;
                acc[i][n] = fmaf(am[i], bn[n], acc[i][n]);
            }
    }

    // Adds the sums of a block of terms to the totals, which the first block's are.
    static __device__ void fold(float* totals, float (&acc)[R][C], bool first) {
#pragma unroll
        for (unsigned i = 0; i < R; ++i)
#pragma unroll
            for (unsigned j = 0; j < C; ++j) {
                float* total = totals + (i * C + j) * GROUP;
                *total = first ? acc[i][j] : *total + acc[i][j];
                acc[i][j] = 0.0f;
            }
    }
};
