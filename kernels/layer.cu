// A product of few tiles and what follows it: a dense layer with its activation, its derivative with the activation's,
// the last layer with the loss's derivative. A block of 256 threads for each tile.
// Bound by latency: of the launch, of a tile's factors from L2 and of one block of 256 terms.
#include "tail.cuh"
#include "tile.cuh"

template <typename T, Along a_along, Along b_along>
__device__ inline void layer_tile(const Factor<a_along>& a, const Factor<b_along>& b, const float* bias, float* c, const Tail& tail) {
    const unsigned M = a.lines, N = b.lines, across = (N + T::COLUMNS - 1) / T::COLUMNS;
    const unsigned m0 = blockIdx.x / across * T::ROWS, n0 = blockIdx.x % across * T::COLUMNS;
    Elements<T::OUT> out;
    float added[T::OUT], total[T::OUT];
#pragma unroll
    for (unsigned i = 0; i < T::OUT; ++i) {
        const unsigned m = m0 + T::row(i), n = n0 + T::column(i);
        out.at[i] = (size_t)m * N + n;
        out.inside[i] = T::row(i) < T::ROWS && m < M && n < N;
        added[i] = out.inside[i] && bias != nullptr ? bias[n] : 0.0f;
    }
    out.fetch(tail);
    T::sums(total, a, m0, b, n0, [](const float*, unsigned) {});
#pragma unroll
    for (unsigned i = 0; i < T::OUT; ++i) {
        if (bias != nullptr) total[i] = total[i] + added[i];
        if (out.inside[i]) c[out.at[i]] = total[i];
    }
    out.finish(tail, total);
}

// Tiles of 8 x 32 where all of K lies in one block; of 4 x 32 where K is split over the warps; of 16 x 32 where there
// are many anyway.
using Small = Tile<1, 1, 1, 128>;
using Long = Tile<2, 1, 4, 64>;
using Large = Tile<2, 1, 1, 128>;

// y [B, O] = x [B, I] w^T [O, I] + b [O], and its tail. b may be null.
template <typename T> __device__ inline void forward(const float* x, const float* w, const float* b, float* y, unsigned B, unsigned I, unsigned O, const Tail& tail) {
    layer_tile<T>(Factor<K_CONTIGUOUS>{x, I, B, I}, Factor<K_CONTIGUOUS>{w, I, O, I}, b, y, tail);
}

// dx [B, I] = dz [B, O] w [O, I], and its tail.
template <typename T> __device__ inline void backward(const float* dz, const float* w, float* dx, unsigned B, unsigned I, unsigned O, const Tail& tail) {
    layer_tile<T>(Factor<K_CONTIGUOUS>{dz, O, B, O}, Factor<K_STRIDED>{w, I, I, O}, nullptr, dx, tail);
}


extern "C" __global__ void __launch_bounds__(256, 2) layer_small(const float* x, const float* w, const float* b, float* y, unsigned B, unsigned I, unsigned O, const Tail tail) {
    forward<Small>(x, w, b, y, B, I, O, tail);
}

extern "C" __global__ void __launch_bounds__(256, 2) layer_long(const float* x, const float* w, const float* b, float* y, unsigned B, unsigned I, unsigned O, const Tail tail) {
    forward<Long>(x, w, b, y, B, I, O, tail);
}

extern "C" __global__ void __launch_bounds__(256, 2) layer_large(const float* x, const float* w, const float* b, float* y, unsigned B, unsigned I, unsigned O, const Tail tail) {
    forward<Large>(x, w, b, y, B, I, O, tail);
}

extern "C" __global__ void __launch_bounds__(256, 2) layer_dx_small(const float* dz, const float* w, float* dx, unsigned B, unsigned I, unsigned O, const Tail tail) {
    backward<Small>(dz, w, dx, B, I, O, tail);
}

extern "C" __global__ void __launch_bounds__(256, 2) layer_dx_long(const float* dz, const float* w, float* dx, unsigned B, unsigned I, unsigned O, const Tail tail) {
    backward<Long>(dz, w, dx, B, I, O, tail);
}

extern "C" __global__ void __launch_bounds__(256, 2) layer_dx_large(const float* dz, const float* w, float* dx, unsigned B, unsigned I, unsigned O, const Tail tail) {
    backward<Large>(dz, w, dx, B, I, O, tail);
}
