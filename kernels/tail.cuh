// What follows a product in the same launch: functions of single numbers, applied while the number is in a register.
// Every number is written, with the bits that the ops' own kernels give it.
#pragma once
#include "abs.cu"
#include "bce.cu"
#include "exp.cu"
#include "leaky.cu"
#include "mse.cu"
#include "relu.cu"
#include "sigmoid.cu"
#include "silu.cu"
#include "softplus.cu"
#include "square_sum.cu"
#include "table.cuh"
#include "tanh.cu"

constexpr unsigned STAGES = 3;

// y = f(last); or a derivative, y = f'(at, last) or s f'(last, target).
struct Stage {
    SLOT unsigned function; // see `apply`
    SLOT float scale;       // of the derivative of a sum
    const float* x;         // [M, N] where a derivative is taken at, null for at the product; or the target of a sum
    const float* dy;        // [1]
    float* y;               // [M, N]
};

struct Tail {
    SLOT unsigned slots;
    SLOT unsigned count;
    Stage stage[STAGES];
};

// The functions, in the order of `cuda::plan::function`: those of a few instructions, and those with exp in them.
#define SHORT_FUNCTIONS(CASE) \
    CASE(0, Relu::value(last[i])) \
    CASE(1, Leaky::value(last[i])) \
    CASE(7, Abs::value(last[i])) \
    CASE(8, Relu::grad(at[i], last[i])) \
    CASE(9, Leaky::grad(at[i], last[i])) \
    CASE(15, Abs::grad(at[i], last[i])) \
    CASE(16, SquareSum::grad(last[i], at[i], s)) \
    CASE(17, Mse::grad(last[i], at[i], s))
#define LONG_FUNCTIONS(CASE) \
    CASE(2, Sigmoid::value(last[i])) \
    CASE(3, Tanh::value(last[i])) \
    CASE(4, Softplus::value(last[i])) \
    CASE(5, Silu::value(last[i])) \
    CASE(6, Exp::value(last[i])) \
    CASE(10, Sigmoid::grad(at[i], last[i])) \
    CASE(11, Tanh::grad(at[i], last[i])) \
    CASE(12, Softplus::grad(at[i], last[i])) \
    CASE(13, Silu::grad(at[i], last[i])) \
    CASE(14, Exp::grad(at[i], last[i])) \
    CASE(18, Bce::grad(last[i], at[i], s))
#define ALL_NUMBERS(number, value) \
    case number: \
        _Pragma("unroll") for (unsigned i = 0; i < N; ++i) last[i] = value; \
        break;

// N numbers at once, so that none waits for another.
template <unsigned N> __device__ inline void apply(unsigned function, float (&last)[N], const float (&at)[N], float s) {
    switch (function) { SHORT_FUNCTIONS(ALL_NUMBERS) LONG_FUNCTIONS(ALL_NUMBERS) }
}

template <unsigned N> __device__ inline void apply_long(unsigned function, float (&last)[N], const float (&at)[N], float s) {
    switch (function) { LONG_FUNCTIONS(ALL_NUMBERS) }
}

// Four numbers, at once where that is short: the others written four times would be most of a kernel.
__device__ inline void apply_in_turn(unsigned function, float (&last)[4], float (&at)[4], float s) {
    constexpr unsigned N = 4;
    switch (function) {
        SHORT_FUNCTIONS(ALL_NUMBERS)
    default:
#pragma unroll 1
        for (unsigned e = 0; e < 4; ++e) {
            // Both go round once, so that no register is named by a number.
            float one[1] = {last[0]};
            const float of[1] = {at[0]};
            apply_long(function, one, of, s);
            last[0] = last[1], last[1] = last[2], last[2] = last[3], last[3] = one[0];
            at[0] = at[1], at[1] = at[2], at[2] = at[3];
        }
    }
}

// The N elements of one thread, on their way through the tail.
template <unsigned N> struct Elements {
    size_t at[N];
    bool inside[N];
    float given[STAGES][N];

    // Asks for what the stages need from memory: before the product, which hides how long it takes.
    __device__ void fetch(const Tail& tail) {
#pragma unroll
        for (unsigned n = 0; n < STAGES; ++n)
#pragma unroll
            for (unsigned i = 0; i < N; ++i)
                given[n][i] = n < tail.count && tail.stage[n].x != nullptr && inside[i] ? tail.stage[n].x[at[i]] : 0.0f;
    }

    // Applies all stages, from the product on, and writes each one's results.
    __device__ void finish(const Tail& tail, float (&last)[N]) const {
        float product[N];
#pragma unroll
        for (unsigned i = 0; i < N; ++i) product[i] = last[i];
#pragma unroll 1
        for (unsigned n = 0; n < tail.count; ++n) {
            const Stage& stage = tail.stage[n];
            const float s = stage.dy != nullptr ? stage.scale * stage.dy[0] : 0.0f;
            float x[N];
#pragma unroll
            for (unsigned i = 0; i < N; ++i)
                x[i] = stage.x == nullptr ? product[i] : n == 0 ? given[0][i] : n == 1 ? given[1][i] : given[2][i];
            apply(stage.function, last, x, s);
#pragma unroll
            for (unsigned i = 0; i < N; ++i)
                if (inside[i]) stage.y[at[i]] = last[i];
        }
    }
};

// Four neighbours of a row, of which `count` are inside; at once where that is `whole`.
__device__ inline void read_four(float (&v)[4], const float* p, size_t at, unsigned count, bool whole) {
    if (whole) {
        const float4 four = *(const float4*)(p + at);
        v[0] = four.x, v[1] = four.y, v[2] = four.z, v[3] = four.w;
        return;
    }
#pragma unroll
    for (unsigned e = 0; e < 4; ++e) v[e] = e < count ? p[at + e] : 0.0f;
}

__device__ inline void write_four(float* p, size_t at, const float (&v)[4], unsigned count, bool whole) {
    if (whole) {
        *(float4*)(p + at) = make_float4(v[0], v[1], v[2], v[3]);
        return;
    }
#pragma unroll
    for (unsigned e = 0; e < 4; ++e)
        if (e < count) p[at + e] = v[e];
}

// The tail for threads that have many fours of neighbours, one after the other.
class FoursOfTail {
    const Tail& tail;
    unsigned first; // the first stage that reads numbers from memory: they can be asked for some fours ahead

public:
    bool whole; // four neighbours can be read and written at once

    // `whole` of the product itself.
    __device__ FoursOfTail(const Tail& tail, bool whole) : tail(tail), first(STAGES), whole(whole) {
#pragma unroll 1
        for (unsigned n = tail.count; n-- > 0;) {
            const Stage& stage = tail.stage[n];
            if (stage.x != nullptr) first = n;
            this->whole = this->whole && (size_t)stage.x % 16 == 0 && (size_t)stage.y % 16 == 0;
        }
    }

    __device__ bool reads() const { return first < STAGES; }

    __device__ void ask(float (&given)[4], size_t at, unsigned count) const { read_four(given, tail.stage[first].x, at, count, whole); }

    // Applies all stages, from the product on, and writes each one's results.
    __device__ void finish(float (&last)[4], const float (&given)[4], size_t at, unsigned count) const {
        const float product[4] = {last[0], last[1], last[2], last[3]};
#pragma unroll 1
        for (unsigned n = 0; n < tail.count; ++n) {
            const Stage& stage = tail.stage[n];
            const float s = stage.dy != nullptr ? stage.scale * stage.dy[0] : 0.0f;
            float x[4];
#pragma unroll
            for (unsigned e = 0; e < 4; ++e) x[e] = n == first ? given[e] : product[e];
            if (stage.x != nullptr && n != first) read_four(x, stage.x, at, count, whole);
            apply_in_turn(stage.function, last, x, s);
            write_four(stage.y, at, last, count, whole);
        }
    }
};
