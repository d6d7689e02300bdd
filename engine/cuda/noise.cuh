// Which pixels get more samples. Reference: engine/rendering/noise.py. Test: tests/cuda/test_whole_pictures.py.
#pragma once

#include "noise_layouts.cuh"
#include "portable.cuh"

#define DARKEST 1e-3f

// Compare a pixel's mean with the one at the last look, and remember it.
NI void measure_pixel(const NoiseArguments& args, int pixel)
{
    const float* color = args.color.get() + 4 * (int64_t)pixel;
    float* before = args.before.get() + 4 * (int64_t)pixel;
    float moved = 0.0f, brightness = 0.0f;
    for (int c = 0; c < 4; ++c) {
        const float mean = color[c] / args.samples.get()[pixel];
        if (args.decides) moved += fabsf(mean - before[c]);
        if (c < 3) brightness += mean;
        before[c] = mean;
    }
    args.noisy.get()[pixel] = args.decides && moved / sqrtf(fmaxf(brightness, DARKEST)) > args.threshold;
}

// Whether a pixel that got samples so far or one of its neighbours is noisy.
NI bool stays_active(const NoiseArguments& args, int pixel)
{
    if (!args.active.get()[pixel]) return false;
    const int rows = args.count / args.columns, x = pixel % args.columns, y = pixel / args.columns;
    bool stays = false;
    for (int row = y > 0 ? y - 1 : 0; row <= y + 1 && row < rows; ++row)
        for (int column = x > 0 ? x - 1 : 0; column <= x + 1 && column < args.columns; ++column)
            stays |= args.noisy.get()[row * args.columns + column] != 0;
    return stays;
}

// Write down which of a warp's pixels stay active.
NI void choose_warp(const NoiseArguments& args, int first)
{
    PerLane<int> stays;
    NI_EACH_LANE(lane) { stays[lane] = first + lane < args.count && stays_active(args, first + lane); }
    const PerLane<int> place = reserve(args.number.get(), stays);
    NI_EACH_LANE(lane)
    {
        if (first + lane < args.count) args.active.get()[first + lane] = stays[lane];
        if (stays[lane]) args.pixels.get()[place[lane]] = first + lane;
    }
}
