// Rays from a tile's surfaces to what lights them, and what comes along them if nothing is in the way.
//
// Reference: engine/rendering/shading.py. Test: tests/cuda/test_frame.py, test_whole_pictures.py.
#pragma once

#include "lights.cuh"
#include "surfaces.cuh"

#define SHADOW_END (1.0 - 1e-5)
#define LIFT_BELOW 0.1
#define BRIGHT_DIMENSION (1 << 16)  // of the sample pattern
#define AMBIENT_DIMENSION (BRIGHT_DIMENSION + 2)

struct ShadedPoint {
    Bsdf bsdf;
    double normal[3], point[3];
    int x, y;  // of its pixel
};

struct LightRay {
    double direction[3], t_max;
    float brought[3];  // to the viewer
    bool casts_shadow;
};

NI bool is_dark(const float color[3]) { return color[0] == 0.0f && color[1] == 0.0f && color[2] == 0.0f; }

// Where a ray from a pixel's point starts, so that it does not meet its own surface.
NI void shadow_origin(const Frame& frame, int k, const double direction[3], double origin[3])
{
    double geometric[3], normal[3], lift[3], point[3];
    load3<double>(frame.geometric.get(), k, geometric);
    load3<double>(frame.normals.get(), k, normal);
    load3<double>(frame.lift.get(), k, lift);
    load3<double>(frame.points.get(), k, point);
    const double slope = dot3(geometric, direction), shading = dot3(normal, direction);
    const double low = fmin(fmax(2.0 - (slope + shading) / LIFT_BELOW, 0.0), 1.0);
    const double amount = shading < LIFT_BELOW ? low : fmin(fmax(1.0 - slope / LIFT_BELOW, 0.0), 1.0);
    const double off = frame.bias.get()[k] * (slope < 0.0 ? -1.0 : 1.0);
    for (int axis = 0; axis < 3; ++axis) origin[axis] = point[axis] + amount * lift[axis] + off * geometric[axis];
}

NI bool ray_to_lamp(const Frame& frame, const ShadedPoint& at, LightRay& ray)
{
    const Light& light = frame.lights.get()[frame.light];
    float square[2], toward[3], brought[3];
    double distance = NI_INFINITY;
    sample_2d(at.x, at.y, frame.sample, 8 + 2 * frame.light, frame.seed, square);
    sample_light(light, at.point, square, ray.direction, distance, brought);
    if (!(dot3(at.normal, ray.direction) > 0.0) || is_dark(brought)) return false;
    for (int axis = 0; axis < 3; ++axis) toward[axis] = (float)ray.direction[axis];
    reflect(at.bsdf, toward, ray.brought);
    for (int c = 0; c < 3; ++c) ray.brought[c] *= brought[c];
    ray.t_max = distance * SHADOW_END;
    ray.casts_shadow = light.cast_shadow != 0;
    return true;
}

NI bool ray_to_world(const Frame& frame, const ShadedPoint& at, LightRay& ray)
{
    float square[2], toward[3], light[3];
    sample_2d(at.x, at.y, frame.sample, 3, frame.seed, square);
    sample_bsdf(at.bsdf, sample_1d(at.x, at.y, frame.sample, 2, frame.seed), square, toward, ray.brought);
    if (is_dark(ray.brought)) return false;
    for (int axis = 0; axis < 3; ++axis) ray.direction[axis] = toward[axis];
    double share = 1.0;
    if (frame.environment.picture.address != 0) {  // the other half of the light is found by its own brightness
        const double mine = bsdf_density(at.bsdf, toward);
        share = mine / fmax(mine + environment_density(frame.environment, ray.direction), 1e-12);
    }
    surroundings(frame, ray.direction, light);
    for (int c = 0; c < 3; ++c) ray.brought[c] = (float)(ray.brought[c] * share) * light[c];
    return true;
}

NI bool ray_to_bright_part(const Frame& frame, const ShadedPoint& at, LightRay& ray)
{
    float square[2], toward[3], light[3];
    sample_2d(at.x, at.y, frame.sample, BRIGHT_DIMENSION, frame.seed, square);
    const double density = sample_environment(frame.environment, square, ray.direction);
    if (!(dot3(at.normal, ray.direction) > 0.0)) return false;
    for (int axis = 0; axis < 3; ++axis) toward[axis] = (float)ray.direction[axis];
    reflect(at.bsdf, toward, ray.brought);
    const double joined = fmax(density + bsdf_density(at.bsdf, toward), 1e-12);
    surroundings(frame, ray.direction, light);
    for (int c = 0; c < 3; ++c) ray.brought[c] = (float)(ray.brought[c] * light[c] / joined);
    return true;
}

// A ray in a direction that is chosen in proportion to its cosine: whether something near is in its way.
NI bool ray_of_ambience(const Frame& frame, int k, const ShadedPoint& at, LightRay& ray)
{
    float square[2];
    double tangent[3], bitangent[3], geometric[3];
    sample_2d(at.x, at.y, frame.sample, AMBIENT_DIMENSION, frame.seed, square);
    const float radius = sqrtf(square[0]), angle = 2.0f * (float)PI * square[1];
    const double local[3] = {radius * cosf(angle), radius * sinf(angle), sqrtf(fmaxf(0.0f, 1.0f - square[0]))};
    basis3(at.normal, tangent, bitangent);
    for (int axis = 0; axis < 3; ++axis)
        ray.direction[axis] = local[0] * tangent[axis] + local[1] * bitangent[axis] + local[2] * at.normal[axis];
    load3<double>(frame.geometric.get(), k, geometric);
    if (!(dot3(geometric, ray.direction) > 0.0)) return false;
    for (int c = 0; c < 3; ++c) ray.brought[c] = frame.use_color ? frame.ambient_factor * at.bsdf.diffuse[c] : 0.0f;
    ray.t_max = frame.ambient_distance;
    return true;
}

// Whether what is near this surface counts for the plane of ambient occlusion.
NI bool counts_for_plane(const Frame& frame, int k)
{
    return frame.light == AMBIENT_LIGHT && frame.use_ambient && frame.solid.get()[k] == 1;
}

NI bool find_light_ray(const Frame& frame, int k, const ShadedPoint& at, LightRay& ray)
{
    ray.t_max = NI_INFINITY;
    ray.casts_shadow = true;
    if (frame.light >= 0) return ray_to_lamp(frame, at, ray);
    if (frame.light == WORLD_LIGHT) return ray_to_world(frame, at, ray);
    if (frame.light == BRIGHT_PARTS) return ray_to_bright_part(frame, at, ray);
    return ray_of_ambience(frame, k, at, ray);
}

// Give the surface of pixel k a ray to the light number frame.light, and what that brings if nothing is in the way.
NI void begin_light(const Frame& frame, int k)
{
    frame.shadow_t_max.get()[k] = -1.0;
    if (frame.object.get()[k] < 0) return;
    const Material& material = frame.materials.get()[frame.material.get()[k]];
    const float shown = shown_share(frame, k, material);
    if (shown == 0.0f && !counts_for_plane(frame, k)) return;
    ShadedPoint at;
    LightRay ray;
    double view[3], origin[3];
    place_of(frame, pixel_of(frame, k), at.x, at.y);
    load3<double>(frame.normals.get(), k, at.normal);
    load3<double>(frame.directions.get(), k, view);
    load3<double>(frame.points.get(), k, at.point);
    for (int axis = 0; axis < 3; ++axis) view[axis] = -view[axis];
    at.bsdf = make_bsdf(material, frame.base.get() + 3 * (int64_t)k, at.normal, view);
    if (!find_light_ray(frame, k, at, ray)) return;
    for (int c = 0; c < 3; ++c) ray.brought[c] *= shown;
    if (!ray.casts_shadow) {
        add_color(frame, k, ray.brought, 0.0f);
        return;
    }
    store3(frame.contribution.get(), k, ray.brought);
    shadow_origin(frame, k, ray.direction, origin);
    store3(frame.shadow_origins.get(), k, origin);
    store3(frame.shadow_directions.get(), k, ray.direction);
    frame.shadow_t_max.get()[k] = ray.t_max;
}

// Add what a light brings to pixel k, as far as nothing was in the way: casting and marching set blocked rays' t_max to -1.
NI void add_light(const Frame& frame, int k)
{
    float share = frame.shadow_t_max.get()[k] < 0.0 ? 0.0f : 1.0f, brought[3];
    if (frame.shadow_left.address != 0) share = frame.shadow_left.get()[k];
    if (share == 0.0f) return;
    load3<float>(frame.contribution.get(), k, brought);
    for (int c = 0; c < 3; ++c) brought[c] *= share;
    add_color(frame, k, brought, 0.0f);
    if (counts_for_plane(frame, k))
        frame.planes.get()[AMBIENT_ROW * (int64_t)frame.stride + pixel_of(frame, k)] += share;
}
