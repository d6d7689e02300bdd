// One pixel's part in each stage of a picture: a ray, what it met, one light's ray, and its colour.
//
// Reference: engine/rendering/camera.py, engine/rendering/surfaces.py, engine/rendering/shading.py, engine/rendering/triangle_table.py. Test: tests/cuda/test_frame.py.
#pragma once

#include "instances.cuh"
#include "lights.cuh"
#include "network.cuh"

#define SHADOW_END (1.0 - 1e-5)
#define SHADOW_BIAS 5e-5
#define BIAS_PIXELS 0.15
#define MOST_BIAS 20.0
#define LIFT_BELOW 0.1
#define NUM_PLANES 11

NI void camera_clip_w(const Camera& camera, const double point[3], double& w)
{
    const double* row = camera.clip_from_world + 12;
    w = fabs(dot3(row, point) + row[3]) * camera.pixel;
}

// Start pixel number `k` of the tile: its camera ray, and nothing met yet.
NI void begin_pixel(const Frame& frame, int k)
{
    const Camera& camera = frame.camera;
    const double x = frame.x0 + k % frame.columns + frame.offset_x, y = frame.y0 + k / frame.columns + frame.offset_y;
    const double ndc[4] = {2.0 * x / camera.width - 1.0, 2.0 * y / camera.height - 1.0, -1.0, 1.0};
    double near[4], far[4], origin[3], toward[3];
    for (int row = 0; row < 4; ++row) {
        const double* m = camera.world_from_clip + 4 * row;
        near[row] = m[0] * ndc[0] + m[1] * ndc[1] + m[2] * ndc[2] + m[3] * ndc[3];
        far[row] = near[row] + 2.0 * m[2];
    }
    const double sign = near[3] > 0.0 ? 1.0 : near[3] < 0.0 ? -1.0 : 0.0;
    for (int axis = 0; axis < 3; ++axis) {
        origin[axis] = near[axis] / near[3];
        toward[axis] = (far[axis] - far[3] * origin[axis]) * sign;
    }
    const double length = sqrt(dot3(toward, toward)) / fabs(far[3]);
    normalize3(toward);
    double ahead[3], size, next;
    for (int axis = 0; axis < 3; ++axis) ahead[axis] = origin[axis] + toward[axis];
    camera_clip_w(camera, origin, size);
    camera_clip_w(camera, ahead, next);
    store3(frame.origins.get(), k, origin);
    store3(frame.directions.get(), k, toward);
    frame.t_max.get()[k] = length;
    frame.pixel_sizes.get()[k] = size;
    frame.pixel_growths.get()[k] = next - size;
    frame.t_neural.get()[k] = frame.t_native.get()[k] = NI_INFINITY;
    frame.neural_object.get()[k] = frame.native_object.get()[k] = -1;
}

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
    const double size = fmax(sqrt(dot3(turned, turned)), 1e-30), least = SHADOW_BIAS / size;
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

NI void describe_native(const Frame& frame, int k)
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
    if (smooth) {
        const float u = frame.barycentric.get()[2 * (int64_t)k], v = frame.barycentric.get()[2 * (int64_t)k + 1];
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
}

NI void write_planes(const Frame& frame, int k, const double point[3], const double normal[3], int object)
{
    float* planes = frame.planes.get() + k;
    const int64_t n = frame.stride;
    const double* z = frame.camera.clip_from_world + 8;
    const double* w = frame.camera.clip_from_world + 12;
    planes[0 * n] = (float)(0.5 * (dot3(z, point) + z[3]) / (dot3(w, point) + w[3]) + 0.5);
    planes[1 * n] = (float)-(dot3(frame.camera.view_row, point) + frame.camera.view_row[3]);
    for (int axis = 0; axis < 3; ++axis) {
        planes[(2 + axis) * n] = (float)normal[axis];
        planes[(5 + axis) * n] = (float)point[axis];
    }
    planes[8 * n] = (float)object;
    planes[9 * n] = 1.0f;
    planes[10 * n] = (float)frame.material.get()[k];
}

// Put together what a pixel has met: the nearest surface, its normals on the viewer's side, its own light.
NI void finish_surface(const Frame& frame, int k)
{
    const int neural = frame.neural_object.get()[k], native = frame.native_object.get()[k];
    float* color = frame.color.get() + 4 * (int64_t)k;
    frame.object.get()[k] = neural >= 0 ? neural : native >= 0 ? frame.num_neural + native : -1;
    if (neural < 0 && native < 0) {
        if (frame.first_sample)
            for (int c = 0; c < NUM_PLANES; ++c) frame.planes.get()[c * (int64_t)frame.stride + k] = 0.0f;
        for (int c = 0; c < 4; ++c) color[c] += frame.background[c];
        return;
    }
    if (neural >= 0) frame.material.get()[k] = frame.neural_materials.get()[neural];
    else describe_native(frame, k);
    const double t = neural >= 0 ? frame.t_neural.get()[k] : frame.t_native.get()[k];
    double origin[3], direction[3], point[3], geometric[3], normal[3], lift[3], view[3];
    load3<double>(frame.origins.get(), k, origin);
    load3<double>(frame.directions.get(), k, direction);
    load3<double>(frame.geometric.get(), k, geometric);
    load3<double>(frame.normals.get(), k, normal);
    load3<double>(frame.lift.get(), k, lift);
    for (int axis = 0; axis < 3; ++axis) {
        point[axis] = origin[axis] + t * direction[axis];
        view[axis] = -direction[axis];
    }
    const double side = dot3(geometric, view) < 0.0 ? -1.0 : 1.0;
    for (int axis = 0; axis < 3; ++axis) {
        geometric[axis] *= side;
        normal[axis] *= side;
        if (side < 0.0) lift[axis] = 0.0;  // the inside of a bulge needs no lift
    }
    store3(frame.points.get(), k, point);
    store3(frame.geometric.get(), k, geometric);
    store3(frame.normals.get(), k, normal);
    store3(frame.lift.get(), k, lift);
    if (frame.first_sample) write_planes(frame, k, point, normal, frame.object.get()[k]);
    const Material& material = frame.materials.get()[frame.material.get()[k]];
    for (int c = 0; c < 3; ++c) color[c] += material.emission[c];
    color[3] += 1.0f;
}

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

// Give pixel k a ray to the light number frame.light, or out into the world, and what it brings if nothing is in its way.
NI void begin_light(const Frame& frame, int k)
{
    frame.shadow_t_max.get()[k] = -1.0;
    float* contribution = frame.contribution.get() + 3 * (int64_t)k;
    contribution[0] = contribution[1] = contribution[2] = 0.0f;
    if (frame.object.get()[k] < 0) return;
    const int x = frame.x0 + k % frame.columns, y = frame.y0 + k / frame.columns;
    double normal[3], view[3], point[3], direction[3], distance = NI_INFINITY;
    load3<double>(frame.normals.get(), k, normal);
    load3<double>(frame.directions.get(), k, view);
    load3<double>(frame.points.get(), k, point);
    for (int axis = 0; axis < 3; ++axis) view[axis] = -view[axis];
    const Bsdf bsdf = make_bsdf(frame.materials.get()[frame.material.get()[k]], normal, view);
    float square[2], toward[3], brought[3], value[3];
    bool shadow = true;
    if (frame.light < 0) {
        sample_2d(x, y, frame.sample, 3, frame.seed, square);
        sample_bsdf(bsdf, sample_1d(x, y, frame.sample, 2, frame.seed), square, toward, value);
        for (int axis = 0; axis < 3; ++axis) {
            direction[axis] = toward[axis];
            brought[axis] = frame.world_color[axis];
        }
        if (value[0] == 0.0f && value[1] == 0.0f && value[2] == 0.0f) return;
    } else {
        const Light& light = frame.lights.get()[frame.light];
        sample_2d(x, y, frame.sample, 8 + 2 * frame.light, frame.seed, square);
        sample_light(light, point, square, direction, distance, brought);
        if (!(dot3(normal, direction) > 0.0)) return;
        if (brought[0] == 0.0f && brought[1] == 0.0f && brought[2] == 0.0f) return;
        for (int axis = 0; axis < 3; ++axis) toward[axis] = (float)direction[axis];
        reflect(bsdf, toward, value);
        shadow = light.cast_shadow != 0;
    }
    for (int c = 0; c < 3; ++c) contribution[c] = value[c] * brought[c];
    if (!shadow) {
        for (int c = 0; c < 3; ++c) frame.color.get()[4 * (int64_t)k + c] += contribution[c];
        return;
    }
    double origin[3];
    shadow_origin(frame, k, direction, origin);
    store3(frame.shadow_origins.get(), k, origin);
    store3(frame.shadow_directions.get(), k, direction);
    frame.shadow_t_max.get()[k] = distance * SHADOW_END;
}

// Add what a light brings to pixel k where nothing was in the way: casting and marching set blocked rays' t_max to -1.
NI void add_light(const Frame& frame, int k)
{
    if (frame.shadow_t_max.get()[k] < 0.0) return;
    for (int c = 0; c < 3; ++c)
        frame.color.get()[4 * (int64_t)k + c] += frame.contribution.get()[3 * (int64_t)k + c];
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
