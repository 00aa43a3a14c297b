// A stand-in for libcuda.so.1: the functions of the driver that `backend/cuda` calls, over host memory, with the
// kernels of the stand-in. It proves what the stand-in device can't: opening, loading, launching, graphs and errors.
//
// Like a real stream it does nothing until it is waited for, and so an argument or a buffer that did not live long
// enough is seen. NARROWS_FAKE_DRIVER plants a fault: old, nodevice, nocount, ptx, jit, memory, turing, graph, address;
// with loads it says which kernel each module has.
// Compiled with NARROWS_WITHOUT_UPLOAD it is a driver that lacks a function.
#include <functional>
#include <mutex>
#include <string>

#define API extern "C" __attribute__((visibility("default")))

namespace driver {

enum { OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, INVALID_DEVICE = 101, INVALID_CONTEXT = 201, NO_COMPILER = 221, UNSUPPORTED_PTX = 222, NOT_FOUND = 500, ILLEGAL_ADDRESS = 700, LAUNCH_FAILED = 719, NOT_SUPPORTED = 801 };

struct Call {
    const standin::Entry* entry;
    unsigned grid[3], block[3];
    std::vector<std::vector<unsigned long long>> args;

    int run() const {
        std::vector<void*> pointers;
        for (const auto& arg : args) pointers.push_back(const_cast<unsigned long long*>(arg.data()));
        return launch(entry->name, grid, block, pointers.data(), entry->letters) ? LAUNCH_FAILED : OK;
    }
};

struct Graph {
    std::vector<Call> nodes;
    std::vector<std::vector<size_t>> before; // for each node, those that it waits for

    // Like a GPU, in any order that keeps to the edges: a different one each time.
    int run() const {
        static unsigned long long state = 1;
        std::vector<bool> done(nodes.size());
        for (size_t left = nodes.size(); left > 0; --left) {
            std::vector<size_t> ready;
            for (size_t n = 0; n < nodes.size(); ++n) {
                bool waits = done[n];
                for (size_t b : before[n]) waits = waits || !done[b];
                if (!waits) ready.push_back(n);
            }
            state = state * 6364136223846793005ull + 1442695040888963407ull;
            const size_t next = ready[(state >> 33) % ready.size()];
            if (int code = nodes[next].run()) return code;
            done[next] = true;
        }
        return OK;
    }
};

static std::recursive_mutex lock;
static std::vector<std::function<int()>> stream;
static int context;
static thread_local void* current = nullptr;

static bool fault(const char* name) {
    const char* planted = getenv("NARROWS_FAKE_DRIVER");
    return planted && strcmp(planted, name) == 0;
}

// The driver reads the arguments before it returns, as many as the kernel has.
static Call call(const void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, void** params) {
    const auto* entry = static_cast<const standin::Entry*>(function);
    Call made{entry, {gx, gy, gz}, {bx, by, bz}, {}};
    for (size_t i = 0; entry->letters[i]; ++i) {
        made.args.emplace_back((entry->sizes[i] + 7) / 8);
        memcpy(made.args.back().data(), params[i], entry->sizes[i]);
    }
    return made;
}

template <typename F> static int enqueue(F what) {
    std::lock_guard<std::recursive_mutex> held(lock);
    if (!current) return INVALID_CONTEXT;
    stream.push_back(what);
    return OK;
}

} // namespace driver
using namespace driver;

API int cuInit(unsigned) { return fault("nodevice") ? NO_DEVICE : OK; }
API int cuDriverGetVersion(int* v) { return *v = fault("old") ? 11080 : 12000, OK; }
API int cuDeviceGetCount(int* n) { return *n = fault("nocount") ? 0 : 1, OK; }
API int cuDeviceGet(int* device, int n) { return *device = n, n == 0 ? OK : INVALID_DEVICE; }
API int cuDeviceGetName(char* name, int length, int) { return snprintf(name, length, "Stand-in"), OK; }
API int cuDeviceGetAttribute(int* value, int attribute, int) {
    // 16: multiprocessors. 75 and 76: compute capability. 115: memory pools.
    *value = attribute == 16 ? 132 : attribute == 75 ? 7 : attribute == 76 ? (fault("turing") ? 0 : 5) : attribute == 115;
    return OK;
}
API int cuDevicePrimaryCtxRetain(void** c, int) { return *c = &context, OK; }
API int cuDevicePrimaryCtxRelease_v2(int) { return OK; }
API int cuCtxGetCurrent(void** c) { return *c = current, OK; }
API int cuCtxSetCurrent(void* c) { return current = c, OK; }
API int cuStreamCreate(void** s, unsigned) { return *s = &stream, OK; }
API int cuStreamDestroy_v2(void*) { return OK; }
API int cuStreamSynchronize(void*) {
    std::lock_guard<std::recursive_mutex> held(lock);
    int wrong = fault("address") ? ILLEGAL_ADDRESS : OK;
    for (auto& what : stream)
        if (int code = what()) wrong = code;
    stream.clear();
    return wrong;
}
API int cuMemAlloc_v2(void** p, size_t n) { return *p = malloc(n), OK; }
API int cuMemAllocAsync(void** p, size_t n, void*) {
    if (n == 0) return INVALID_VALUE;
    *p = fault("memory") ? nullptr : malloc(n);
    return *p ? OK : OUT_OF_MEMORY;
}
API int cuMemFree_v2(void* p) { return free(p), OK; }
API int cuMemFreeAsync(void* p, void*) {
    std::lock_guard<std::recursive_mutex> held(lock);
    stream.push_back([=] { return free(p), OK; });
    return OK;
}
API int cuMemsetD8Async(void* p, unsigned char byte, size_t n, void*) {
    return enqueue([=] { return memset(p, byte, n), OK; });
}
API int cuMemcpyHtoDAsync_v2(void* to, const void* from, size_t n, void*) {
    std::string staged(static_cast<const char*>(from), n);
    return enqueue([=] { return memcpy(to, staged.data(), n), OK; });
}
API int cuMemcpyDtoHAsync_v2(void* to, const void* from, size_t n, void*) {
    return enqueue([=] { return memcpy(to, from, n), OK; });
}
API int cuDeviceGetDefaultMemPool(void** pool, int) { return *pool = &stream, OK; }
API int cuMemPoolSetAttribute(void* pool, int attribute, void* value) {
    // 4: the bytes that the pool keeps when the GPU is waited for.
    return pool == &stream && attribute == 4 && *static_cast<unsigned long long*>(value) == ~0ull ? OK : INVALID_VALUE;
}
API int cuModuleLoadData(void** module, const void* image) {
    auto* text = new std::string(static_cast<const char*>(image));
    const size_t entry = text->find(".visible .entry ");
    if (fault("loads") && entry != std::string::npos) fprintf(stderr, "loaded: %s\n", text->substr(entry + 16, text->find('(', entry) - entry - 16).c_str());
    *module = text;
    return fault("ptx") ? UNSUPPORTED_PTX : fault("jit") ? NO_COMPILER : OK;
}
API int cuModuleLoadDataEx(void** module, const void* image, unsigned n, int* options, void** values) {
    // 5: where the compiler's errors go. 6: how many bytes fit there.
    for (unsigned i = 0; i + 1 < n; ++i)
        if (fault("ptx") && options[i] == 5 && options[i + 1] == 6)
            snprintf(static_cast<char*>(values[i]), reinterpret_cast<size_t>(values[i + 1]), "ptxas fatal :\n\n  planted; unknown version\n");
    return cuModuleLoadData(module, image);
}
API int cuModuleUnload(void* module) { return delete static_cast<std::string*>(module), OK; }
API int cuModuleGetFunction(void** function, void* module, const char* name) {
    if (static_cast<std::string*>(module)->find(std::string(".visible .entry ") + name + "(") == std::string::npos) return NOT_FOUND;
    for (const auto& entry : entries)
        if (strcmp(entry.name, name) == 0) return *function = const_cast<standin::Entry*>(&entry), OK;
    return NOT_FOUND;
}
API int cuLaunchKernel(void* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned, void*, void** params, void**) {
    const Call made = call(f, gx, gy, gz, bx, by, bz, params);
    return enqueue([=] { return made.run(); });
}
API int cuGetErrorName(int code, const char** name) { return *name = standin::say("CUDA_ERROR_%d", code), OK; }
API int cuGetErrorString(int, const char** text) { return *text = "planted", OK; }

struct NodeParams {
    void* function;
    unsigned grid[3], block[3], shared;
    void** params;
    void **extra, *kernel, *context;
};
API int cuGraphCreate(void** graph, unsigned) { return *graph = new Graph(), fault("graph") ? NOT_SUPPORTED : OK; }
API int cuGraphAddKernelNode_v2(void** node, void* graph, void* const* before, size_t n, const NodeParams* p) {
    auto& nodes = static_cast<Graph*>(graph)->nodes;
    std::vector<size_t> waits;
    for (size_t i = 0; i < n; ++i) {
        waits.push_back(reinterpret_cast<size_t>(before[i]) - 1);
        if (waits.back() >= nodes.size()) return INVALID_VALUE;
    }
    static_cast<Graph*>(graph)->before.push_back(waits);
    nodes.push_back(call(p->function, p->grid[0], p->grid[1], p->grid[2], p->block[0], p->block[1], p->block[2], p->params));
    *node = reinterpret_cast<void*>(nodes.size());
    return OK;
}
API int cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) { return *executable = new Graph(*static_cast<Graph*>(graph)), OK; }
#ifndef NARROWS_WITHOUT_UPLOAD
API int cuGraphUpload(void*, void*) { return OK; }
#endif
API int cuGraphLaunch(void* executable, void*) {
    const Graph graph = *static_cast<Graph*>(executable);
    return enqueue([=] { return graph.run(); });
}
API int cuGraphExecDestroy(void* executable) { return delete static_cast<Graph*>(executable), OK; }
API int cuGraphDestroy(void* graph) { return delete static_cast<Graph*>(graph), OK; }
