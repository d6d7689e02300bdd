// A network's values, and gradients where wanted, at N points, in full precision.
//
// One warp takes 32 points at a time, in strides of the grid; width, depth and activation are not compile-time.
// Reference: engine/network/field.py. Equality test: tests/cuda/test_device_functions.py.
#include "evaluate_warp.cuh"
#include "kernel_memory.cuh"

extern "C" __global__ void __launch_bounds__(256) evaluate_points(const __grid_constant__ EvaluateArguments args)
{
    const WarpMemory memory = warp_memory<16>(args.network, args.weights_in_shared, args.scratch_in_shared,
                                              args.scratch.get(), args.scratch_floats, false);
    const int64_t warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32, warps = gridDim.x * blockDim.x / 32;
    for (int64_t first = 32 * warp; first < args.count; first += 32 * warps) evaluate_warp(args, memory, (int)first);
}
