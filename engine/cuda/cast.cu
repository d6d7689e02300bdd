// The nearest native triangle along each ray.
//
// One thread per ray; rays are independent.
// Reference: engine/rendering/native_geometry.py. Equality test: tests/cuda/test_triangles.py.
#include "triangles.cuh"

extern "C" __global__ void __launch_bounds__(128) cast_rays(const __grid_constant__ CastArguments args)
{
    const int ray = blockIdx.x * blockDim.x + threadIdx.x;
    if (ray >= args.rays.count) return;
    cast_ray(args, ray);
}
