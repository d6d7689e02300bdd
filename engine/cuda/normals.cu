// Normals of one network's instances at what the pixels of a tile have met.
//
// One warp takes 32 pixels; the gradient is in full precision. Reference: engine/rendering/neural_geometry.py.
// Equality test: tests/cuda/test_frame.py.
#include "surfaces.cuh"
#include "kernel_memory.cuh"

extern "C" __global__ void __launch_bounds__(256) neural_normals(const __grid_constant__ NormalsArguments args)
{
    const WarpMemory memory = warp_memory<16>(args.network, args.weights_in_shared, args.scratch_in_shared,
                                              args.scratch.get(), args.scratch_floats, false);
    const int warps = gridDim.x * blockDim.x / 32;
    for (int64_t first = 32 * (int64_t)((blockIdx.x * blockDim.x + threadIdx.x) / 32); first < args.frame.count;
         first += 32 * (int64_t)warps)
        normals_warp(args, memory.weights, memory.scratch, (int)first);
}
