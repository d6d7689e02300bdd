// A network's values at N points on the matrix unit: what the march takes on its way, for measuring it by itself.
//
// One warp takes 32 points at a time, in strides of the grid. WIDTH is compile-time as in march.cu.
// Reference: engine/network/field.py. Equality test: tests/cuda/test_device_functions.py.
#include "evaluate_warp.cuh"
#include "kernel_memory.cuh"

#define EVALUATE_HALF(WIDTH)                                                                                          \
    extern "C" __global__ void __launch_bounds__(256) evaluate_half_##WIDTH(const __grid_constant__ EvaluateArguments args) \
    {                                                                                                                 \
        const WarpMemory memory = warp_memory<WIDTH>(args.network, args.weights_in_shared, args.scratch_in_shared,    \
                                                     args.scratch.get(), args.scratch_floats, true);                  \
        const int64_t warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32, warps = gridDim.x * blockDim.x / 32;       \
        for (int64_t first = 32 * warp; first < args.count; first += 32 * warps)                                      \
            evaluate_half_warp<WIDTH>(args, memory, (int)first);                                                      \
    }

EVALUATE_HALF(16)
EVALUATE_HALF(32)
EVALUATE_HALF(64)
EVALUATE_HALF(128)
EVALUATE_HALF(256)
