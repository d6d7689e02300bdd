// What a tile's rays have met: one surface's place, normals, material and colour each, and a picture's planes.
//
// Reference: engine/rendering/surfaces.py, triangle_table.py, tile_planes.py. Test: tests/cuda/test_frame.py,
// test_whole_pictures.py.
#pragma once

#include "camera.cuh"
#include "denoise_layouts.cuh"
#include "environment.cuh"
#include "network.cuh"
#include "textures.cuh"

#define NEURAL_BIAS 5e-5  // unit space
#define BIAS_PIXELS 0.15
#define MOST_BIAS 20.0
#define SOLID 0.5f        // opacity from which on a surface counts for planes

NI void transform_normal(const double inverse[12], const double normal[3], double out[3])
{
    for (int axis = 0; axis < 3; ++axis)
        out[axis] = inverse[axis] * normal[0] + inverse[4 + axis] * normal[1] + inverse[8 + axis] * normal[2];
}

// What a neural instance is at a pixel's point; the gradient is the network's there.
NI void describe_neural(const Frame& frame, int k, const Instance& instance, const float gradient[3])
{
    double slope[3] = {gradient[0], gradient[1], gradient[2]}, turned[3];
    normalize3(slope);
    transform_normal(instance.unit_from_world, slope, turned);
    const double size = fmax(sqrt(dot3(turned, turned)), 1e-30), least = NEURAL_BIAS / size;
    for (int axis = 0; axis < 3; ++axis) turned[axis] /= size;
    const double t = frame.t_neural.get()[k];
    const double share = BIAS_PIXELS * (frame.pixel_sizes.get()[k] + t * frame.pixel_growths.get()[k]);
    const double none[3] = {0.0, 0.0, 0.0};
    store3(frame.geometric.get(), k, turned);
    store3(frame.normals.get(), k, turned);
    store3(frame.lift.get(), k, none);
    frame.bias.get()[k] = fmin(fmax(share, least), MOST_BIAS * least);
}

NI void interpolate_normal(const MeshSurface& mesh, const float* corners, const float* corner_normals,
                           const double weights[3], const double geometric[3], double normal[3], double lift[3])
{
    double blended[3] = {0.0, 0.0, 0.0}, world[3][3], point[3] = {0.0, 0.0, 0.0};
    for (int corner = 0; corner < 3; ++corner) {
        const double place[3] = {corners[3 * corner], corners[3 * corner + 1], corners[3 * corner + 2]};
        transform(mesh.world_from_object, place, 0.0, world[corner]);
        for (int axis = 0; axis < 3; ++axis) {
            blended[axis] += weights[corner] * corner_normals[3 * corner + axis];
            point[axis] += weights[corner] * world[corner][axis];
        }
    }
    for (int axis = 0; axis < 3; ++axis) {
        normal[axis] = geometric[axis];
        lift[axis] = 0.0;
    }
    if (!(dot3(blended, blended) > 1e-12)) return;
    transform_normal(mesh.object_from_world, blended, normal);
    normalize3(normal);
    for (int corner = 0; corner < 3; ++corner) {
        const float* n = corner_normals + 3 * corner;
        const double flat[3] = {n[0], n[1], n[2]};
        double plane[3], offset[3];
        transform_normal(mesh.object_from_world, flat, plane);
        normalize3(plane);
        for (int axis = 0; axis < 3; ++axis) offset[axis] = point[axis] - world[corner][axis];
        const double height = fmin(dot3(offset, plane), 0.0);
        for (int axis = 0; axis < 3; ++axis) lift[axis] -= weights[corner] * height * plane[axis];
    }
}

// What a native triangle is at a pixel's point, and where that is in its picture.
NI void describe_native(const Frame& frame, int k, float uv[2])
{
    const MeshSurface& mesh = frame.meshes.get()[frame.native_object.get()[k]];
    const int row = mesh.start + frame.face.get()[k];
    const float* corners = frame.corners.get() + 9 * (int64_t)row;
    const float* corner_normals = frame.corner_normals.get() + 9 * (int64_t)row;
    double one[3], two[3], flat[3], geometric[3], normal[3], lift[3], longest = 0.0;
    for (int axis = 0; axis < 3; ++axis) {
        one[axis] = corners[3 + axis] - corners[axis];
        two[axis] = corners[6 + axis] - corners[axis];
    }
    longest = fmax(sqrt(dot3(one, one)), sqrt(dot3(two, two)));
    cross3(one, two, flat);
    transform_normal(mesh.object_from_world, flat, geometric);
    normalize3(geometric);
    bool smooth = false;
    for (int c = 0; c < 9; ++c) smooth |= corner_normals[c] != 0.0f;
    for (int axis = 0; axis < 3; ++axis) {
        normal[axis] = geometric[axis];
        lift[axis] = 0.0;
    }
    const float u = frame.barycentric.get()[2 * (int64_t)k], v = frame.barycentric.get()[2 * (int64_t)k + 1];
    if (smooth) {
        const double weights[3] = {u, v, 1.0f - (u + v)};
        interpolate_normal(mesh, corners, corner_normals, weights, geometric, normal, lift);
    }
    store3(frame.geometric.get(), k, geometric);
    store3(frame.normals.get(), k, normal);
    store3(frame.lift.get(), k, lift);
    frame.bias.get()[k] = mesh.bias * (longest + mesh.size);
    int slot = frame.slots.get()[row];
    slot = slot < 0 ? 0 : slot >= mesh.num_slots ? mesh.num_slots - 1 : slot;
    frame.material.get()[k] = frame.slot_table.get()[mesh.first_slot + slot];
    if (frame.corner_uvs.address == 0) return;
    const float* places = frame.corner_uvs.get() + 6 * (int64_t)row;
    for (int c = 0; c < 2; ++c)
        uv[c] = places[4 + c] + u * (places[c] - places[4 + c]) + v * (places[2 + c] - places[4 + c]);
}

NI void write_planes(const Frame& frame, int k, const double point[3], const double normal[3])
{
    float* planes = frame.planes.get() + pixel_of(frame, k);
    const int64_t n = frame.stride;
    planes[0 * n] = (float)buffer_depth(frame.camera, point);
    planes[1 * n] = (float)view_z(frame.camera, point);
    for (int axis = 0; axis < 3; ++axis) {
        planes[(2 + axis) * n] = (float)normal[axis];
        planes[(5 + axis) * n] = (float)point[axis];
    }
    planes[OBJECT_ROW * n] = (float)frame.object.get()[k];
    planes[HIT_ROW * n] = 1.0f;
    planes[MATERIAL_ROW * n] = (float)frame.material.get()[k];
}

// The share of a pixel that its surface's own light fills.
NI float shown_share(const Frame& frame, int k, const Material& material)
{
    return material.holdout ? 0.0f : frame.left.get()[k] * material.opacity;
}

NI void add_color(const Frame& frame, int k, const float color[3], float alpha)
{
    float* sum = frame.color.get() + 4 * (int64_t)pixel_of(frame, k);
    for (int c = 0; c < 3; ++c) sum[c] += color[c];
    sum[3] += alpha;
}

// What is seen where no surface is.
NI void add_background(const Frame& frame, int k)
{
    if (!frame.use_color || frame.film_transparent || frame.t_max.get()[k] < 0.0) return;
    double direction[3];
    float light[3];
    load3<double>(frame.directions.get(), k, direction);
    surroundings(frame, direction, light);
    const float left = frame.left.get()[k];
    for (int c = 0; c < 3; ++c) light[c] *= left;
    add_color(frame, k, light, left);
}

// What the first solid surface's own colour adds to what the filter knows of its pixel.
NI void add_own_color(const Frame& frame, int k, const float base[3])
{
    float* own = frame.guides.get()[pixel_of(frame, k)].own;
    for (int c = 0; c < 3; ++c) own[c] += fmaxf(base[c], DARKEST_OWN);
}

NI void finish_color(const Frame& frame, int k, const Material& material, const float uv[2])
{
    float* base = frame.base.get() + 3 * (int64_t)k;
    for (int c = 0; c < 3; ++c) base[c] = material.base_color[c];
    if (material.texture >= 0) {
        look_up_texture(frame.textures.get()[material.texture], uv, base);
        for (int c = 0; c < 3; ++c) base[c] = fmaxf(base[c], 0.0f);
    }
    if (frame.guides.address != 0 && frame.solid.get()[k] == 1) add_own_color(frame, k, base);
    const float shown = shown_share(frame, k, material);
    float emitted[3];
    for (int c = 0; c < 3; ++c) emitted[c] = shown * material.emission[c];
    if (frame.use_color) add_color(frame, k, emitted, shown);
}

// Turn a surface's normals to the viewer's side.
NI void turn_to_viewer(const Frame& frame, int k, const double direction[3], double normal[3])
{
    double geometric[3], lift[3];
    load3<double>(frame.geometric.get(), k, geometric);
    load3<double>(frame.normals.get(), k, normal);
    load3<double>(frame.lift.get(), k, lift);
    const double side = dot3(geometric, direction) > 0.0 ? -1.0 : 1.0;
    for (int axis = 0; axis < 3; ++axis) {
        geometric[axis] *= side;
        normal[axis] *= side;
        if (side < 0.0) lift[axis] = 0.0;  // the inside of a bulge needs no lift
    }
    store3(frame.geometric.get(), k, geometric);
    store3(frame.normals.get(), k, normal);
    store3(frame.lift.get(), k, lift);
}

// Put together what a ray has met: the nearest surface, its normals on the viewer's side, its own light.
NI void finish_surface(const Frame& frame, int k)
{
    const int neural = frame.neural_object.get()[k], native = frame.native_object.get()[k];
    frame.object.get()[k] = neural >= 0 ? neural : native >= 0 ? frame.num_neural + native : -1;
    if (neural < 0 && native < 0) {
        add_background(frame, k);
        return;
    }
    float uv[2] = {0.0f, 0.0f};
    if (neural >= 0) frame.material.get()[k] = frame.neural_materials.get()[neural];
    else describe_native(frame, k, uv);
    const double t = neural >= 0 ? frame.t_neural.get()[k] : frame.t_native.get()[k];
    double direction[3], point[3], normal[3];
    load3<double>(frame.origins.get(), k, point);
    load3<double>(frame.directions.get(), k, direction);
    for (int axis = 0; axis < 3; ++axis) point[axis] += t * direction[axis];
    store3(frame.points.get(), k, point);
    turn_to_viewer(frame, k, direction, normal);
    if (frame.is_shadow) return;
    const Material& material = frame.materials.get()[frame.material.get()[k]];
    int& solid = frame.solid.get()[k];
    if (solid != 0 || material.opacity >= SOLID) solid = solid != 0 ? 2 : 1;
    if (frame.write_planes && solid == 1) write_planes(frame, k, point, normal);
    finish_color(frame, k, material, uv);
}

// The normal of the neural instances of one network that a warp's pixels have met.
NI void normals_warp(const NormalsArguments& args, const float* weights, float* scratch, int first)
{
    const Frame& frame = args.frame;
    NI_EACH_LANE(lane)
    {
        const int k = first + lane;
        const int number = k < frame.count ? frame.neural_object.get()[k] : -1;
        const Instance* instance = number >= 0 ? frame.instances.get() + number : nullptr;
        if (instance == nullptr || instance->network != args.network_number) continue;
        double origin[3], direction[3], world[3], unit[3];
        load3<double>(frame.origins.get(), k, origin);
        load3<double>(frame.directions.get(), k, direction);
        const double t = frame.t_neural.get()[k];
        for (int axis = 0; axis < 3; ++axis) world[axis] = origin[axis] + t * direction[axis];
        transform(instance->unit_from_world, world, 1.0, unit);
        float place[3], result[4];
        for (int axis = 0; axis < 3; ++axis) place[axis] = (float)fmin(fmax(unit[axis], -1.0), 1.0);
        evaluate_network<4>(args.network, weights, place, scratch + lane, NI_LANES, result);
        describe_neural(frame, k, *instance, result + 1);
    }
    NI_SYNC_WARP();
}
