// A stand-in for a GPU: with this header in front of them, g++ compiles the CUDA kernels unmodified, and `launch`
// executes them on the host.
//
// Normally each CUDA thread of a block is a fiber: it runs until it reaches a barrier or its end, then the next one
// does, so that one host thread runs a whole block and shared memory is a plain variable of that host thread. A block
// whose first thread ends without meeting a barrier needs no fibers for the others. A barrier that some threads of a
// block reach and others do not is an error.
//
// With NARROWS_STANDIN_THREADS each CUDA thread is a host thread, so that ThreadSanitizer sees what a missing barrier
// does.
#pragma once
#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <math.h>
#include <utility>
#ifdef NARROWS_STANDIN_THREADS
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>
#else
#include <csetjmp>
#include <memory>
#include <ucontext.h>
#include <vector>
#endif

#define __global__
#define __device__
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
#ifdef NARROWS_STANDIN_THREADS
#define __shared__ static
#else
#define __shared__ static thread_local
#endif

struct dim3 {
    unsigned x, y, z;
};

struct __align__(16) float4 {
    float x, y, z, w;
};
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

static thread_local dim3 threadIdx, blockIdx, blockDim, gridDim;

static inline float __uint_as_float(unsigned bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline unsigned __float_as_uint(float value) {
    unsigned bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

// Relaxed, as on a GPU: other memory is ordered by barriers alone.
static inline unsigned atomicAdd(unsigned* at, unsigned more) { return __atomic_fetch_add(at, more, __ATOMIC_RELAXED); }
static inline unsigned atomicMin(unsigned* at, unsigned x) {
    unsigned before = __atomic_load_n(at, __ATOMIC_RELAXED);
    while (x < before && !__atomic_compare_exchange_n(at, &before, x, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
    return before;
}
static inline unsigned atomicMax(unsigned* at, unsigned x) {
    unsigned before = __atomic_load_n(at, __ATOMIC_RELAXED);
    while (x > before && !__atomic_compare_exchange_n(at, &before, x, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
    return before;
}

namespace standin {

// Subnormal numbers count as 0, as in PTX that is compiled with --ftz=true, while a `Flush` lives on a host thread.
struct Flush {
#if defined(__x86_64__)
    unsigned before = __builtin_ia32_stmxcsr();
    Flush() { __builtin_ia32_ldmxcsr(before | 0x8040); }
    ~Flush() { __builtin_ia32_ldmxcsr(before); }
#elif defined(__aarch64__)
    unsigned long before = __builtin_aarch64_get_fpcr64();
    Flush() { __builtin_aarch64_set_fpcr64(before | 0x1000000); }
    ~Flush() { __builtin_aarch64_set_fpcr64(before); }
#endif
};

// What a launch passes, as a letter each: p a pointer, u a 32-bit integer, f a float, t a table (kernels/table.cuh).
template <typename T> struct Letter { static const char value = 't'; };
template <typename T> struct Letter<T*> { static const char value = 'p'; };
template <> struct Letter<unsigned> { static const char value = 'u'; };
template <> struct Letter<float> { static const char value = 'f'; };

struct Entry {
    const char* name;
    const char* letters;
    const unsigned* sizes; // of the parameters, in bytes
    void (*call)(void** args);
};

template <typename F, F* kernel> struct Kernel;
template <typename... A, void (*kernel)(A...)> struct Kernel<void(A...), kernel> {
    template <size_t... I> static void spread(void** args, std::index_sequence<I...>) { kernel(*static_cast<const A*>(args[I])...); }
    static void call(void** args) { spread(args, std::index_sequence_for<A...>()); }
    static constexpr char letters[] = {Letter<A>::value..., 0};
    static constexpr unsigned sizes[] = {sizeof(A)..., 0};
};
#define STANDIN_ENTRY(name) {#name, standin::Kernel<decltype(name), name>::letters, standin::Kernel<decltype(name), name>::sizes, standin::Kernel<decltype(name), name>::call}

static thread_local char message[300];
__attribute__((format(printf, 1, 2))) static const char* say(const char* format, ...) {
    va_list values;
    va_start(values, format);
    vsnprintf(message, sizeof message, format, values);
    va_end(values);
    return message;
}

static dim3 place(unsigned n, dim3 size) { return {n % size.x, n / size.x % size.y, n / size.x / size.y}; }
static unsigned count(dim3 size) { return size.x * size.y * size.z; }

#ifndef NARROWS_STANDIN_THREADS

const size_t STACK = 64 << 10;

struct Fiber {
    ucontext_t context; // for the first entry; after it, jumps are ten times cheaper
    jmp_buf state;
    std::unique_ptr<char[]> stack;
    bool started = false, done = true;
};

struct Job {
    void (*call)(void**);
    void** args;
};

static thread_local Fiber* current;
static thread_local Job job;
static thread_local bool alone; // this thread runs without a fiber, because the block's first one met no barrier
static thread_local jmp_buf scheduler;
static thread_local std::vector<std::unique_ptr<Fiber>> pool;

static void body() {
    for (;;) {
        job.call(job.args);
        current->done = true;
        if (_setjmp(current->state) == 0) _longjmp(scheduler, 1);
    }
}

// Runs a fiber until its next barrier or its end.
static __attribute__((noinline)) void resume(Fiber* fiber) {
    current = fiber;
    if (_setjmp(scheduler) != 0) return;
    if (fiber->started) _longjmp(fiber->state, 1);
    fiber->started = true;
    setcontext(&fiber->context);
}

struct Stray {};

static __attribute__((noinline)) void barrier() {
    if (alone) throw Stray();
    if (_setjmp(current->state) == 0) _longjmp(scheduler, 1);
}

static Fiber* fiber(unsigned n) {
    while (pool.size() <= n) {
        auto made = std::make_unique<Fiber>();
        made->stack.reset(new char[STACK]);
        getcontext(&made->context);
        made->context.uc_stack.ss_sp = made->stack.get();
        made->context.uc_stack.ss_size = STACK;
        made->context.uc_link = nullptr;
        makecontext(&made->context, body, 0);
        pool.push_back(std::move(made));
    }
    return pool[n].get();
}

// False when the threads of the block did not all reach the same barriers.
static bool run_block(unsigned threads) {
    threadIdx = {0, 0, 0};
    fiber(0)->done = false;
    resume(fiber(0));
    if (fiber(0)->done) {
        alone = true;
        bool together = true;
        try {
            for (unsigned t = 1; t < threads; ++t) {
                threadIdx = place(t, blockDim);
                job.call(job.args);
            }
        } catch (Stray) {
            together = false;
        }
        alone = false;
        return together;
    }
    for (unsigned t = 1; t < threads; ++t) fiber(t)->done = false;
    for (unsigned first = 1;; first = 0) {
        unsigned done = 0;
        for (unsigned t = first; t < threads; ++t) {
            threadIdx = place(t, blockDim);
            resume(pool[t].get());
        }
        for (unsigned t = 0; t < threads; ++t) done += pool[t]->done;
        if (done == threads) return true;
        if (done != 0) {
            pool.clear(); // fibers that wait for ever
            return false;
        }
    }
}

static const char* run(const Entry& entry, dim3 grid, dim3 block, void** args) {
    job = {entry.call, args};
    gridDim = grid;
    blockDim = block;
    // Blocks may run in any order: in a different one at each launch, forward or backward from anywhere.
    static thread_local unsigned long long state = 1;
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    const unsigned blocks = count(grid), from = (state >> 33) % blocks;
    for (unsigned n = 0; n < blocks; ++n) {
        const unsigned b = (from + (state >> 63 ? n : blocks - n)) % blocks;
        blockIdx = place(b, grid);
        if (!run_block(count(block))) return say("%s: in block %u, a barrier that not all threads reach", entry.name, b);
    }
    return nullptr;
}

#else

// The threads of a block, at a barrier. One block at a time.
static struct {
    std::mutex lock;
    std::condition_variable open;
    unsigned threads, waiting, left, round;
} meeting;

static void meet(bool leaving) {
    std::unique_lock<std::mutex> held(meeting.lock);
    (leaving ? meeting.left : meeting.waiting) += 1;
    if (meeting.left != 0 && meeting.waiting != 0) {
        fprintf(stderr, "a barrier that not all threads reach\n");
        _Exit(3);
    }
    const unsigned round = meeting.round;
    if (meeting.left + meeting.waiting == meeting.threads) {
        meeting.left = meeting.waiting = 0;
        meeting.round += 1;
        meeting.open.notify_all();
    }
    meeting.open.wait(held, [&] { return meeting.round != round; });
}

static void barrier() { meet(false); }

static const char* run(const Entry& entry, dim3 grid, dim3 block, void** args) {
    meeting.threads = count(block);
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < count(block); ++t)
        threads.emplace_back([=] {
            Flush flush;
            gridDim = grid;
            blockDim = block;
            threadIdx = place(t, block);
            for (unsigned b = 0; b < count(grid); ++b) {
                blockIdx = place(b, grid);
                entry.call(args);
                meet(true);
            }
        });
    for (auto& thread : threads) thread.join();
    return nullptr;
}

#endif

// Null, or what went wrong: valid until the next launch of this host thread.
static const char* launch(const Entry* entries, size_t n, const char* name, const unsigned* grid, const unsigned* block, void** args, const char* letters) {
    for (size_t i = 0; i < n; ++i) {
        if (strcmp(entries[i].name, name) != 0) continue;
        if (strcmp(entries[i].letters, letters) != 0) return say("%s takes %s but is given %s", name, entries[i].letters, letters);
        for (size_t a = 0; letters[a]; ++a)
            if (letters[a] == 't' && *static_cast<unsigned*>(args[a]) * 8 != entries[i].sizes[a])
                return say("%s takes a table of %u bytes but is given %u slots", name, entries[i].sizes[a], *static_cast<unsigned*>(args[a]));
        const dim3 g = {grid[0], grid[1], grid[2]}, b = {block[0], block[1], block[2]};
        if (count(g) == 0 || count(b) == 0 || count(b) > 1024) return say("%s: a grid of %u blocks of %u threads", name, count(g), count(b));
        Flush flush;
        return run(entries[i], g, b, args);
    }
    return say("there is no kernel %s", name);
}

} // namespace standin

#define __syncthreads() standin::barrier()
