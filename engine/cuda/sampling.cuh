// Where samples fall. Reference: engine/rendering/sample_patterns.py. Test: tests/cuda/test_frame.py.
#pragma once

#include "portable.cuh"

#define PLASTIC 1.32471795724474602596
#define GOLDEN 0.61803398874989484820
#define PI 3.14159265358979323846

NI uint32_t mix_pixel(uint32_t x, uint32_t y, uint32_t dimension, uint32_t seed)
{
    uint32_t state = seed * 0x9E3779B1u + dimension * 0x85EBCA77u;
    const uint32_t words[3] = {x, y, dimension};
    for (int k = 0; k < 3; ++k) {
        state = (state ^ words[k]) * 747796405u + 2891336453u;
        state = ((state >> ((state >> 28) + 4)) ^ state) * 277803737u;
        state = (state >> 22) ^ state;
    }
    return state;
}

NI float shifted(double value, int x, int y, int dimension, int seed)
{
    const double shift = mix_pixel((uint32_t)x, (uint32_t)y, (uint32_t)dimension, (uint32_t)seed) * (1.0 / 4294967296.0);
    const double moved = value + shift;
    return fminf((float)(moved - floor(moved)), 1.0f - 5.9604645e-8f);
}

NI float sample_1d(int x, int y, int sample, int dimension, int seed)
{
    return shifted(sample * GOLDEN, x, y, dimension, seed);
}

NI void sample_2d(int x, int y, int sample, int dimension, int seed, float square[2])
{
    square[0] = shifted(sample * (1.0 / PLASTIC), x, y, dimension, seed);
    square[1] = shifted(sample * (1.0 / (PLASTIC * PLASTIC)), x, y, dimension + 1, seed);
}

NI void to_disk(const float square[2], float place[2])
{
    const float a = 2.0f * square[0] - 1.0f, b = 2.0f * square[1] - 1.0f;
    const bool wide = fabsf(a) > fabsf(b);
    const float radius = wide ? a : b;
    float angle = wide ? (float)(PI / 4) * b / a : (float)(PI / 2) - (float)(PI / 4) * a / b;
    if (!is_finite_f(angle)) angle = 0.0f;
    place[0] = radius * cosf(angle);
    place[1] = radius * sinf(angle);
}
