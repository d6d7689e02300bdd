// Pictures on native surfaces. Reference: engine/rendering/textures.py. Test: tests/cuda/test_whole_pictures.py.
#pragma once

#include "frame_layouts.cuh"
#include "portable.cuh"

NI double floor_modulo(double value, double by)
{
    const double rest = fmod(value, by);
    return rest < 0.0 ? rest + by : rest;
}

NI int texel_index(double index, int size, int extension)
{
    if (extension == REPEAT_PICTURE) index = floor_modulo(index, size);
    if (extension == MIRROR_PICTURE) {
        const double folded = floor_modulo(index, 2.0 * size);
        index = fmin(folded, 2.0 * size - 1.0 - folded);
    }
    return (int)fmin(fmax(index, 0.0), size - 1.0);
}

// The texel of a whole column and row, wherever they lie, as it is saved.
NI void find_texel(const Texture& texture, double x, double y, float color[3])
{
    const bool is_outside = x < 0.0 || x >= texture.width || y < 0.0 || y >= texture.height;
    const int64_t row = texel_index(y, texture.height, texture.extension);
    const int64_t at = 3 * (row * texture.width + texel_index(x, texture.width, texture.extension));
    for (int c = 0; c < 3; ++c) {
        color[c] = texture.bytes.address != 0 ? texture.bytes.get()[at + c] / 255.0f : texture.floats.get()[at + c];
        if (is_outside && texture.extension == CLIP_PICTURE) color[c] = 0.0f;
    }
}

NI float decode_srgb(float value)
{
    return value <= 0.04045f ? value / 12.92f : powf((value + 0.055f) / 1.055f, 2.4f);
}

// The colour at a point's UV coordinates, scene-linear.
NI_CALL void look_up_texture(const Texture& texture, const float uv[2], float color[3])
{
    double place[2];
    for (int row = 0; row < 2; ++row) {
        const double* m = texture.picture_from_uv + 3 * row;
        place[row] = uv[0] * m[0] + uv[1] * m[1] + m[2];
        if (!is_finite(place[row])) place[row] = 0.0;
    }
    const double x = place[0] * texture.width, y = place[1] * texture.height;
    if (texture.closest) {
        find_texel(texture, floor(x), floor(y), color);
    } else {
        const double left = floor(x - 0.5), low = floor(y - 0.5);
        const float fx = (float)(x - 0.5 - left), fy = (float)(y - 0.5 - low);
        for (int c = 0; c < 3; ++c) color[c] = 0.0f;
        for (int corner = 0; corner < 4; ++corner) {
            const int right = corner & 1, above = corner >> 1;
            const float weight = (right ? fx : 1.0f - fx) * (above ? fy : 1.0f - fy);
            float texel[3];
            find_texel(texture, left + right, low + above, texel);
            for (int c = 0; c < 3; ++c) color[c] += weight * texel[c];
        }
    }
    if (texture.is_srgb && texture.bytes.address != 0)
        for (int c = 0; c < 3; ++c) color[c] = decode_srgb(color[c]);
}
