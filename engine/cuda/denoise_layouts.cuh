// The structs of the kernels that take the noise out of a picture; layouts.py holds the same, and a test compares every offset.
#pragma once

#include "frame_layouts.cuh"

#define DARKEST_OWN 0.02f  // of a surface's colour that light is divided by

struct alignas(16) SmoothLight {  // what falls on a pixel's surface, whose own colour is divided out
    float color[3];
    float variance;  // of the mean of the channels
};

struct DenoiseArguments {  // N = count pixels of a whole picture in rows of `columns`
    Pointer<const float> color;        // (N, 4), the sum over samples
    Pointer<const float> planes;       // (13, N), see Frame; its stride is N
    Pointer<const Guide> guides;       // (N,)
    Pointer<float> sizes;              // (N,), m: to the next pixel on the surface; 0: not inside a smooth one
    Pointer<const SmoothLight> light;  // (N,), before a pass
    Pointer<SmoothLight> out;          // (N,), behind it
    int32_t count, columns;
    int32_t spread, unused;            // pixels between two that are mixed: 1, 2, 4, ...
};
