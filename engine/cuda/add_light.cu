// Adds what a light brings to the pixels whose ray to it is free.
//
// One thread per pixel; pixels are independent. Reference: engine/rendering/renderer.py. Equality test: tests/cuda/test_frame.py.
#include "light_rays.cuh"

extern "C" __global__ void __launch_bounds__(128) add_lights(const __grid_constant__ Frame frame)
{
    const int pixel = blockIdx.x * blockDim.x + threadIdx.x;
    if (pixel >= frame.count) return;
    add_light(frame, pixel);
}
