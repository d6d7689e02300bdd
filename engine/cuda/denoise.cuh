// A picture without its noise: an edge-avoiding wavelet filter, led by what the samples met and by how much they differ.
//
// Reference: engine/rendering/denoise.py, denoise_kernel.py. Test: tests/cuda/test_denoise.py.
#pragma once

#include "camera.cuh"
#include "denoise_layouts.cuh"
#include "vectors.cuh"

#define OPAQUE 0.999f  // least alpha of a pixel that lets no light through
#define SHARPER 6      // doublings of the exponent of normals' cosines: 64
#define OFF_PLANE 1.0f // pixels off a surface's plane, per pixel along it, at which a weight is a third
#define UNLIKE 3.0f    // standard errors between two colours at which a weight is a third
#define LEAST_ERROR 1e-4f
#define BEND 0.9f      // least cosine between the normals of neighbours on one surface
#define STEP_OFF 3.0f  // pixels' sizes between neighbours, most, off the plane of one

NI float mean3(const float v[3]) { return (v[0] + v[1] + v[2]) / 3.0f; }

// Note how bright the sample is that pixel k of a tile has just got: the difference that it has made to the sum.
NI void note_sample(const Frame& frame, int k)
{
    const int pixel = pixel_of(frame, k);
    float& before = frame.brightness.get()[pixel];
    const float now = mean3(frame.color.get() + 4 * (int64_t)pixel), added = now - before;
    frame.guides.get()[pixel].squares += added * added;
    before = now;
}

// The mean of a pixel's surfaces' own colours.
NI void own_color(const Guide& guide, float samples, float own[3])
{
    for (int c = 0; c < 3; ++c) own[c] = fmaxf(guide.own[c] / samples, DARKEST_OWN);
}

// What a pixel shows: 1 and the number of its object; 0: nothing, or something that lets light through.
NI int shown_surface(const DenoiseArguments& args, int64_t pixel)
{
    const float* planes = args.planes.get() + pixel;
    const int64_t n = args.count;
    const bool is_opaque = args.color.get()[4 * pixel + 3] / planes[SAMPLES_ROW * n] >= OPAQUE;
    return is_opaque && planes[HIT_ROW * n] > 0.0f ? 1 + (int)planes[OBJECT_ROW * n] : 0;
}

// The normal and place of what a pixel's first sample met.
NI void load_place(const DenoiseArguments& args, int64_t pixel, float normal[3], float place[3])
{
    const float* planes = args.planes.get() + pixel;
    for (int axis = 0; axis < 3; ++axis) {
        normal[axis] = planes[(2 + axis) * (int64_t)args.count];
        place[axis] = planes[(5 + axis) * (int64_t)args.count];
    }
}

// The distance to the next pixel on the surface, m, if all neighbours lie on the same smooth one; else 0.
NI float inner_size(const DenoiseArguments& args, int x, int y)
{
    const int width = args.columns, height = args.count / width;
    const int64_t pixel = (int64_t)y * width + x;
    const int surface = shown_surface(args, pixel);
    if (surface == 0 || y == 0 || x == 0 || y == height - 1 || x == width - 1) return 0.0f;
    float normal[3], place[3], far = 0.0f, most_off = 0.0f;
    load_place(args, pixel, normal, place);
    for (int k = 0; k < 9; ++k) {
        const int dy = k / 3 - 1, dx = k % 3 - 1;
        const int64_t other = pixel + dy * width + dx;
        float turned[3], way[3];
        load_place(args, other, turned, way);
        for (int axis = 0; axis < 3; ++axis) way[axis] -= place[axis];
        if (shown_surface(args, other) != surface || !(dot3(normal, turned) > BEND)) return 0.0f;
        if (dy == 0 || dx == 0) far = fmaxf(far, sqrtf(dot3(way, way)));
        most_off = fmaxf(most_off, fabsf(dot3(way, normal)));
    }
    return most_off <= STEP_OFF * far ? far : 0.0f;
}

// Begin with a pixel: whether it is smoothed, and the light that falls on it.
NI void begin_denoising(const DenoiseArguments& args, int pixel)
{
    const Guide& guide = args.guides.get()[pixel];
    const float samples = args.planes.get()[SAMPLES_ROW * (int64_t)args.count + pixel];
    args.sizes.get()[pixel] = inner_size(args, pixel % args.columns, pixel / args.columns);
    float own[3], mean[3];
    own_color(guide, samples, own);
    SmoothLight light;
    for (int c = 0; c < 3; ++c) {
        mean[c] = args.color.get()[4 * (int64_t)pixel + c] / samples;
        light.color[c] = mean[c] / own[c];
    }
    const float brightness = mean3(mean), whiteness = mean3(own);
    light.variance = fmaxf(guide.squares / samples - brightness * brightness, 0.0f) / fmaxf(samples - 1.0f, 1.0f);
    light.variance /= whiteness * whiteness;
    args.out.get()[pixel] = light;
}

// The standard error of a pixel's light, as it and its neighbours tell.
NI float light_error(const DenoiseArguments& args, int x, int y)
{
    const int width = args.columns, height = args.count / width;
    float total = 0.0f, count = 0.0f;
    for (int v = y > 0 ? y - 1 : 0; v <= y + 1 && v < height; ++v)
        for (int u = x > 0 ? x - 1 : 0; u <= x + 1 && u < width; ++u) {
            const int64_t other = (int64_t)v * width + u;
            if (!(args.sizes.get()[other] > 0.0f)) continue;
            total += args.light.get()[other].variance;
            count += 1.0f;
        }
    return sqrtf(total / count);
}

// The factor of a B3 spline at one of five places.
NI float spline(int k) { return k == 2 ? 3.0f / 8.0f : k == 1 || k == 3 ? 1.0f / 4.0f : 1.0f / 16.0f; }

// What pixels are compared with.
struct Middle {
    SmoothLight light;
    float normal[3], place[3];
    float lighter, off_plane;  // how fast weights fall with what differs
};

// How much another pixel tells about the middle one: 1 where normal, place and light are the same.
NI float likeness(const DenoiseArguments& args, const Middle& middle, int64_t other, const SmoothLight& light)
{
    float turned[3], way[3], apart = 0.0f;
    load_place(args, other, turned, way);
    for (int axis = 0; axis < 3; ++axis) {
        way[axis] -= middle.place[axis];
        apart += light.color[axis] - middle.light.color[axis];
    }
    float cosine = fmaxf(dot3(middle.normal, turned), 0.0f);
    for (int k = 0; k < SHARPER; ++k) cosine *= cosine;
    const float off = fabsf(dot3(middle.normal, way));
    float faded = fmaxf(1.0f - (fabsf(apart) * middle.lighter + off * middle.off_plane) / 8.0f, 0.0f);
    for (int k = 0; k < 3; ++k) faded *= faded;  // to the eighth power: near the exponential function, and much cheaper
    return cosine * faded;
}

// Mix a pixel's light with that of 24 others.
NI void filter_light(const DenoiseArguments& args, int pixel)
{
    const int width = args.columns, height = args.count / width, x = pixel % width, y = pixel / width;
    const float size = args.sizes.get()[pixel];
    Middle middle;
    middle.light = args.light.get()[pixel];
    if (size == 0.0f) {
        args.out.get()[pixel] = middle.light;
        return;
    }
    load_place(args, pixel, middle.normal, middle.place);
    middle.lighter = 1.0f / (3.0f * (UNLIKE * light_error(args, x, y) + LEAST_ERROR));
    middle.off_plane = 1.0f / (OFF_PLANE * size * args.spread);
    const float* objects = args.planes.get() + OBJECT_ROW * (int64_t)args.count;
    const float object = objects[pixel];
    float total = 0.0f;
    SmoothLight sum = {{0.0f, 0.0f, 0.0f}, 0.0f};
    for (int k = 0; k < 25; ++k) {
        const int v = y + (k / 5 - 2) * args.spread, u = x + (k % 5 - 2) * args.spread;
        if (v < 0 || v >= height || u < 0 || u >= width) continue;
        const int64_t other = (int64_t)v * width + u;
        if (args.sizes.get()[other] == 0.0f || objects[other] != object) continue;
        const SmoothLight light = args.light.get()[other];
        const float weight = spline(k / 5) * spline(k % 5) * likeness(args, middle, other, light);
        for (int c = 0; c < 3; ++c) sum.color[c] += weight * light.color[c];
        sum.variance += weight * weight * light.variance;
        total += weight;
    }
    for (int c = 0; c < 3; ++c) sum.color[c] /= total;
    sum.variance /= total * total;
    args.out.get()[pixel] = sum;
}
