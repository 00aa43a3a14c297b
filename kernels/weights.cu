// The gradients of dense layers' weights and biases, and Adam's step with each as soon as it is summed: all layers in
// one launch. A block of 256 threads for each tile of 32 x 32 weights.
// Bound by latency below a million weights, then by bytes: 28 a weight.
#include "adam.cuh"
#include "table.cuh"
#include "tile.cuh"

constexpr unsigned LAYERS = 8;

// Numbers that Adam updates: null where it does not.
struct Moments {
    float* p;
    float* m;
    float* v;
};

struct Gradient {
    SLOT unsigned B;
    SLOT unsigned I;
    SLOT unsigned O;
    const float* dz; // [B, O]
    const float* x;  // [B, I]
    float* dw;       // [O, I]
    float* db;       // [O], or null
    Moments of_w, of_b;
};

// The first block of the grid that works on a layer. They lie together, since every block looks through them.
struct First {
    SLOT unsigned block;
};

struct Gradients {
    SLOT unsigned slots;
    SLOT unsigned count;
    First first[LAYERS];
    Gradient layer[LAYERS];
};

extern "C" __global__ void __launch_bounds__(256, 2) weights(const float* table,    // [T, 4], null where nothing is updated
                                                          const unsigned* clock, // [2]
                                                          unsigned T, float w1, float beta2, float w2, float eps, const Gradients all) {
    using Part = Tile<4, 1, 1, 64>;
    unsigned n = 0;
#pragma unroll
    for (unsigned next = 1; next < LAYERS; ++next)
        if (next < all.count && blockIdx.x >= all.first[next].block) n = next;
    const Gradient& of = all.layer[n];
    const unsigned B = of.B, I = of.I, O = of.O, across = (I + Part::COLUMNS - 1) / Part::COLUMNS, tile = blockIdx.x - all.first[n].block;
    const unsigned o0 = tile / across * Part::ROWS, i0 = tile % across * Part::COLUMNS;
    const AdamStep adam = table == nullptr ? AdamStep() : AdamStep(table, clock, T, w1, beta2, w2, eps);

    // The first tile of a row of tiles has all the terms of its biases too: plain additions, in the same blocks of 256.
    const bool biased = i0 == 0 && of.db != nullptr && threadIdx.x < Part::ROWS;
    float bias = 0.0f, block = 0.0f;
    unsigned done = 0;
    const auto add = [&](const float* panel, unsigned terms) {
        if (!biased) return;
        const float* line = panel + threadIdx.x * Part::LINE;
        unsigned k = 0;
#pragma unroll 4
        for (; k + 4 <= terms; k += 4) {
            const float4 dz = *(const float4*)(line + k);
            block = (((block + dz.x) + dz.y) + dz.z) + dz.w;
        }
        for (; k < terms; ++k) block = block + line[k];
        done += terms;
        if (done % FOLD == 0 || done == B) {
            bias = done <= FOLD ? block : bias + block;
            block = 0.0f;
        }
    };
    // The moments are asked for before the product, which hides how long they take.
    const bool updated = of.of_w.p != nullptr;
    float dw[Part::OUT], m[Part::OUT], v[Part::OUT];
#pragma unroll
    for (unsigned j = 0; j < Part::OUT; ++j) {
        const unsigned o = o0 + Part::row(j), i = i0 + Part::column(j);
        const bool there = updated && o < O && i < I;
        const size_t at = (size_t)o * I + i;
        m[j] = there ? of.of_w.m[at] : 0.0f, v[j] = there ? of.of_w.v[at] : 0.0f;
    }
    Part::sums(dw, Factor<K_STRIDED>{of.dz, O, O, B}, o0, Factor<K_STRIDED>{of.x, I, I, B}, i0, add);
#pragma unroll
    for (unsigned j = 0; j < Part::OUT; ++j) {
        const unsigned o = o0 + Part::row(j), i = i0 + Part::column(j);
        if (o >= O || i >= I) continue;
        const size_t at = (size_t)o * I + i;
        of.dw[at] = dw[j];
        if (!updated) continue;
        adam.update(of.of_w.p[at], dw[j], m[j], v[j]);
        of.of_w.m[at] = m[j], of.of_w.v[at] = v[j];
    }
    const unsigned o = o0 + threadIdx.x;
    if (!biased || o >= O) return;
    of.db[o] = bias;
    if (of.of_b.p != nullptr) adam.update(of.of_b.p[o], bias, of.of_b.m[o], of.of_b.v[o]);
}
