// First crossing of each ray with the zero sets of one network's instances.
//
// Persistent warps: the grid fills the device once, and each lane takes rays from args.queue (march_warp.cuh). WIDTH is
// compile-time (launches.py picks the instance: the narrowest that holds the network); depth and activation are not.
// Reference: engine/tracing/march_kernel.py. Equality test: tests/cuda/test_march.py.
#include "kernel_memory.cuh"

#define MARCH(WIDTH, WARPS)                                                                                          \
    extern "C" __global__ void __launch_bounds__(32 * WARPS) march_##WIDTH(const __grid_constant__ MarchArguments args)        \
    {                                                                                                                 \
        const WarpMemory memory =                                                                                     \
            warp_memory<WIDTH>(args.network, args.weights_in_shared, args.scratch_in_shared, args.scratch.get(),      \
                               args.scratch_floats, args.use_half);                                                   \
        march_warp<WIDTH>(args, memory);                                                                              \
    }

MARCH(16, 8)
MARCH(32, 8)
MARCH(64, 8)
MARCH(128, 8)
MARCH(256, 8)
