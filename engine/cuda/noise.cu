// How far each pixel's mean has moved since the last look, and which pixels get more samples.
//
// One thread per pixel. `measure_noise` writes its own pixel only, `choose_pixels` reads what that wrote of the neighbours; a
// warp reserves places for its pixels together. Reference: engine/rendering/noise.py. Equality test:
// tests/cuda/test_whole_pictures.py.
#include "noise.cuh"

extern "C" __global__ void __launch_bounds__(128) measure_noise(const __grid_constant__ NoiseArguments args)
{
    const int pixel = blockIdx.x * blockDim.x + threadIdx.x;
    if (pixel >= args.count) return;
    measure_pixel(args, pixel);
}

extern "C" __global__ void __launch_bounds__(128) choose_pixels(const __grid_constant__ NoiseArguments args)
{
    const int warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    choose_warp(args, 32 * warp);
}
