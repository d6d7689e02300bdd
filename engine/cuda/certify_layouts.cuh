// Structs of the certifying kernel that the host fills; layouts.py holds the same, and a test compares every offset.
#pragma once

#include "expansion.cuh"
#include "layouts.cuh"

struct CertifyArguments {           // engine/tracing/certified_network.py says how the network is laid out
    Pointer<const float> hidden;      // (L, W, W); zeros for layer 0
    Pointer<const float> encoded;     // (L, W, E); zeros where a layer does not see the encoded input
    Pointer<const float> biases;      // (L, W)
    Pointer<const float> last;        // (W,)
    Pointer<const float> phases;      // (F, 4), 2 pi B over x, y, z, t
    Pointer<const float> references;  // (G, 3)
    Pointer<const int32_t> first;     // (G + 1,): where the cells of each block begin
    Pointer<const float> centres;     // (N, 3)
    Pointer<float> values;            // out (N,): before the output activation the field lies within `radii` of it
    Pointer<float> radii;             // out (N,)
    Pointer<float> bounds;            // out (N, 6), low and high gradient of the field itself, or 0: not wanted
    Pointer<float> errors;            // out (N,): bound on the error of a float32 value, with `bounds`
    Pointer<int32_t> queue;           // 0 at the start: the next block of cells
    Pointer<float> scratch;           // warp_floats of each warp
    uint64_t sees;                    // bit k: layer k sees the encoded input
    ActivationBounds hidden_bounds, sine_bounds;
    float last_bias, time, half;      // half a cell's side, widened
    int32_t width, size, depth;       // W and E, multiples of eight; L
    int32_t inputs, features, activation, output_activation, num_blocks, warp_floats;
};
