// A network's values, and gradients where wanted, at N points.
//
// One warp takes 32 points at a time, in strides of the grid. WIDTH is compile-time as in march.cu.
// Reference: engine/network/field.py. Equality test: tests/cuda/test_device_functions.py.
#include "evaluate_warp.cuh"
#include "kernel_memory.cuh"

#define EVALUATE_KERNEL(WIDTH, WARPS)                                                                                        \
    extern "C" __global__ void __launch_bounds__(32 * WARPS) evaluate_##WIDTH(const __grid_constant__ EvaluateArguments args) \
    {                                                                                                                 \
        const WarpMemory memory =                                                                                     \
            warp_memory<WIDTH>(args.network, args.weights_in_shared, args.scratch_in_shared, args.scratch.get(),      \
                               args.scratch_floats, args.use_half);                                                   \
        const int warps = gridDim.x * blockDim.x / 32;                                                                \
        for (int64_t first = 32 * (int64_t)((blockIdx.x * blockDim.x + threadIdx.x) / 32); first < args.count;        \
             first += 32 * (int64_t)warps)                                                                            \
            evaluate_warp<WIDTH>(args, memory, (int)first);                                                           \
    }

EVALUATE_KERNEL(16, 8)
EVALUATE_KERNEL(32, 8)
EVALUATE_KERNEL(64, 8)
EVALUATE_KERNEL(128, 8)
EVALUATE_KERNEL(256, 8)
