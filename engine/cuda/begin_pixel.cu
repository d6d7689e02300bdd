// The camera ray of each pixel of a tile.
//
// One thread per pixel; pixels are independent. Reference: engine/rendering/renderer.py. Equality test: tests/cuda/test_frame.py.
#include "camera.cuh"

extern "C" __global__ void __launch_bounds__(128) begin_pixels(const __grid_constant__ Frame frame)
{
    const int pixel = blockIdx.x * blockDim.x + threadIdx.x;
    if (pixel >= frame.count) return;
    begin_pixel(frame, pixel);
}
