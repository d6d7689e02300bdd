// An activation over a range: an expansion of second order about its centre, and a proven bound on what that leaves out.
//
// The mathematics, and the proof, are those of engine/tracing/certified_activations.py, line by line, for one unit of one cell
// instead of many. The values and derivatives are those of activations.cuh, right to `error` of max(1, |z|), which is added.
// Every operation rounds to nearest, so each result is off by 2^-24 of itself; the factors 1.0001 and 1.00001 where a bound
// is made, here and in certify.cuh, are hundreds of times that. A compiler that joins a product and a sum rounds less often.
// Reference: engine/tracing/certified_activations.py. Test: tests/cuda/test_certify.py.
#pragma once

#include "activations.cuh"

#define FAR_SINE 90.0f  // beyond it the argument is reduced with less accuracy, and nothing is assumed of it

struct Derivatives {
    float value, first, second, third;
};

NI Derivatives derivatives(int code, float z)
{
    Derivatives s = {z, 1.0f, 0.0f, 0.0f};
    switch (code) {
    case ELU: {
        const float e = fast_exp(fminf(z, 0.0f)), below = z < 0.0f ? e : 0.0f;
        s = {fmaxf(z, 0.0f) + e - 1.0f, e, below, below};
        break;
    }
    case SOFTPLUS: {
        const float y = sigmoid(z), d = y * (1.0f - y);
        s = {activate(SOFTPLUS, z), y, d, d * (1.0f - 2.0f * y)};
        break;
    }
    case TANH: {
        const float t = 2.0f * sigmoid(2.0f * z) - 1.0f, d = 1.0f - t * t;
        s = {t, d, -2.0f * t * d, d * (6.0f * t * t - 2.0f)};
        break;
    }
    case SIGMOID: {
        const float y = sigmoid(z), d = y * (1.0f - y);
        s = {y, d, d * (1.0f - 2.0f * y), d * (1.0f - 6.0f * d)};
        break;
    }
    case SINE: {
        const float sine = fast_sin(z), cosine = fast_cos(z);
        s = {sine, cosine, -sine, -cosine};
        break;
    }
    case SILU: {
        const float y = sigmoid(z), d = y * (1.0f - y), d2 = d * (1.0f - 2.0f * y);
        s = {z * y, y + z * d, 2.0f * d + z * d2, 3.0f * d2 + z * d * (1.0f - 6.0f * d)};
        break;
    }
    case GELU: {
        const float density = 0.398942280f * fast_exp(-0.5f * z * z), share = normal_distribution(z);
        s = {z * share, share + z * density, density * (2.0f - z * z), density * z * (z * z - 4.0f)};
        break;
    }
    case HARD_GELU: {
        const float u = clamp(0.4f * z, -1.0f, 1.0f), w = u * u, gate = smooth_gate(u);
        s = {z * gate, gate + 0.375f * z * (1.0f - w) * (1.0f - w), 0.75f * (1.0f - w) * (1.0f - 3.0f * w),
             w < 1.0f ? u * (3.6f * w - 2.4f) : 0.0f};
        break;
    }
    default: break;
    }
    return s;
}

// What certified_activations.py knows of an activation: LARGEST (|s''|, |s'''|, |s''''|, least and largest s'), then ERROR.
struct ActivationBounds {
    float second, third, fourth, least_slope, most_slope, error;
};

struct Range {  // z(x) = z + w, w = (linear part, at most j) + (quadratic part, at most q) + (rest, at most e)
    float z, linear, quadratic, rest;
};

struct Expansion {
    float value, slope, second;
    float remainder;  // bound on what the expansion leaves out
    float change;     // bound on the change of slope in the range
    float beyond;     // bound on that change less the second derivative times the linear part
};

// max(z, low z): where the kink is in the range, the chord and half the gap.
NI Expansion expand_kink(float low, const Range& range)
{
    const float r = range.linear + range.quadratic + range.rest, x = range.z, rise = 1.0f - low;
    const float up = x + r, down = r - x;
    const bool inside = fabsf(x) <= r;
    const float share = inside ? up / fmaxf(up + down, 1e-30f) : x > 0.0f ? 1.0f : 0.0f;
    const float gap = inside ? 0.5f * rise * share * down : 0.0f;
    const float change = inside ? fmaxf(share, 1.0f - share) * rise * 1.00001f : 0.0f;
    const float steep = low + rise * share;
    // 1e-9: 0.01 is no float32
    return {steep * x + gap, steep, 0.0f, gap + 4e-7f * (fabsf(x) + r), change + 1e-9f, change + 1e-9f};
}

NI Expansion expand(int code, const ActivationBounds& most, const Range& range)
{
    if (code == RELU) return expand_kink(0.0f, range);
    if (code == LEAKY_RELU) return expand_kink(0.01f, range);
    const Derivatives s = derivatives(code, range.z);
    const float end = code == HARD_GELU ? 2.5f : 3e38f;  // beyond it hard_gelu is straight; its third derivative jumps there
    const float reach = code == SINE ? FAR_SINE : 3e38f;
    const float j = range.linear, rest = range.quadratic + range.rest, r = j + rest;
    const float s2 = fabsf(s.second), s3 = fabsf(s.third), size = fabsf(range.z);
    const float lost = most.error * fmaxf(1.0f, size);
    const bool straight = (code == ELU && range.z > r) || size - r > end;  // elu is above its kink
    const bool straddles = code == ELU && size <= r;
    const float w = fmaxf(r - fmaxf(size - end, 0.0f), 0.0f);  // from beyond hard_gelu's end only what reaches back bends
    float c2 = straight ? 0.0f : fminf(s2 + most.third * w + lost, most.second);
    float c3 = straight ? 0.0f : fminf(s3 + most.fourth * r + lost, most.third);
    if (size >= end) c3 = most.third;
    if (straddles) {
        c2 = 1.0f;
        c3 = 1e30f;
    }
    const float swing = fmaxf(most.most_slope - s.first, s.first - most.least_slope) + lost;
    const float bend = 0.5f * c3 * w * w;
    const float change = fminf(fminf(c2 * w, s2 * r + bend), swing);
    const float crude = fminf(0.5f * c2 * w * w, swing * w) + 0.5f * s2 * j * j;
    const float fine = s2 * (j * rest + 0.5f * rest * rest) + c3 * w * w * w * 0.16666669f;
    const float error = lost * (1.0f + r + r * r), turn = lost * (1.0f + r);
    const float wrong = size > reach ? 2.0f + r + j * j : 0.0f;
    return {s.value, s.first, s.second, fminf(crude, fine) + error + wrong, change + turn + fminf(wrong, 2.0f),
            fminf(s2 * rest + bend, change + s2 * j) + turn + wrong};
}
