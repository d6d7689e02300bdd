// The device functions compiled for the host: what the tests call, and what the tests' fake driver runs as kernels.
//
// No part of the engine loads this; g++ compiles it where it is wanted (tests/cuda/host_twin.py).
#include <stddef.h>

#include <vector>

#include "certify_bounds.cuh"
#include "denoise.cuh"
#include "evaluate_warp.cuh"
#include "finish.cuh"
#include "layers.cuh"
#include "light_rays.cuh"
#include "march_warp.cuh"
#include "noise.cuh"
#include "triangles.cuh"

namespace {

WarpMemory memory_of(const Network& network, float* scratch)
{
    return WarpMemory{network.parameters.get(), network.fragments.get(), network.fragment_biases.get(), scratch};
}

template <int WIDTH>
void march_all(const MarchArguments& args)
{
    std::vector<float> scratch(NI_LANES * scratch_size(args.network, 1));
    march_warp<WIDTH>(args, memory_of(args.network, scratch.data()));
}

template <int WIDTH>
void evaluate_half_all(const EvaluateArguments& args)
{
    std::vector<float> scratch(NI_LANES * scratch_size(args.network, 1));
    for (int first = 0; first < args.count; first += NI_LANES)
        evaluate_half_warp<WIDTH>(args, memory_of(args.network, scratch.data()), first);
}

}  // namespace

#define KERNELS(WIDTH)                                                              \
    extern "C" void march_##WIDTH(const MarchArguments* args) { march_all<WIDTH>(*args); } \
    extern "C" void evaluate_half_##WIDTH(const EvaluateArguments* args) { evaluate_half_all<WIDTH>(*args); }

KERNELS(16)
KERNELS(32)
KERNELS(64)
KERNELS(128)
KERNELS(256)

extern "C" void evaluate_points(const EvaluateArguments* args)
{
    std::vector<float> scratch(NI_LANES * scratch_size(args->network, 4));
    for (int first = 0; first < args->count; first += NI_LANES)
        evaluate_warp(*args, memory_of(args->network, scratch.data()), first);
}

extern "C" void cast_rays(const CastArguments* args)
{
    for (int ray = 0; ray < args->rays.count; ++ray) cast_ray(*args, ray);
}

#define PIXEL_KERNEL(NAME)                                            \
    extern "C" void NAME##s(const Frame* frame)                       \
    {                                                                 \
        for (int pixel = 0; pixel < frame->count; ++pixel) NAME(*frame, pixel); \
    }

PIXEL_KERNEL(begin_pixel)
PIXEL_KERNEL(finish_surface)
PIXEL_KERNEL(begin_light)
PIXEL_KERNEL(add_light)
PIXEL_KERNEL(begin_shadow)
PIXEL_KERNEL(pass_surface)
PIXEL_KERNEL(note_sample)

extern "C" void measure_noise(const NoiseArguments* args)
{
    for (int pixel = 0; pixel < args->count; ++pixel) measure_pixel(*args, pixel);
}

extern "C" void choose_pixels(const NoiseArguments* args)
{
    for (int first = 0; first < args->count; first += NI_LANES) choose_warp(*args, first);
}

extern "C" void begin_filter(const DenoiseArguments* args)
{
    for (int pixel = 0; pixel < args->count; ++pixel) begin_denoising(*args, pixel);
}

extern "C" void filter_lights(const DenoiseArguments* args)
{
    for (int pixel = 0; pixel < args->count; ++pixel) filter_light(*args, pixel);
}

extern "C" void neural_normals(const NormalsArguments* args)
{
    std::vector<float> scratch(NI_LANES * scratch_size(args->network, 4));
    for (int first = 0; first < args->frame.count; first += NI_LANES)
        normals_warp(*args, args->network.parameters.get(), scratch.data(), first);
}

extern "C" void finish_frames(const FinishArguments* args)
{
    for (int pixel = 0; pixel < args->count; ++pixel) finish_pixel(*args, pixel);
}

extern "C" void certify_cells(const CertifyArguments* args)
{
    std::vector<float> scratch(args->warp_floats);
    certify_warp(*args, scratch.data());
}

extern "C" int certify_floats(int width, int size, int depth)
{
    return NI_LANES * cell_floats(width, size, depth) + reference_floats(width, size, depth);
}

extern "C" void certify_constants(float* out)
{
    const float constants[] = {UNIT_ROUNDOFF, SLACK, FAR_SINE};
    memcpy(out, constants, sizeof constants);
}

extern "C" void activation_derivatives(int code, float z, float* out)
{
    const Derivatives s = derivatives(code, z);
    memcpy(out, &s, sizeof s);
}

extern "C" void expand_range(int code, const ActivationBounds* most, const Range* range, Expansion* out)
{
    *out = expand(code, *most, *range);
}

extern "C" float activation_value(int code, float z) { return activate(code, z); }
extern "C" float activation_slope(int code, float z) { return slope(code, z); }

extern "C" void march_constants(double* out)
{
    const double constants[] = {TOLERANCE,    NUDGE,    SHORTEST_STEP, PATIENCE,         NARROW,  NEARLY_STRAIGHT,
                                MOST_SLANTED, FLATTEST, ALMOST,        CAUTION_AT_FIRST, CAUTION, MOST_REFINEMENTS,
                                MOST_AHEAD,   UNKNOWN};
    memcpy(out, constants, sizeof constants);
}

extern "C" void frame_constants(double* out)
{
    const double constants[] = {NEURAL_BIAS,      BIAS_PIXELS,       MOST_BIAS,   LIFT_BELOW,   SHADOW_END, SOLID,       LENS_DIMENSION,
                                BRIGHT_DIMENSION, AMBIENT_DIMENSION, MOST_LAYERS, NOTHING_LEFT, DARKEST,    LEAST_COSINE};
    memcpy(out, constants, sizeof constants);
}

extern "C" void denoise_constants(double* out)
{
    const double constants[] = {DARKEST_OWN, OPAQUE, SHARPER, OFF_PLANE, UNLIKE, LEAST_ERROR, BEND, STEP_OFF};
    memcpy(out, constants, sizeof constants);
    for (int k = 0; k < 5; ++k) out[sizeof constants / sizeof *out + k] = spline(k);
}

#include "layout_table.inc"
