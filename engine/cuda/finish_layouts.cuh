// The struct of the finishing kernel that the host fills; layouts.py holds the same, and a test compares every offset.
#pragma once

#include "denoise_layouts.cuh"

// In the order of layouts.py, FINISHED_PLANES.
enum FinishedPlane {
    COMBINED_PLANE,
    DEPTH_PLANE,
    VIEW_Z_PLANE,
    NORMAL_PLANE,
    POSITION_PLANE,
    OBJECT_ID_PLANE,
    PASS_INDEX_PLANE,
    MATERIAL_INDEX_PLANE,
    AMBIENT_PLANE,
    NUM_FINISHED
};

struct FinishArguments {  // N = count pixels of a whole picture
    Pointer<const float> color;         // (N, 4), the sum over samples
    Pointer<const float> planes;        // (13, N), see Frame; its stride is N
    Pointer<const float> object_ids;    // (objects,)
    Pointer<const float> pass_indices;  // (objects,)
    Pointer<const float> material_indices;  // (materials,)
    Pointer<const Guide> guides;        // (N,), where the picture was denoised, and the next two
    Pointer<const float> sizes;         // (N,): above 0 where it was
    Pointer<const SmoothLight> light;   // (N,); 0: all colours are the samples' means
    Pointer<float> out;                 // planes one after the other
    float background_depth, background_view_z;
    int32_t count, unused;
    int64_t places[NUM_FINISHED];       // where each plane begins, in floats; -1: not wanted
};
