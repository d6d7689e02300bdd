// Structs that the host fills and kernels read; layouts.py holds the same, and a test compares every offset.
//
// Pointers are 64-bit numbers in the device's address space. Arrays are C-contiguous.
#pragma once

#include <stdint.h>

#define MOST_DEPTH 64
#define TILE_ROWS 8
#define STACK_SIZE 64

template <class T>
struct Pointer {  // 8 bytes on every host, whatever its own pointers are
    uint64_t address;
#ifdef __CUDACC__
    __host__ __device__ __forceinline__
#else
    inline
#endif
    T* get() const { return (T*)(uintptr_t)address; }
};

struct Network {
    Pointer<const float> parameters;      // tiles of TILE_ROWS outputs: biases, then a row for each input (network.cuh)
    Pointer<const float> encoding;        // (F, 4), 2 pi B over x, y, z, t
    Pointer<const uint32_t> fragments;    // the matrix unit's weights (half_network.cuh); 0: there are none
    Pointer<const float> fragment_biases; // (depth, padded width)
    uint64_t skips;                       // bit k: layer k sees the encoding again
    int32_t inputs, features, encoded, width, depth;
    int32_t activation, output_activation;
    int32_t num_parameters;               // floats
    int32_t num_fragments;                // 32-bit words
    float time;
};

struct PartRow {  // a row of PackedGrid.rows, 32 bytes
    float value;       // the field at the part's centre
    float slope[3];
    float spread[3];   // by how much the gradient differs from the slope
    float rest;        // by how much the field differs from the linear function; UNKNOWN or more: not found
};

struct Grid {  // packed_grid.py says what the arrays mean
    Pointer<const uint8_t> ahead;  // (8, R, R, R): side of the largest empty cube, by octant; 128 more where the field is negative
    Pointer<const int32_t> cell;    // (R, R, R)
    Pointer<const uint8_t> part;    // (C, S^3)
    Pointer<const int32_t> first;   // (C,)
    Pointer<const PartRow> rows;    // (P,)
    double error;                   // of a float32 value
    double half_error;              // of a value from the matrix unit
    int32_t resolution;             // R
    int32_t parts;                  // S
};

struct Rays {  // N rays; t is in units of the direction
    Pointer<const double> origins;     // (N, 3)
    Pointer<const double> directions;  // (N, 3)
    Pointer<const double> t_min;       // (N,); 0: all begin at 0
    Pointer<double> t_max;             // (N,); the march of a scene shortens it
    int32_t count, any_hit;
};

struct Instance {
    double unit_from_world[12];  // row-major 3 x 4
    double box[6];               // low x y z, high x y z: holds the zero set, unit space
    int32_t network, object;
};

struct TreeNode {
    double box[6];
    int32_t first, members;  // of an inner node the left child, the right one follows; of a leaf the place in `order`
};

struct Instances {
    Pointer<const TreeNode> nodes;
    Pointer<const int32_t> order;
    Pointer<const Instance> instances;
    int32_t count, network;  // only instances of this network are looked at
};

struct MarchArguments {
    Network network;
    Grid grid;
    Rays rays;
    Instances instances;         // count 0: the rays are in unit space
    Pointer<double> t_hit;       // out (N,), inf on a miss; a scene's march changes only what it hits, and 0 will do for it
    Pointer<int32_t> object;     // out (N,) or 0: the number of the instance
    Pointer<int32_t> queue;      // 0 at the start: the next ray
    Pointer<uint64_t> counts;    // out (3,) or 0: values in full and in half precision, and rays
    Pointer<float> scratch;      // floats of each warp, where they do not fit into shared memory
    int32_t use_half;
    int32_t scratch_in_shared, weights_in_shared;
    int32_t scratch_floats;      // of one warp
};

struct EvaluateArguments {
    Network network;
    Pointer<const float> points;   // (N, 3) in [-1, 1]^3
    Pointer<float> values;         // out (N,)
    Pointer<float> gradients;      // out (N, 3) or 0; in full precision only
    Pointer<float> scratch;
    int32_t count;
    int32_t scratch_in_shared, weights_in_shared;
    int32_t scratch_floats;
    int32_t extend;                // 1: points may lie outside the box (DESIGN: Spaces and conventions)
};

struct TriangleNode {  // object space, float32 boxes padded outward
    float low[3], high[3];
    int32_t first, count;  // count 0: the children are `first` and `first + 1`; else triangles
};

struct MeshInstance {
    double object_from_world[12];
    double box[6];               // object space, padded
    Pointer<const TriangleNode> nodes;
    Pointer<const float> corners;  // (T, 3, 3), in the order of the tree
    Pointer<const int32_t> faces;  // (T,): the face's number
    int32_t object, unused;
};

struct CastArguments {
    Rays rays;
    Pointer<const TreeNode> nodes;
    Pointer<const int32_t> order;
    Pointer<const MeshInstance> meshes;
    Pointer<double> t_hit;          // out (N,); 0: only t_max changes, to the hit or to -1 where any hit will do
    Pointer<int32_t> object;        // out (N,): the number of the instance, -1 on a miss
    Pointer<int32_t> face;          // out (N,)
    Pointer<float> barycentric;     // out (N, 2): weights of the first and second corner
    int32_t count, unused;          // instances
};
