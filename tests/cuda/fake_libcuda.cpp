// NVIDIA's driver library without a GPU: memory is the host's, and launches run the kernels of the host library at once.
//
// The real cuda-bindings package loads this as libcuda.so.1 (tests/cuda/fake_libcuda.py), so that all that lies between the
// engine's command line and the device functions is what runs with a GPU. The environment says what it is to be:
// FAKE_CUDA_DRIVER (13000), FAKE_CUDA_DEVICES (1), FAKE_CUDA_CAPABILITY (90), FAKE_CUDA_MEMORY (bytes, 8 GiB),
// FAKE_CUDA_INIT (cuInit's result), FAKE_CUDA_NO_KERNELS (1: no image is taken), FAKE_CUDA_NO_PIN (1) and FAKE_CUDA_LOST (1: the
// next launch fails, and as with a GPU it is a later call that tells).
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <chrono>
#include <map>
#include <mutex>
#include <string>

namespace {

typedef int Result;
const Result INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_IMAGE = 200, INVALID_CONTEXT = 201, NOT_FOUND = 500, ILLEGAL_ADDRESS = 700,
             ALREADY_REGISTERED = 712, NOT_REGISTERED = 713, NOT_SUPPORTED = 801;

std::mutex guard;
std::map<uint64_t, size_t> blocks, registered;
size_t in_use = 0;
bool lost = false;
char context, stream;
thread_local void* current = nullptr;

long setting(const char* name, long otherwise)
{
    const char* text = getenv(name);
    return text ? atol(text) : otherwise;
}

size_t capacity() { return (size_t)setting("FAKE_CUDA_MEMORY", 8L << 30); }

struct Event {
    std::chrono::steady_clock::time_point when;
};

// ---- every call that works on a context

#define NEEDS_CONTEXT()                        \
    if (current != &context) return INVALID_CONTEXT; \
    if (lost) return ILLEGAL_ADDRESS

Result init(unsigned) { return (Result)setting("FAKE_CUDA_INIT", 0); }
Result driver_version(int* out) { *out = (int)setting("FAKE_CUDA_DRIVER", 13000); return 0; }
Result device_count(int* out) { *out = (int)setting("FAKE_CUDA_DEVICES", 1); return 0; }
Result device_get(int* out, int number) { *out = number; return 0; }
Result device_name(char* out, int length, int number) { snprintf(out, length, "Fake GPU %d", number); return 0; }
Result device_memory(size_t* out, int) { *out = capacity(); return 0; }

Result device_attribute(int* out, int attribute, int)
{
    const int capability = (int)setting("FAKE_CUDA_CAPABILITY", 90);
    switch (attribute) {
    case 13: *out = 1000000; return 0;          // clock rate, kHz
    case 16: *out = 2; return 0;                // multiprocessors
    case 75: *out = capability / 10; return 0;
    case 76: *out = capability % 10; return 0;
    case 97: *out = 227 << 10; return 0;        // shared memory of a block
    }
    return INVALID_VALUE;
}

Result retain(void** out, int) { *out = &context; return 0; }
Result release(int) { return 0; }
Result set_current(void* wanted) { current = wanted; return 0; }
Result stream_create(void** out, unsigned) { *out = &stream; return current ? 0 : INVALID_CONTEXT; }
Result stream_wait(void*) { NEEDS_CONTEXT(); return 0; }

Result memory_info(size_t* free, size_t* total)
{
    NEEDS_CONTEXT();
    *free = capacity() - in_use;
    *total = capacity();
    return 0;
}

Result allocate(uint64_t* out, size_t size)
{
    NEEDS_CONTEXT();
    const std::lock_guard<std::mutex> lock(guard);
    if (size == 0) return INVALID_VALUE;
    if (in_use + size > capacity()) return OUT_OF_MEMORY;
    void* memory = aligned_alloc(512, (size + 511) / 512 * 512);
    memset(memory, 0xCD, size);  // memory that nobody has written is not zero
    *out = (uint64_t)memory;
    blocks[*out] = size;
    in_use += size;
    return 0;
}

Result free_block(uint64_t address)
{
    NEEDS_CONTEXT();
    const std::lock_guard<std::mutex> lock(guard);
    const auto found = blocks.find(address);
    if (found == blocks.end()) return INVALID_VALUE;
    in_use -= found->second;
    free((void*)address);
    blocks.erase(found);
    return 0;
}

bool inside(uint64_t address, size_t size)
{
    const std::lock_guard<std::mutex> lock(guard);
    auto after = blocks.upper_bound(address);
    if (after == blocks.begin()) return false;
    --after;
    return address + size <= after->first + after->second;
}

Result upload(uint64_t target, const void* source, size_t size, void*)
{
    NEEDS_CONTEXT();
    if (!inside(target, size)) return INVALID_VALUE;
    memcpy((void*)target, source, size);
    return 0;
}

Result download(void* target, uint64_t source, size_t size, void*)
{
    NEEDS_CONTEXT();
    if (!inside(source, size)) return INVALID_VALUE;
    memcpy(target, (const void*)source, size);
    return 0;
}

Result fill(uint64_t target, unsigned word, size_t count, void*)
{
    NEEDS_CONTEXT();
    if (!inside(target, 4 * count)) return INVALID_VALUE;
    for (size_t k = 0; k < count; ++k) ((uint32_t*)target)[k] = word;
    return 0;
}

Result load(void** out, const void* image)
{
    NEEDS_CONTEXT();
    *out = (void*)image;
    return setting("FAKE_CUDA_NO_KERNELS", 0) ? INVALID_IMAGE : image ? 0 : INVALID_VALUE;
}

Result get_function(void** out, void*, const char* name)
{
    NEEDS_CONTEXT();
    Dl_info own;
    dladdr((const void*)&init, &own);
    void* library = dlopen(own.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    *out = dlsym(library, name);
    return *out ? 0 : NOT_FOUND;
}

Result set_attribute(void*, int, int value) { NEEDS_CONTEXT(); return value <= 227 << 10 ? 0 : INVALID_VALUE; }
Result occupancy(int* out, void*, int, size_t) { NEEDS_CONTEXT(); *out = 1; return 0; }

Result launch(void* function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned, unsigned, unsigned shared,
              void*, void** parameters, void**)
{
    NEEDS_CONTEXT();
    if (x == 0 || y != 1 || z != 1 || threads == 0 || threads > 1024 || shared > 227 << 10) return INVALID_VALUE;
    if (setting("FAKE_CUDA_LOST", 0)) lost = true;  // the launch itself still says that all is well
    else ((void (*)(const void*))function)(parameters[0]);
    return 0;
}

Result event_create(Event** out, unsigned) { NEEDS_CONTEXT(); *out = new Event(); return 0; }
Result event_record(Event* event, void*) { NEEDS_CONTEXT(); event->when = std::chrono::steady_clock::now(); return 0; }
Result event_wait(Event*) { NEEDS_CONTEXT(); return 0; }
Result event_destroy(Event* event) { delete event; return 0; }

Result event_time(float* out, Event* first, Event* second)
{
    NEEDS_CONTEXT();
    *out = std::chrono::duration<float, std::milli>(second->when - first->when).count();
    return 0;
}

Result host_register(void* memory, size_t size, unsigned)
{
    NEEDS_CONTEXT();
    if (setting("FAKE_CUDA_NO_PIN", 0)) return NOT_SUPPORTED;
    return registered.emplace((uint64_t)memory, size).second ? 0 : ALREADY_REGISTERED;
}

Result host_unregister(void* memory) { NEEDS_CONTEXT(); return registered.erase((uint64_t)memory) ? 0 : NOT_REGISTERED; }

const std::map<std::string, void*>& functions()
{
#define ENTRY(name, function) {name, (void*)&function}
    static const std::map<std::string, void*> table = {
        ENTRY("cuInit", init), ENTRY("cuDriverGetVersion", driver_version), ENTRY("cuDeviceGetCount", device_count),
        ENTRY("cuDeviceGet", device_get), ENTRY("cuDeviceGetName", device_name), ENTRY("cuDeviceTotalMem", device_memory),
        ENTRY("cuDeviceGetAttribute", device_attribute), ENTRY("cuDevicePrimaryCtxRetain", retain),
        ENTRY("cuDevicePrimaryCtxRelease", release), ENTRY("cuCtxSetCurrent", set_current),
        ENTRY("cuStreamCreate", stream_create), ENTRY("cuStreamSynchronize", stream_wait), ENTRY("cuMemGetInfo", memory_info),
        ENTRY("cuMemAlloc", allocate), ENTRY("cuMemFree", free_block), ENTRY("cuMemcpyHtoDAsync", upload),
        ENTRY("cuMemcpyDtoHAsync", download), ENTRY("cuMemsetD32Async", fill), ENTRY("cuModuleLoadData", load),
        ENTRY("cuModuleGetFunction", get_function), ENTRY("cuFuncSetAttribute", set_attribute),
        ENTRY("cuOccupancyMaxActiveBlocksPerMultiprocessor", occupancy), ENTRY("cuLaunchKernel", launch),
        ENTRY("cuEventCreate", event_create), ENTRY("cuEventRecord", event_record), ENTRY("cuEventSynchronize", event_wait),
        ENTRY("cuEventDestroy", event_destroy), ENTRY("cuEventElapsedTime", event_time),
        ENTRY("cuMemHostRegister", host_register), ENTRY("cuMemHostUnregister", host_unregister),
    };
    return table;
}

}  // namespace

extern "C" Result cuGetProcAddress_v2(const char* name, void** out, int, uint64_t, int* found)
{
    const auto entry = functions().find(name);
    *out = entry == functions().end() ? nullptr : entry->second;
    if (found) *found = *out ? 0 : 1;
    return *out ? 0 : NOT_FOUND;
}
