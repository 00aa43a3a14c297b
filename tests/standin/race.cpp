// Launches every kernel that has a barrier, in small, on real threads: what ThreadSanitizer and AddressSanitizer are
// run on. Each buffer is an allocation of exactly its size, so that a stray access is seen. `launch` is in the
// library's sources.
#include <memory>
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

int main(int, char** argv) {
    const bool dense_only = argv[1] != nullptr;
    unsigned B = 5, I = 37, O = 66; // two tiles; three of K, the last one short
    float *x = numbers(B * I), *w = numbers(O * I), *b = numbers(O), *y = numbers(B * O);
    go("dense", 2, 256, {&x, &w, &b, &y, &B, &I, &O}, "ppppuuu");
    float want = 0;
    for (unsigned i = 0; i < I; ++i) want += x[4 * I + i] * w[65 * I + i];
    expect("dense", y[4 * O + 65], want + b[65]);
    if (dense_only) return 0;
    float* dx = numbers(B * I);
    go("dense_dx", 1, 256, {&y, &w, &dx, &B, &I, &O}, "pppuuu");
    float* dw = numbers(O * I);
    go("dense_dw", 2, 256, {&y, &x, &dw, &B, &I, &O}, "pppuuu");
    float* db = numbers(O);
    go("dense_db", 2, 64, {&y, &db, &B, &O}, "ppuu");
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
