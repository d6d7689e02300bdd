// The planes of a whole picture as they leave the engine: one after the other, each (h, w, channels), bottom row first.
//
// Reference: engine/rendering/tile_planes.py, engine/protocol/frames.py. Test: tests/cuda/test_frame_file.py.
#pragma once

#include "denoise.cuh"
#include "finish_layouts.cuh"

// A pixel's colour: its samples' mean, or the light that was smoothed times the surfaces' own colour.
NI void write_color(const FinishArguments& args, int64_t k, float samples, float out[4])
{
    for (int c = 0; c < 4; ++c) out[c] = args.color.get()[4 * k + c] / samples;
    if (args.light.address == 0 || !(args.sizes.get()[k] > 0.0f)) return;
    own_color(args.guides.get()[k], samples, out);
    for (int c = 0; c < 3; ++c) out[c] *= args.light.get()[k].color[c];
}

// Write one pixel of every plane that is wanted.
NI void finish_pixel(const FinishArguments& args, int pixel)
{
    const int64_t k = pixel, n = args.count;
    const float* planes = args.planes.get() + k;
    const bool hit = planes[HIT_ROW * n] > 0.0f;
    float* out = args.out.get();
    const int64_t* places = args.places;
    const float samples = planes[SAMPLES_ROW * n];
    if (places[COMBINED_PLANE] >= 0) write_color(args, k, samples, out + places[COMBINED_PLANE] + 4 * k);
    if (places[DEPTH_PLANE] >= 0) out[places[DEPTH_PLANE] + k] = hit ? planes[0] : args.background_depth;
    if (places[VIEW_Z_PLANE] >= 0) out[places[VIEW_Z_PLANE] + k] = hit ? planes[n] : args.background_view_z;
    for (int c = 0; c < 3; ++c) {
        if (places[NORMAL_PLANE] >= 0) out[places[NORMAL_PLANE] + 3 * k + c] = hit ? planes[(2 + c) * n] : 0.0f;
        if (places[POSITION_PLANE] >= 0) out[places[POSITION_PLANE] + 3 * k + c] = hit ? planes[(5 + c) * n] : 0.0f;
    }
    const int object = hit ? (int)planes[OBJECT_ROW * n] : 0;
    if (places[OBJECT_ID_PLANE] >= 0)
        out[places[OBJECT_ID_PLANE] + k] = hit ? args.object_ids.get()[object] : 0.0f;
    if (places[PASS_INDEX_PLANE] >= 0)
        out[places[PASS_INDEX_PLANE] + k] = hit ? args.pass_indices.get()[object] : 0.0f;
    const int material = hit ? (int)planes[MATERIAL_ROW * n] : 0;
    if (places[MATERIAL_INDEX_PLANE] >= 0)
        out[places[MATERIAL_INDEX_PLANE] + k] = hit ? args.material_indices.get()[material] : 0.0f;
    if (places[AMBIENT_PLANE] >= 0)
        for (int c = 0; c < 3; ++c)
            out[places[AMBIENT_PLANE] + 3 * k + c] = planes[AMBIENT_ROW * n] / samples;
}
