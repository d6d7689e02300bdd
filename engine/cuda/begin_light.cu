// One light's ray from each pixel of a tile, and what it brings if nothing is in its way.
//
// One thread per pixel; pixels are independent. Reference: engine/rendering/renderer.py. Equality test: tests/cuda/test_frame.py.
#include "light_rays.cuh"

extern "C" __global__ void __launch_bounds__(128) begin_lights(const __grid_constant__ Frame frame)
{
    const int pixel = blockIdx.x * blockDim.x + threadIdx.x;
    if (pixel >= frame.count) return;
    begin_light(frame, pixel);
}
