// Launches every kernel that has a barrier, in small, on real threads: what ThreadSanitizer and AddressSanitizer are
// run on. Each buffer is an allocation of exactly its size, so that a stray access is seen. `launch` is in the
// library's sources.
#include <memory>
#include <string>
#include <vector>

static float* numbers(size_t n) {
    static std::vector<std::unique_ptr<float[]>> all;
    all.emplace_back(new float[n]);
    float* p = all.back().get();
    for (size_t i = 0; i < n; ++i) p[i] = static_cast<float>(i % 7) - 3.0f;
    return p;
}

static void go(const char* entry, unsigned grid, unsigned block, std::vector<void*> args, const char* letters) {
    const unsigned g[3] = {grid, 1, 1}, b[3] = {block, 1, 1};
    if (const char* wrong = launch(entry, g, b, args.data(), letters)) {
        fprintf(stderr, "%s\n", wrong);
        _Exit(4);
    }
}

static void expect(const char* what, float got, float want) {
    if (got == want) return;
    fprintf(stderr, "%s is %g where %g is right\n", what, got, want);
    _Exit(5);
}

// The kernels of groups, by tables: each struct's first slot is its length.
static void layer() {
    // A tile and a bit; K in two rounds of four blocks, the last one short.
    unsigned B = 5, I = 1100, O = 33;
    float *x = numbers(B * I), *w = numbers(O * I), *b = numbers(O), *y = numbers(B * O), *z = numbers(B * O);
    Tail tail = {sizeof tail / 8, 1, {{0, 0.0f, nullptr, nullptr, z}, {}, {}}};
    go("layer_long", 4, 256, {&x, &w, &b, &y, &B, &I, &O, &tail}, "ppppuuut");
    float want = 0;
    for (unsigned i = 0; i < I; ++i) want += x[4 * I + i] * w[32 * I + i];
    expect("layer", y[4 * O + 32], want + b[32]);
    expect("its relu", z[4 * O + 32], want + b[32] > 0 ? want + b[32] : 0);
    float* dx = numbers(B * I);
    Tail none = {sizeof none / 8, 0, {}};
    go("layer_dx_small", 35, 256, {&y, &w, &dx, &B, &I, &O, &none}, "pppuuut");
}

static void chained() {
    unsigned B = 3, I = 12, H = 40, O = 8;
    float *x = numbers(B * I), *w = numbers(H * I), *b = numbers(H), *h = numbers(B * H), *v = numbers(O * H), *y = numbers(B * O);
    Chain all = {sizeof all / 8, 2, {{0, I, H, 0, w, b, h, nullptr, nullptr}, {0, H, O, 0, v, nullptr, y, nullptr, nullptr}}};
    go("chain", 2, 512, {&x, &B, &all}, "put");
    float want = 0;
    for (unsigned i = 0; i < H; ++i) want += h[2 * H + i] * v[7 * H + i];
    expect("chain", y[2 * O + 7], want);
}

static void gradients() {
    unsigned B = 70, I = 33, O = 34, T = 1;
    float *dz = numbers(B * O), *x = numbers(B * I), *dw = numbers(O * I), *db = numbers(O), *table = numbers(4), none = 0;
    float *p = numbers(O * I), *m = numbers(O * I), *v = numbers(O * I);
    unsigned clock[2] = {0, 0}, *at = clock;
    Gradients all = {sizeof all / 8, 1, {}, {{B, I, O, dz, x, dw, db, {p, m, v}, {nullptr, nullptr, nullptr}}}};
    go("weights", 4, 256, {&table, &at, &T, &none, &none, &none, &none, &all}, "ppufffft");
    float want = 0;
    for (unsigned r = 0; r < B; ++r) want += dz[r * O + 33];
    expect("the gradient of a bias", db[33], want);
}

// Three rows, the last one with ties; an index of two bytes.
static void largest() {
    unsigned C = 300, k = 7;
    float* x = numbers(3 * C);
    unsigned cuts[6] = {}, *cut = cuts;
    go("cut_rows", 3, 256, {&x, &cut, &C, &k}, "ppuu");
    // 3 is every seventh number, first at index 6 of each third row: 300 = 6 (mod 7).
    expect("the key of a cut", cuts[0] == 0xc0400000u, 1);
    expect("the index of a cut", static_cast<float>(cuts[1]), 6 * 7 + 6);
    expect("the last one", static_cast<float>(cuts[5]), 6 * 7 + 1);
}

// One row of which nothing is kept yet, one that keeps what it has, and one of which two stay.
static void merged() {
    unsigned C = 600, K = 3, clock[2] = {40, 0}, *at = clock;
    float *x = numbers(3 * C), *values = numbers(9);
    for (unsigned i = 0; i < 3; ++i) values[i] = -INFINITY, values[3 + i] = 9.0f;
    values[6] = 7.0f, values[7] = -2.0f, values[8] = 3.0f;
    unsigned indices[9] = {1, 1, 1, 2, 2, 2, 5, 6, 7}, *index = indices;
    go("merge_topk_rows", 3, 256, {&x, &at, &values, &index, &C, &K}, "ppppuu");
    // 3 is every seventh number, first at index 6 of the first row; 1200 = 3 (mod 7), so at index 3 of the third.
    expect("the first of a row", static_cast<float>(indices[0]), 46);
    expect("the last of it", static_cast<float>(indices[2]), 60);
    expect("what is kept", static_cast<float>(indices[4]), 2);
    expect("what moves up", static_cast<float>(indices[7]), 7);
    expect("what comes in", static_cast<float>(indices[8]), 43);
    expect("its number", values[8], 3);
}

int main(int, char** argv) {
    const std::string only = argv[1] ? argv[1] : "";
    if (only.empty() || only == "layer") layer();
    if (only.empty() || only == "chain") chained();
    if (only.empty() || only == "weights") gradients();
    if (only.empty() || only == "cut") largest();
    if (only.empty() || only == "merge_topk") merged();
    if (!only.empty() && only != "dense") return 0;
    const bool dense_only = !only.empty();
    // Two tiles; the first part has a second block of terms, which is cut short.
    unsigned B = 5, I = 530, O = 66;
    float *x = numbers(B * I), *w = numbers(O * I), *b = numbers(O), *y = numbers(B * O);
    float *z = numbers(B * O), *at = numbers(B * I), *dz = numbers(B * I);
    Tail relu = {sizeof relu / 8, 1, {{0, 0.0f, nullptr, nullptr, z}, {}, {}}};
    go("dense_halves", 2, 128, {&x, &w, &b, &y, &B, &I, &O, &relu}, "ppppuuut");
    float want = 0;
    for (unsigned i = 0; i < I; ++i) want += x[4 * I + i] * w[65 * I + i];
    expect("dense", y[4 * O + 65], want + b[65]);
    expect("its relu", z[4 * O + 65], want + b[65] > 0 ? want + b[65] : 0);
    // Two columns more than a warp has; two warps, of which the first has a second block of rows.
    unsigned rows = 600, columns = 34;
    float *long_dz = numbers(rows * columns), *db = numbers(columns);
    go("dense_db", 2, 64, {&long_dz, &db, &rows, &columns}, "ppuu");
    want = 0;
    for (unsigned r = 0; r < rows; ++r) want += long_dz[r * columns + 33];
    expect("dense_db", db[33], want);
    if (dense_only) return 0;
    float* dx = numbers(B * I);
    Tail grad = {sizeof grad / 8, 1, {{8, 0.0f, at, nullptr, dz}, {}, {}}};
    go("dense_dx_some", 9, 128, {&y, &w, &dx, &B, &I, &O, &grad}, "pppuuut");
    expect("the derivative of relu", dz[4 * I + 529], at[4 * I + 529] > 0 ? dx[4 * I + 529] : 0);
    // In fours.
    unsigned four = 64;
    go("dense_halves", 1, 128, {&x, &w, &b, &y, &B, &I, &four, &relu}, "ppppuuut");
    float* dw = numbers(O * I);
    go("dense_dw_many", 10, 64, {&y, &x, &dw, &B, &I, &O}, "pppuuu");
    go("dense_dw_pairs", 18, 128, {&y, &x, &dw, &B, &I, &O}, "pppuuu");
    unsigned N = 4099, P = 2;
    float unit = 1.0f, scale = 0.5f, *v = numbers(N), *u = numbers(N), *work = numbers(P), *one = numbers(1);
    go("sum_chunks", 2, 256, {&v, &work, &N}, "ppu");
    go("total", 1, 256, {&work, &one, &P, &unit}, "ppuf");
    want = 0;
    for (unsigned i = 0; i < N; ++i) want += v[i];
    expect("sum", one[0], want);
    go("mse_chunks", 2, 256, {&v, &u, &work, &N}, "pppu");
    go("total", 1, 256, {&work, &one, &P, &scale}, "ppuf");
    expect("mse", one[0], 0);
    return 0;
}
