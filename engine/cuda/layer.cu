// Rays through surfaces that let light pass: the start of those to a light, and the way on behind what was met.
//
// One thread per ray; rays are independent. Reference: engine/rendering/transparency.py, transmission.py. Equality test:
// tests/cuda/test_whole_pictures.py.
#include "layers.cuh"

extern "C" __global__ void __launch_bounds__(128) begin_shadows(const __grid_constant__ Frame frame)
{
    const int pixel = blockIdx.x * blockDim.x + threadIdx.x;
    if (pixel >= frame.count) return;
    begin_shadow(frame, pixel);
}

extern "C" __global__ void __launch_bounds__(128) pass_surfaces(const __grid_constant__ Frame frame)
{
    const int pixel = blockIdx.x * blockDim.x + threadIdx.x;
    if (pixel >= frame.count) return;
    pass_surface(frame, pixel);
}
