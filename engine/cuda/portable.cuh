// One source for the device and for the host: what runs on a GPU is run by the tests without one.
//
// A warp's code is written over `PerLane<T>`: on the device each lane holds its own T, on the host all 32 stand in an
// array and `NI_EACH_LANE` visits them in turn. What crosses lanes (shuffles, votes, the matrix unit) stands here, the
// host's version written from the PTX manual's description of the fragments, so that a wrong layout shows on the host.
// Test: tests/cuda/test_device_functions.py.
#pragma once

#include <stdint.h>
#include <string.h>
#include <math.h>

#ifdef __CUDACC__
#include <cuda_fp16.h>
#define NI __host__ __device__ __forceinline__
#define NI_CALL __host__ __device__ __noinline__  // large and rarely taken: not inlined into a loop
#else
#define NI inline
#define NI_CALL inline
#endif

#define NI_LANES 32
#define NI_FULL 0xffffffffu

#ifdef __CUDA_ARCH__
template <class T>
struct PerLane {
    T own;
    NI T& operator[](int) { return own; }
    NI const T& operator[](int) const { return own; }
};
#define NI_EACH_LANE(lane) for (int lane = threadIdx.x & 31, ni_once = 1; ni_once; ni_once = 0)
#define NI_SYNC_WARP() __syncwarp()
#else
template <class T>
struct PerLane {
    T own[NI_LANES];
    NI T& operator[](int lane) { return own[lane]; }
    NI const T& operator[](int lane) const { return own[lane]; }
};
#define NI_EACH_LANE(lane) for (int lane = 0; lane < NI_LANES; ++lane)
#define NI_SYNC_WARP()
#endif

#define NI_INFINITY (__builtin_huge_val())

NI bool is_finite(double x) { return x - x == 0.0; }
NI bool is_finite_f(float x) { return x - x == 0.0f; }
NI double no_number() { return NI_INFINITY - NI_INFINITY; }

// A number that no kernel writes while this one runs: such reads have a cache of their own.
template <class T>
NI T read_only(const T* place)
{
#ifdef __CUDA_ARCH__
    return __ldg(place);
#else
    return *place;
#endif
}

// One bit per lane, set where `wanted` is; the same on all lanes.
NI uint32_t vote(const PerLane<int>& wanted)
{
#ifdef __CUDA_ARCH__
    return __ballot_sync(NI_FULL, wanted.own);
#else
    uint32_t bits = 0;
    for (int lane = 0; lane < NI_LANES; ++lane) bits |= (wanted[lane] ? 1u : 0u) << lane;
    return bits;
#endif
}

NI int count_bits(uint32_t bits)
{
#ifdef __CUDA_ARCH__
    return __popc(bits);
#else
    return __builtin_popcount(bits);
#endif
}

// What lane `source[lane]` holds in `values`.
NI PerLane<float> shuffle(const PerLane<float>& values, const PerLane<int>& source)
{
    PerLane<float> result;
#ifdef __CUDA_ARCH__
    result.own = __shfl_sync(NI_FULL, values.own, source.own);
#else
    for (int lane = 0; lane < NI_LANES; ++lane) result[lane] = values[source[lane] & 31];
#endif
    return result;
}

// Reserve places in a queue for the lanes of `wanted`, in their order; lanes that want none get -1.
NI PerLane<int> reserve(int* queue, const PerLane<int>& wanted)
{
    const uint32_t bits = vote(wanted);
    PerLane<int> place;
#ifdef __CUDA_ARCH__
    int first = 0;
    const int lane = threadIdx.x & 31, leader = __ffs(bits) - 1;
    if (bits != 0 && lane == leader) first = atomicAdd(queue, __popc(bits));
    first = __shfl_sync(NI_FULL, first, bits != 0 ? leader : 0);
    place.own = wanted.own ? first + __popc(bits & ((1u << lane) - 1u)) : -1;
#else
    for (int lane = 0; lane < NI_LANES; ++lane) place[lane] = wanted[lane] ? (*queue)++ : -1;
    (void)bits;
#endif
    return place;
}

// The next place of a queue, for the warp as a whole.
NI int next_of(int32_t* queue)
{
#ifdef __CUDA_ARCH__
    int place = 0;
    if ((threadIdx.x & 31) == 0) place = atomicAdd(queue, 1);
    return __shfl_sync(NI_FULL, place, 0);
#else
    return (*queue)++;
#endif
}

// ---- half precision

NI uint32_t half_bits(float x)
{
#ifdef __CUDACC__
    return (uint32_t)__half_as_ushort(__float2half_rn(x));
#else
    const _Float16 half = (_Float16)x;
    uint16_t bits;
    memcpy(&bits, &half, 2);
    return bits;
#endif
}

NI float from_half_bits(uint32_t bits)
{
#ifdef __CUDACC__
    return __half2float(__ushort_as_half((unsigned short)bits));
#else
    const uint16_t low = (uint16_t)bits;
    _Float16 half;
    memcpy(&half, &low, 2);
    return (float)half;
#endif
}

struct HalfPair {  // two numbers as two halves each: x = high + low / HALF_SCALE, right to 2^-22 of x
    uint32_t high, low;
};

#define HALF_SCALE 2048.0f

NI HalfPair split_pair(float first, float second)
{
    const uint32_t a = half_bits(first), b = half_bits(second);
    const float rest_a = (first - from_half_bits(a)) * HALF_SCALE, rest_b = (second - from_half_bits(b)) * HALF_SCALE;
    const HalfPair pair = {a | b << 16, half_bits(rest_a) | half_bits(rest_b) << 16};
    return pair;
}

// ---- the matrix unit: D (16 x 8, float32) += A (16 x 16, half) * B (16 x 8, half)
//
// With g = lane / 4 and t = lane % 4 [PTX ISA, mma.m16n8k16]: A holds (g, 2t), (g + 8, 2t), (g, 2t + 8), (g + 8, 2t + 8)
// and their right neighbours, B holds (2t, g) and (2t + 8, g) and their lower neighbours, D holds (g, 2t), (g, 2t + 1),
// (g + 8, 2t), (g + 8, 2t + 1).
struct FragmentA {
    uint32_t part[4];
};
struct FragmentD {
    float part[4];
};

NI void multiply_add(PerLane<FragmentD>& d, const PerLane<FragmentA>& a, const PerLane<uint32_t>& b0, const PerLane<uint32_t>& b1)
{
#ifdef __CUDA_ARCH__
    float* c = d.own.part;
    const uint32_t* r = a.own.part;
#if __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3]), "r"(b0.own), "r"(b1.own));
#else
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(r[0]), "r"(r[1]), "r"(b0.own));
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(r[2]), "r"(r[3]), "r"(b1.own));
#endif
#else
    float left[16][16], right[16][8];
    for (int lane = 0; lane < NI_LANES; ++lane) {
        const int g = lane / 4, t = lane % 4;
        for (int k = 0; k < 4; ++k)
            for (int half = 0; half < 2; ++half)
                left[g + (k & 1) * 8][2 * t + (k >> 1) * 8 + half] = from_half_bits(a[lane].part[k] >> (16 * half));
        for (int half = 0; half < 2; ++half) {
            right[2 * t + half][g] = from_half_bits(b0[lane] >> (16 * half));
            right[2 * t + 8 + half][g] = from_half_bits(b1[lane] >> (16 * half));
        }
    }
    for (int lane = 0; lane < NI_LANES; ++lane)
        for (int k = 0; k < 4; ++k) {
            const int row = lane / 4 + (k >> 1) * 8, column = 2 * (lane % 4) + (k & 1);
            float sum = d[lane].part[k];
            for (int inner = 0; inner < 16; ++inner) sum += left[row][inner] * right[inner][column];
            d[lane].part[k] = sum;
        }
#endif
}
