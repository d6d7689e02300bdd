// The closed list of activations: value and derivative, float32.
//
// Straight-line code, no call into a mathematics library and no table, so that a warp never diverges and the compiler
// keeps everything in registers: polynomials after range reduction and rational functions, those of
// engine/tracing/kernel_math.py (right to 1e-6 of max(1, |z|), sine and cosine for |z| < 100) with the same codes.
// Reference: engine/network/activations.py. Test: tests/cuda/test_device_functions.py.
#pragma once

#include "portable.cuh"

enum Activation { NONE, RELU, LEAKY_RELU, ELU, SOFTPLUS, TANH, SIGMOID, SINE, SILU, GELU, HARD_GELU };

NI float clamp(float x, float low, float high) { return fminf(fmaxf(x, low), high); }

// sin(x - half_turns * pi), its sign changed if `turns` is odd.
NI float sine_from(float x, float turns, float half_turns)
{
    float r = x - half_turns * 3.140625f;  // pi in three parts, so that the difference is exact
    r = r - half_turns * 9.67502593994e-4f;
    r = r - half_turns * 1.50995799098e-7f;
    const float odd = turns - 2.0f * floorf(turns * 0.5f), u = r * r;
    float p = -1.98087928e-4f + u * 2.60457914e-6f;
    p = 8.33304727e-3f + u * p;
    p = -1.66666578e-1f + u * p;
    return (1.0f - 2.0f * odd) * (r + r * u * p);
}

NI float fast_sin(float x)
{
    const float turns = floorf(x * 0.318309886f + 0.5f);
    return sine_from(x, turns, turns);
}

NI float fast_cos(float x)
{
    const float turns = floorf(x * 0.318309886f + 1.0f);
    return sine_from(x, turns, turns - 0.5f);
}

NI float power_of_two(int exponent)
{
    const int32_t bits = (exponent + 127) << 23;
    float result;
    memcpy(&result, &bits, 4);
    return result;
}

NI float fast_exp(float z)
{
    const float x = clamp(z, -87.0f, 87.0f), twos = floorf(x * 1.44269504f + 0.5f);
    float r = x - twos * 0.693359375f;
    r = r + twos * 2.12194440e-4f;
    float p = 8.37486e-3f + r * 1.38293e-3f;
    p = 4.166836e-2f + r * p;
    p = 1.666642e-1f + r * p;
    p = 0.49999991f + r * p;
    p = 1.00000004f + r * p;
    p = 1.0f + r * p;
    return p * power_of_two((int)twos);
}

NI float fast_tanh(float z)
{
    const float c = clamp(z, -8.6f, 8.6f), u = c * c;
    float p = 2.09913414e-5f + u * 1.39123549e-8f;
    p = 3.51803729e-3f + u * p;
    p = 0.133996816f + u * p;
    p = 0.999999939f + u * p;
    float q = 3.32288264e-4f + u * 7.99863761e-7f;
    q = 2.59616239e-2f + u * q;
    q = 0.467329905f + u * q;
    q = 1.0f + u * q;
    return c * p / q;
}

NI float sigmoid(float z) { return 0.5f + 0.5f * fast_tanh(0.5f * z); }

// log(1 + e) for e in [0, 1].
NI float log_one_plus(float e)
{
    float p = 3.60845416e-2f + e * -6.45261827e-3f;
    p = -9.53225244e-2f + e * p;
    p = 0.16764788f + e * p;
    p = -0.240730765f + e * p;
    p = 0.331798256f + e * p;
    p = -0.499874045f + e * p;
    p = 0.999996424f + e * p;
    return e * p;
}

NI float normal_distribution(float z)
{
    const float c = clamp(z, -5.6f, 5.6f), u = c * c;
    float p = 6.3565261e-6f + u * 2.21451905e-8f;
    p = 1.73851506e-4f + u * p;
    p = 4.70726441e-3f + u * p;
    p = 3.4376196e-2f + u * p;
    p = 0.398942222f + u * p;
    float q = 7.51021051e-5f + u * 1.18020788e-6f;
    q = 1.91298284e-3f + u * q;
    q = 2.89401374e-2f + u * q;
    q = 0.252834058f + u * q;
    q = 1.0f + u * q;
    return 0.5f + c * p / q;
}

NI float smooth_gate(float u)
{
    const float w = u * u;
    return 0.5f + u * (0.9375f + w * (0.1875f * w - 0.625f));
}

NI float activate(int code, float z)
{
    switch (code) {
    case RELU: return fmaxf(z, 0.0f);
    case LEAKY_RELU: return fmaxf(z, 0.01f * z);
    case ELU: return fmaxf(z, 0.0f) + (fast_exp(fminf(z, 0.0f)) - 1.0f);
    case SOFTPLUS: return fmaxf(z, 0.0f) + log_one_plus(fast_exp(-fabsf(z)));
    case TANH: return fast_tanh(z);
    case SIGMOID: return sigmoid(z);
    case SINE: return fast_sin(z);
    case SILU: return z * sigmoid(z);
    case GELU: return z * normal_distribution(z);
    case HARD_GELU: return z * smooth_gate(clamp(0.4f * z, -1.0f, 1.0f));
    default: return z;
    }
}

// Apply an activation to several numbers: the choice is made once.
template <int COUNT>
NI void activate_all(int code, float z[COUNT])
{
#define NI_CASE(NAME)                                                     \
    case NAME:                                                            \
        _Pragma("unroll") for (int c = 0; c < COUNT; ++c) z[c] = activate(NAME, z[c]); \
        return;
    switch (code) {
        NI_CASE(RELU)
        NI_CASE(LEAKY_RELU)
        NI_CASE(ELU)
        NI_CASE(SOFTPLUS)
        NI_CASE(TANH)
        NI_CASE(SIGMOID)
        NI_CASE(SINE)
        NI_CASE(SILU)
        NI_CASE(GELU)
        NI_CASE(HARD_GELU)
    default: return;
    }
#undef NI_CASE
}

NI float slope(int code, float z)
{
    switch (code) {
    case RELU: return z > 0.0f ? 1.0f : 0.0f;
    case LEAKY_RELU: return z > 0.0f ? 1.0f : 0.01f;
    case ELU: return fast_exp(fminf(z, 0.0f));
    case SOFTPLUS: return sigmoid(z);
    case TANH: {
        const float value = fast_tanh(z);
        return 1.0f - value * value;
    }
    case SIGMOID: {
        const float share = sigmoid(z);
        return share * (1.0f - share);
    }
    case SINE: return fast_cos(z);
    case SILU: {
        const float share = sigmoid(z);
        return share * (1.0f + z * (1.0f - share));
    }
    case GELU: return normal_distribution(z) + z * 0.39894228f * fast_exp(-0.5f * z * z);
    case HARD_GELU: {
        const float u = clamp(0.4f * z, -1.0f, 1.0f), rest = 1.0f - u * u;
        return smooth_gate(u) + 0.375f * z * rest * rest;
    }
    default: return 1.0f;
    }
}
