// Structs of a picture: camera, materials, lights, native triangles, and one tile's arrays. layouts.py holds the same.
#pragma once

#include "layouts.cuh"

#define TABLE_SIZE 64  // cosines in a material's table of reflected shares (engine/rendering/microfacets.py)

struct Camera {
    double world_from_clip[16];
    double clip_from_world[16];
    double view_row[4];  // third row of view_from_world
    double pixel;        // size in m at w = 1
    int32_t width, height;
};

struct Material {
    float base_color[3], emission[3];
    float metallic, ior, alpha;
    int32_t shines;
    float shares[3][TABLE_SIZE];
};

enum LightType { SUN_LIGHT, POINT_LIGHT, SPOT_LIGHT, AREA_LIGHT };

struct Light {
    double center[3];
    double x[3], y[3];      // sun: across its disk; area: half its sides
    double facing[3];       // sun: towards it; area: the side that shines
    double duals[6];        // area: (3, 2), from an offset to places on it
    double dual_norms[2];
    double light_from_world[9];  // spot
    double power[3];        // irradiance, intensity or weight
    double radius, edge, smooth, spread_tangent, spread_gain;
    int32_t type, cast_shadow, is_round, spreads_all;
};

struct MeshSurface {  // one instance of native geometry, for the shader
    double world_from_object[12];
    double object_from_world[12];
    double bias;       // scale, times BIAS
    double size;       // of the object
    int32_t start;     // its geometry's first triangle in the arrays
    int32_t first_slot, num_slots, unused;
};

struct Frame {
    Camera camera;
    Pointer<const Material> materials;
    Pointer<const Light> lights;
    Pointer<const Instance> instances;           // neural
    Pointer<const int32_t> neural_materials;     // (instances,)
    Pointer<const MeshSurface> meshes;
    Pointer<const float> corners;                // (T, 3, 3), object space
    Pointer<const float> corner_normals;         // (T, 3, 3); all 0: flat
    Pointer<const int32_t> slots;                // (T,)
    Pointer<const int32_t> slot_table;
    // One tile's arrays, N pixels:
    Pointer<double> origins, directions, t_max;  // (N, 3), (N, 3), (N,): camera rays
    Pointer<double> pixel_sizes, pixel_growths;  // (N,)
    Pointer<double> t_native, t_neural;          // (N,)
    Pointer<int32_t> native_object, neural_object, face;  // (N,), -1: none
    Pointer<float> barycentric;                  // (N, 2)
    Pointer<double> points, geometric, normals, lift;  // (N, 3)
    Pointer<double> bias;                        // (N,)
    Pointer<int32_t> material, object;           // (N,); object -1: nothing was met, neural ones first
    Pointer<double> shadow_origins, shadow_directions, shadow_t_max;  // (N, 3), (N, 3), (N,); t_max -1: no light comes
    Pointer<float> contribution;                 // (N, 3)
    Pointer<float> color;                        // (N, 4), the sum over samples
    Pointer<float> planes;                       // (11, stride), N of each: depth, view_z, normal, position, object, hit, material
    double offset_x, offset_y;                   // of the sample in its pixel
    float world_color[3], background[4];
    int32_t x0, y0, columns, count;              // the tile: N = count pixels in rows of `columns`
    int32_t sample, seed, light, num_neural;     // light: the one that is being added; -1: the world
    int32_t first_sample, use_color;
    int32_t stride;                              // floats from one of the planes to the next: the picture's pixels
};

struct NormalsArguments {
    Frame frame;
    Network network;
    Pointer<float> scratch;
    int32_t network_number, scratch_in_shared, weights_in_shared, scratch_floats;
};
