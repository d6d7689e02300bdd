// Where a block's weights and scratch lie: in shared memory as far as the host says that they fit, else in global memory.
#pragma once

#include "march_warp.cuh"

#ifdef __CUDACC__
extern __shared__ __align__(16) unsigned char shared_memory[];

// Copy `words` 32-bit words into shared memory by all threads of the block.
__device__ __forceinline__ void copy_words(uint32_t* target, const void* source, int words)
{
    const uint32_t* from = static_cast<const uint32_t*>(source);
    for (int k = threadIdx.x; k < words; k += blockDim.x) target[k] = from[k];
}

// Shared memory holds, in this order and each begun on 16 bytes: fragments, parameters, biases, then each warp's scratch.
template <int WIDTH>
__device__ __forceinline__ WarpMemory warp_memory(const Network& network, bool weights_in_shared, bool scratch_in_shared,
                                                  float* scratch, int scratch_floats, bool use_half)
{
    uint32_t* next = reinterpret_cast<uint32_t*>(shared_memory);
    WarpMemory memory = {network.parameters.get(), network.fragments.get(), network.fragment_biases.get(), scratch};
    if (weights_in_shared) {
        if (use_half) {
            copy_words(next, network.fragments.get(), network.num_fragments);
            memory.fragments = next;
            next += (network.num_fragments + 3) / 4 * 4;
        }
        copy_words(next, network.parameters.get(), network.num_parameters);
        memory.weights = reinterpret_cast<float*>(next);
        next += (network.num_parameters + 3) / 4 * 4;
        if (use_half) {
            copy_words(next, network.fragment_biases.get(), network.depth * WIDTH);
            memory.biases = reinterpret_cast<float*>(next);
            next += network.depth * WIDTH;
        }
        __syncthreads();
    }
    const int warp = threadIdx.x / 32, warps = blockDim.x / 32;
    if (scratch_in_shared) memory.scratch = reinterpret_cast<float*>(next) + warp * scratch_floats;
    else memory.scratch = scratch + (size_t)(blockIdx.x * warps + warp) * scratch_floats;
    return memory;
}
#endif
