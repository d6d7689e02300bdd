// Structs of a picture: camera, materials, lights, native triangles, and one tile's arrays. layouts.py holds the same.
#pragma once

#include "layouts.cuh"

#define TABLE_SIZE 64  // cosines in a material's table of reflected shares (engine/rendering/microfacets.py)

enum CameraKind { LINEAR_CAMERA, EQUIRECTANGULAR, FISHEYE_EQUIDISTANT, FISHEYE_EQUISOLID };

struct Camera {
    double world_from_clip[16];
    double clip_from_world[16];
    double view_row[4];          // third row of view_from_world
    double lens_axes[6];         // unit, across and up the lens, world space
    double aperture, focus;      // m: the lens' radius, and how far what is sharp lies
    double pixel;                // size in m at w = 1, or of a panorama at 1 m
    // A panorama's; what stands above, but for `pixel`, does not count then:
    double world_from_view[12];  // row-major 3 x 4
    double longitude[2], latitude[2], sensor[2];
    double fov, lens, near, far;
    int32_t width, height, kind, unused;
};

enum Extension { REPEAT_PICTURE, EXTEND_PICTURE, CLIP_PICTURE, MIRROR_PICTURE };

struct Texture {
    double picture_from_uv[6];     // row-major 2 x 3
    Pointer<const uint8_t> bytes;  // (height, width, 3), bottom row first; 0: `floats` are there
    Pointer<const float> floats;
    int32_t width, height, is_srgb, closest, extension, unused;
};

struct Material {
    float base_color[3], emission[3];
    float metallic, ior, alpha, opacity;
    int32_t shines, holdout;
    int32_t texture;  // of the base colour, in its place; -1: none
    float shares[3][TABLE_SIZE];
};

struct Environment {                // what `world_color` multiplies
    Pointer<const float> picture;   // (height, width, 3), bottom row first; 0: there is none
    Pointer<const double> shares;   // (rows, columns): with which a part is chosen
    Pointer<const double> up;       // (rows + 1,): sums of the rows' shares
    Pointer<const double> across;   // (rows, columns + 1): sums of a row's shares over its own, plus the row's number
    Pointer<const double> edges;    // (rows + 1,): heights of the rows' edges on the unit sphere
    double from_world[9], world_from[9];
    int32_t width, height, rows, columns;
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

// Rows of the planes of a picture.
#define FIRST_SAMPLE_ROWS 11  // depth, view_z, normal, position, object, hit, material: of the first sample
#define OBJECT_ROW 8
#define HIT_ROW 9
#define MATERIAL_ROW 10
#define AMBIENT_ROW 11        // a sum over samples
#define SAMPLES_ROW 12        // how many samples the sums are of

enum { WORLD_LIGHT = -1, BRIGHT_PARTS = -2, AMBIENT_LIGHT = -3 };  // for the number of a light

struct Guide {  // what the filter against noise has to know of a pixel's samples
    float own[3];    // the sum of its surfaces' own colours
    float squares;   // the sum of the squares of its samples' brightness
};

struct Frame {
    Camera camera;
    Environment environment;
    Pointer<const Material> materials;
    Pointer<const Texture> textures;
    Pointer<const Light> lights;
    Pointer<const Instance> instances;           // neural
    Pointer<const int32_t> neural_materials;     // (instances,)
    Pointer<const MeshSurface> meshes;
    Pointer<const float> corners;                // (T, 3, 3), object space
    Pointer<const float> corner_normals;         // (T, 3, 3); all 0: flat
    Pointer<const float> corner_uvs;             // (T, 3, 2); 0: there are none
    Pointer<const int32_t> slots;                // (T,)
    Pointer<const int32_t> slot_table;
    Pointer<const int32_t> pixels;               // (N,): the tile's pixels by their number; 0: all, one after the other
    Pointer<float> shadow_left;                  // (N,): the share of a light that passes; 0: all or nothing does
    Pointer<int32_t> goes_on;                    // set to 1 where a ray goes on behind what it met
    Pointer<Guide> guides;                       // (pixels,); 0: the picture stays as noisy as it is
    Pointer<float> brightness;                   // (pixels,), with guides: of the sum of the samples before
    // One tile's arrays, N pixels:
    Pointer<double> origins, directions, t_max;  // (N, 3), (N, 3), (N,): camera rays; casting and marching shorten t_max
    Pointer<double> t_end;                       // (N,): how far they go; t_max -1: a ray that is done with
    Pointer<double> pixel_sizes, pixel_growths;  // (N,)
    Pointer<double> t_native, t_neural;          // (N,)
    Pointer<int32_t> native_object, neural_object, face;  // (N,), -1: none
    Pointer<float> barycentric;                  // (N, 2)
    Pointer<double> points, geometric, normals, lift;  // (N, 3)
    Pointer<double> bias;                        // (N,)
    Pointer<int32_t> material, object;           // (N,); object -1: nothing was met, neural ones first
    Pointer<float> base;                         // (N, 3): the base colour
    Pointer<float> left;                         // (N,): the share of what is here that is not covered
    Pointer<int32_t> solid;                      // (N,): 1: this surface is a pixel's first solid one; 2: an earlier one was
    Pointer<double> shadow_origins, shadow_directions, shadow_t_max;  // (N, 3), (N, 3), (N,); t_max -1: no light comes
    Pointer<float> contribution;                 // (N, 3)
    Pointer<float> color;                        // (pixels, 4), the sum over samples
    Pointer<float> planes;                       // (13, stride), the rows above
    double offset_x, offset_y;                   // of the sample in its pixel
    double ambient_distance;                     // m
    float world_color[3], ambient_factor;
    int32_t x0, y0, columns, count;              // pixel number p is x0 + p % columns, y0 + p / columns; N = count
    int32_t sample, seed, light, num_neural;     // light: the one that is being added
    int32_t layer;                               // how many surfaces a ray has gone through
    int32_t use_lens, use_color, use_ambient;    // use_ambient: the plane is wanted
    int32_t write_planes, is_counted, is_shadow; // is_shadow: rays to a light, of which only `left` is asked
    int32_t film_transparent;
    int32_t stride;                              // floats from one of the planes to the next: the picture's pixels
};

struct NormalsArguments {
    Frame frame;
    Network network;
    Pointer<float> scratch;
    int32_t network_number, scratch_in_shared, weights_in_shared, scratch_floats;
};
