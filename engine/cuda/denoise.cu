// A picture without its noise: what each sample adds to what the filter knows, which pixels it smooths, and its passes.
//
// One thread per pixel. Each writes its own pixel only; `begin_filter` and `filter_lights` read neighbours of what an earlier
// launch wrote. Reference: engine/rendering/denoise.py, denoise_kernel.py. Equality test: tests/cuda/test_denoise.py.
#include "denoise.cuh"

extern "C" __global__ void __launch_bounds__(128) note_samples(const __grid_constant__ Frame frame)
{
    const int pixel = blockIdx.x * blockDim.x + threadIdx.x;
    if (pixel >= frame.count) return;
    note_sample(frame, pixel);
}

extern "C" __global__ void __launch_bounds__(128) begin_filter(const __grid_constant__ DenoiseArguments args)
{
    const int pixel = blockIdx.x * blockDim.x + threadIdx.x;
    if (pixel >= args.count) return;
    begin_denoising(args, pixel);
}

extern "C" __global__ void __launch_bounds__(128) filter_lights(const __grid_constant__ DenoiseArguments args)
{
    const int pixel = blockIdx.x * blockDim.x + threadIdx.x;
    if (pixel >= args.count) return;
    filter_light(args, pixel);
}
