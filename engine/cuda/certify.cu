// Proven bounds on one network in cells that lie in blocks: the certified structure.
//
// One warp takes a block of cells at a time from args.queue, one cell per lane (certify.cuh); width, depth and activation are
// not compile-time. Reference: engine/tracing/certified_bounds.py. Equality test: tests/cuda/test_certify.py.
#include "certify_bounds.cuh"

extern "C" __global__ void __launch_bounds__(128) certify_cells(const __grid_constant__ CertifyArguments args)
{
    const int64_t warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    certify_warp(args, args.scratch.get() + warp * args.warp_floats);
}
