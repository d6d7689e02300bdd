// The closed list of activations: value and derivative, float32.
//
// Codes are those of engine/tracing/kernel_math.py. Reference: engine/activations.py. Errors are those of the
// mathematics libraries, a few units in the last place.
#pragma once

#include "portable.cuh"

enum Activation { NONE, RELU, LEAKY_RELU, ELU, SOFTPLUS, TANH, SIGMOID, SINE, SILU, GELU, HARD_GELU };

NI float sigmoid(float z) { return 0.5f + 0.5f * tanhf(0.5f * z); }

NI float normal_distribution(float z) { return 0.5f + 0.5f * erff(0.70710678f * z); }

NI float smooth_gate(float u)
{
    const float w = u * u;
    return 0.5f + u * (0.9375f + w * (0.1875f * w - 0.625f));
}

NI float cut(float z) { return fminf(fmaxf(0.4f * z, -1.0f), 1.0f); }

NI float activate(int code, float z)
{
    switch (code) {
    case RELU: return fmaxf(z, 0.0f);
    case LEAKY_RELU: return fmaxf(z, 0.01f * z);
    case ELU: return z > 0.0f ? z : expm1f(z);
    case SOFTPLUS: return fmaxf(z, 0.0f) + log1pf(expf(-fabsf(z)));
    case TANH: return tanhf(z);
    case SIGMOID: return sigmoid(z);
    case SINE: return sinf(z);
    case SILU: return z * sigmoid(z);
    case GELU: return z * normal_distribution(z);
    case HARD_GELU: return z * smooth_gate(cut(z));
    default: return z;
    }
}

NI float slope(int code, float z)
{
    switch (code) {
    case RELU: return z > 0.0f ? 1.0f : 0.0f;
    case LEAKY_RELU: return z > 0.0f ? 1.0f : 0.01f;
    case ELU: return z > 0.0f ? 1.0f : expf(z);
    case SOFTPLUS: return sigmoid(z);
    case TANH: {
        const float value = tanhf(z);
        return 1.0f - value * value;
    }
    case SIGMOID: {
        const float share = sigmoid(z);
        return share * (1.0f - share);
    }
    case SINE: return cosf(z);
    case SILU: {
        const float share = sigmoid(z);
        return share * (1.0f + z * (1.0f - share));
    }
    case GELU: return normal_distribution(z) + z * 0.39894228f * expf(-0.5f * z * z);
    case HARD_GELU: {
        const float u = cut(z), rest = 1.0f - u * u;
        return smooth_gate(u) + 0.375f * z * rest * rest;
    }
    default: return 1.0f;
    }
}
