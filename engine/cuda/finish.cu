// The planes of a whole picture as they leave the engine, so that one copy brings them to where they are read.
//
// One thread per pixel; pixels are independent. Reference: engine/rendering/tile_planes.py. Equality test:
// tests/cuda/test_frame_file.py.
#include "finish.cuh"

extern "C" __global__ void __launch_bounds__(128) finish_frames(const __grid_constant__ FinishArguments args)
{
    const int pixel = blockIdx.x * blockDim.x + threadIdx.x;
    if (pixel >= args.count) return;
    finish_pixel(args, pixel);
}
