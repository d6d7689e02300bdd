// Camera rays of a tile's pixels, and what a point is to a camera: a linear one, through a lens or not, or a panorama.
//
// Reference: engine/rendering/camera.py, pixel_rays.py, panorama.py. Test: tests/cuda/test_frame.py, test_whole_pictures.py.
#pragma once

#include "frame_layouts.cuh"
#include "instances.cuh"
#include "sampling.cuh"
#include "vectors.cuh"

#define LENS_DIMENSION 5  // of the sample pattern

struct CameraRay {
    double origin[3], direction[3], t_max, size, growth;
};

// The number of pixel `k` of a tile among those that its sums are of.
NI int pixel_of(const Frame& frame, int k)
{
    return frame.pixels.address != 0 ? frame.pixels.get()[k] : k;
}

NI void place_of(const Frame& frame, int pixel, int& x, int& y)
{
    x = frame.x0 + pixel % frame.columns;
    y = frame.y0 + pixel / frame.columns;
}

NI double clip_w(const Camera& camera, const double point[3])
{
    const double* row = camera.clip_from_world + 12;
    return fabs(dot3(row, point) + row[3]) * camera.pixel;
}

NI double view_z(const Camera& camera, const double point[3])
{
    if (camera.kind == LINEAR_CAMERA) return -(dot3(camera.view_row, point) + camera.view_row[3]);
    double offset[3];
    for (int axis = 0; axis < 3; ++axis) offset[axis] = point[axis] - camera.world_from_view[4 * axis + 3];
    return sqrt(dot3(offset, offset));
}

NI double buffer_depth(const Camera& camera, const double point[3])
{
    if (camera.kind != LINEAR_CAMERA) return fmin(fmax(view_z(camera, point) / camera.far, 0.0), 1.0);
    const double *z = camera.clip_from_world + 8, *w = camera.clip_from_world + 12;
    return 0.5 * (dot3(z, point) + z[3]) / (dot3(w, point) + w[3]) + 0.5;
}

NI void linear_ray(const Camera& camera, double x, double y, CameraRay& ray)
{
    const double ndc[4] = {2.0 * x / camera.width - 1.0, 2.0 * y / camera.height - 1.0, -1.0, 1.0};
    double near[4], far[4], ahead[3];
    for (int row = 0; row < 4; ++row) {
        const double* m = camera.world_from_clip + 4 * row;
        near[row] = m[0] * ndc[0] + m[1] * ndc[1] + m[2] * ndc[2] + m[3] * ndc[3];
        far[row] = near[row] + 2.0 * m[2];
    }
    const double sign = near[3] > 0.0 ? 1.0 : near[3] < 0.0 ? -1.0 : 0.0;
    for (int axis = 0; axis < 3; ++axis) {
        ray.origin[axis] = near[axis] / near[3];
        ray.direction[axis] = (far[axis] - far[3] * ray.origin[axis]) * sign;
    }
    ray.t_max = sqrt(dot3(ray.direction, ray.direction)) / fabs(far[3]);
    normalize3(ray.direction);
    for (int axis = 0; axis < 3; ++axis) ahead[axis] = ray.origin[axis] + ray.direction[axis];
    ray.size = clip_w(camera, ray.origin);
    ray.growth = clip_w(camera, ahead) - ray.size;
}

// Let a ray start from a place in the unit disk of the lens, towards where it meets the plane that is in focus.
NI void through_lens(const Camera& camera, const float place[2], CameraRay& ray)
{
    const double near = view_z(camera, ray.origin), rate = -dot3(ray.direction, camera.view_row);
    double toward[3];
    for (int axis = 0; axis < 3; ++axis) {
        const double across = place[0] * camera.lens_axes[axis] + place[1] * camera.lens_axes[3 + axis];
        const double start = ray.origin[axis] - near / rate * ray.direction[axis] + camera.aperture * across;
        toward[axis] = ray.origin[axis] + (camera.focus - near) / rate * ray.direction[axis] - start;
        ray.origin[axis] = start + toward[axis] * (near / camera.focus);
        ray.direction[axis] = toward[axis];
    }
    normalize3(ray.direction);
    const double turned = -dot3(ray.direction, camera.view_row);
    ray.t_max *= rate / turned;
    ray.growth *= turned / rate;
}

// A direction in the camera's space; false: it is outside of the fisheye's circle.
NI bool fisheye(const Camera& camera, double u, double v, double local[3])
{
    const bool solid = camera.kind == FISHEYE_EQUISOLID;
    const double across = solid ? (u - 0.5) * camera.sensor[0] : 2.0 * u - 1.0;
    const double up = solid ? (v - 0.5) * camera.sensor[1] : 2.0 * v - 1.0;
    const double radius = hypot(across, up), twice = 2.0 * camera.lens;
    const double angle = solid ? 2.0 * asin(fmin(radius / twice, 1.0)) : radius * camera.fov / 2.0;
    const double share = sin(angle) / fmax(radius, 1e-12);
    local[0] = across * share;
    local[1] = up * share;
    local[2] = -cos(angle);
    return radius <= (solid ? twice * sin(camera.fov / 4.0) : 1.0);
}

NI_CALL void panorama_ray(const Camera& camera, double x, double y, CameraRay& ray)
{
    const double u = x / camera.width, v = y / camera.height;
    double local[3];
    bool is_inside = true;
    if (camera.kind == EQUIRECTANGULAR) {
        const double longitude = camera.longitude[0] + (camera.longitude[1] - camera.longitude[0]) * u;
        const double latitude = camera.latitude[0] + (camera.latitude[1] - camera.latitude[0]) * v;
        local[0] = sin(longitude) * cos(latitude);
        local[1] = sin(latitude);
        local[2] = -cos(longitude) * cos(latitude);
    } else {
        is_inside = fisheye(camera, u, v, local);
    }
    for (int axis = 0; axis < 3; ++axis) {
        const double* row = camera.world_from_view + 4 * axis;
        ray.direction[axis] = dot3(row, local);
        ray.origin[axis] = row[3] + camera.near * ray.direction[axis];
    }
    ray.t_max = is_inside ? fmax(camera.far - camera.near, 0.0) : 0.0;
    ray.size = camera.near * camera.pixel;
    ray.growth = camera.pixel;
}

NI void forget_hits(const Frame& frame, int k)
{
    frame.t_neural.get()[k] = frame.t_native.get()[k] = NI_INFINITY;
    frame.neural_object.get()[k] = frame.native_object.get()[k] = -1;
}

// Start pixel `k` of the tile: its camera ray, and nothing met yet.
NI void begin_pixel(const Frame& frame, int k)
{
    const Camera& camera = frame.camera;
    const int pixel = pixel_of(frame, k);
    int x, y;
    place_of(frame, pixel, x, y);
    CameraRay ray;
    if (camera.kind == LINEAR_CAMERA) linear_ray(camera, x + frame.offset_x, y + frame.offset_y, ray);
    else panorama_ray(camera, x + frame.offset_x, y + frame.offset_y, ray);
    if (frame.use_lens) {
        float square[2], place[2];
        sample_2d(x, y, frame.sample, LENS_DIMENSION, frame.seed, square);
        to_disk(square, place);
        through_lens(camera, place, ray);
    }
    store3(frame.origins.get(), k, ray.origin);
    store3(frame.directions.get(), k, ray.direction);
    frame.t_max.get()[k] = frame.t_end.get()[k] = ray.t_max;
    frame.pixel_sizes.get()[k] = ray.size;
    frame.pixel_growths.get()[k] = ray.growth;
    frame.left.get()[k] = ray.t_max <= 0.0 ? 0.0f : 1.0f;  // outside of a fisheye's circle nothing is
    frame.solid.get()[k] = 0;
    forget_hits(frame, k);
    if (frame.is_counted) frame.planes.get()[SAMPLES_ROW * (int64_t)frame.stride + pixel] += 1.0f;
}
