// Lambert below GGX, plastic or metal. Reference: engine/rendering/materials.py, engine/rendering/microfacets.py. Test: tests/cuda/test_frame.py.
#pragma once

#include "frame_layouts.cuh"
#include "sampling.cuh"
#include "vectors.cuh"

struct Bsdf {
    float normal[3], view[3];
    float cosine_view, alpha, ior, metallic;
    float base[3], diffuse[3], gain[3], albedo[3];
    int shines;
};

NI float clamp01(float x) { return fminf(fmaxf(x, 0.0f), 1.0f); }

NI float facet_density(float cosine, float alpha)
{
    const float a2 = alpha * alpha, base = cosine * cosine * (a2 - 1.0f) + 1.0f;
    return a2 / ((float)PI * base * base);
}

NI float smith_lambda(float cosine, float alpha)
{
    const float c2 = cosine * cosine;
    return 0.5f * (sqrtf(1.0f + alpha * alpha * (1.0f - c2) / fmaxf(c2, 1e-12f)) - 1.0f);
}

NI float dielectric_fresnel(float cosine, float ior)
{
    const float c = clamp01(cosine), g = sqrtf(fmaxf(ior * ior - 1.0f + c * c, 1e-12f));
    const float a = (g - c) / (g + c), b = ((g + c) * c - 1.0f) / ((g - c) * c + 1.0f);
    return 0.5f * a * a * (1.0f + b * b);
}

NI float schlick_weight(float cosine)
{
    const float base = clamp01(1.0f - cosine), squared = base * base;
    return squared * squared * base;
}

NI Bsdf make_bsdf(const Material& m, const float base[3], const double normal[3], const double view[3])
{
    Bsdf b;
    double cosine = dot3(normal, view);
    b.cosine_view = (float)fmin(fmax(cosine, 1e-4), 1.0);
    for (int c = 0; c < 3; ++c) {
        b.normal[c] = (float)normal[c];
        b.view[c] = (float)view[c];
        b.base[c] = base[c];
    }
    b.alpha = m.alpha;
    b.ior = m.ior;
    b.metallic = m.metallic;
    b.shines = m.shines;
    const float place = fminf(fmaxf(b.cosine_view * TABLE_SIZE - 0.5f, 0.0f), (float)(TABLE_SIZE - 1));
    int low = (int)place;
    if (low > TABLE_SIZE - 2) low = TABLE_SIZE - 2;
    const float share = place - low;
    float row[3];
    for (int k = 0; k < 3; ++k) row[k] = m.shares[k][low] * (1.0f - share) + m.shares[k][low + 1] * share;
    const float white = row[0], schlick = row[1], dielectric = row[2];
    const float ratio = (m.ior - 1.0f) / (m.ior + 1.0f), at_normal = ratio * ratio;
    const float lost = (1.0f - white) / fmaxf(white, 1e-3f);
    const float plastic = dielectric * (1.0f + at_normal * lost);
    for (int c = 0; c < 3; ++c) {
        const float metal = (b.base[c] * (white - schlick) + schlick) * (1.0f + b.base[c] * lost);
        b.diffuse[c] = (1.0f - m.metallic) * (1.0f - plastic) * b.base[c];
        b.gain[c] = 1.0f + lost * ((1.0f - m.metallic) * at_normal + m.metallic * b.base[c]);
        b.albedo[c] = (1.0f - m.metallic) * plastic + m.metallic * metal;
    }
    return b;
}

// Bsdf times cosine towards unit `light`; gives the specular density of `light`.
NI float reflect(const Bsdf& b, const float light[3], float result[3])
{
    const float cosine = fmaxf(dot3(b.normal, light), 0.0f);
    for (int c = 0; c < 3; ++c) result[c] = b.diffuse[c] * (cosine / (float)PI);
    if (!b.shines || !(cosine > 0.0f)) return 0.0f;
    float half[3];
    for (int c = 0; c < 3; ++c) half[c] = light[c] + b.view[c];
    const float length = fmaxf(sqrtf(dot3(half, half)), 1e-12f);
    for (int c = 0; c < 3; ++c) half[c] /= length;
    const float at_half = dot3(b.view, half);
    const float facets = facet_density(clamp01(dot3(b.normal, half)), b.alpha);
    const float view_lambda = smith_lambda(b.cosine_view, b.alpha), masked = facets / (4.0f * b.cosine_view);
    const float both = 1.0f + view_lambda + smith_lambda(fmaxf(cosine, 1e-6f), b.alpha);
    const float plastic = dielectric_fresnel(at_half, b.ior), weight = schlick_weight(at_half);
    for (int c = 0; c < 3; ++c) {
        const float metal = b.base[c] + (1.0f - b.base[c]) * weight;
        result[c] += masked / both * ((1.0f - b.metallic) * plastic + b.metallic * metal) * b.gain[c];
    }
    return masked / (1.0f + view_lambda);
}

NI void visible_facet(const float view[3], float alpha, const float square[2], float half[3])
{
    float stretched[3] = {alpha * view[0], alpha * view[1], view[2]};
    normalize3(stretched);
    const float radial = sqrtf(stretched[0] * stretched[0] + stretched[1] * stretched[1]), safe = fmaxf(radial, 1e-12f);
    float across[3] = {-stretched[1] / safe, stretched[0] / safe, 0.0f}, other[3];
    if (radial < 1e-6f) {
        across[0] = 1.0f;
        across[1] = 0.0f;
    }
    cross3(stretched, across, other);
    const float r = sqrtf(square[0]), angle = 2.0f * (float)PI * square[1];
    const float a = r * cosf(angle), blend = 0.5f * (1.0f + stretched[2]);
    const float b = (1.0f - blend) * sqrtf(fmaxf(0.0f, 1.0f - a * a)) + blend * r * sinf(angle);
    const float c = sqrtf(fmaxf(0.0f, 1.0f - a * a - b * b));
    for (int axis = 0; axis < 3; ++axis) half[axis] = a * across[axis] + b * other[axis] + c * stretched[axis];
    half[0] *= alpha;
    half[1] *= alpha;
    half[2] = fmaxf(half[2], 1e-6f);
    normalize3(half);
}

// The share of directions that are chosen by the specular lobe.
NI float glossy_share(const Bsdf& b)
{
    const float specular = b.albedo[0] + b.albedo[1] + b.albedo[2];
    const float sum = specular + b.diffuse[0] + b.diffuse[1] + b.diffuse[2];
    return b.shines ? clamp01(specular / fmaxf(sum, 1e-8f)) : 0.0f;
}

NI float lobes_density(const Bsdf& b, const float light[3], float share, float specular)
{
    return (1.0f - share) * fmaxf(dot3(b.normal, light), 0.0f) / (float)PI + share * specular;
}

// The density with which `sample_bsdf` chooses unit `light`.
NI float bsdf_density(const Bsdf& b, const float light[3])
{
    float value[3];
    const float specular = reflect(b, light, value);
    return lobes_density(b, light, glossy_share(b), specular);
}

// Choose a direction by the lobes' shares; `weight` is bsdf times cosine over density.
NI void sample_bsdf(const Bsdf& b, float choice, const float square[2], float light[3], float weight[3])
{
    float tangent[3], bitangent[3], local[3];
    basis3(b.normal, tangent, bitangent);
    const float share = glossy_share(b);
    if (choice < share) {
        float view[3] = {dot3(tangent, b.view), dot3(bitangent, b.view), b.cosine_view}, half[3];
        normalize3(view);
        visible_facet(view, b.alpha, square, half);
        const float twice = 2.0f * dot3(view, half);
        for (int axis = 0; axis < 3; ++axis) local[axis] = twice * half[axis] - view[axis];
    } else {
        const float radius = sqrtf(square[0]), angle = 2.0f * (float)PI * square[1];
        local[0] = radius * cosf(angle);
        local[1] = radius * sinf(angle);
        local[2] = sqrtf(fmaxf(0.0f, 1.0f - square[0]));
    }
    for (int axis = 0; axis < 3; ++axis)
        light[axis] = local[0] * tangent[axis] + local[1] * bitangent[axis] + local[2] * b.normal[axis];
    float value[3];
    const float specular_pdf = reflect(b, light, value);
    const float pdf = lobes_density(b, light, share, specular_pdf);
    for (int c = 0; c < 3; ++c) weight[c] = pdf > 1e-9f ? value[c] / pdf : 0.0f;
}
