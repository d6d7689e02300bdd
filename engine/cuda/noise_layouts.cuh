// The struct of the kernels that look for noise; layouts.py holds the same, and a test compares every offset.
#pragma once

#include "layouts.cuh"

struct NoiseArguments {  // N = count pixels of a whole picture in rows of `columns`
    Pointer<const float> color;    // (N, 4), the sum over samples
    Pointer<const float> samples;  // (N,): how many these are
    Pointer<float> before;         // (N, 4): the means at the last look
    Pointer<int32_t> noisy;        // (N,): whether a pixel's mean moved by more than the threshold
    Pointer<int32_t> active;       // (N,): whether a pixel gets more samples
    Pointer<int32_t> pixels;       // out (N,): the numbers of those that do
    Pointer<int32_t> number;       // 0 before: how many they are
    float threshold;
    int32_t count, columns;
    int32_t decides;               // 0: there are too few samples to tell
};
