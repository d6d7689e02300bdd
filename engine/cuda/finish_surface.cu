// What each pixel of a tile has met, its planes and its own light.
//
// One thread per pixel; pixels are independent. Reference: engine/rendering/renderer.py. Equality test: tests/cuda/test_frame.py.
#include "surfaces.cuh"

extern "C" __global__ void __launch_bounds__(128) finish_surfaces(const __grid_constant__ Frame frame)
{
    const int pixel = blockIdx.x * blockDim.x + threadIdx.x;
    if (pixel >= frame.count) return;
    finish_surface(frame, pixel);
}
