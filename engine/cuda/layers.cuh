// Surfaces that let light through: what remains of a ray behind one. Both camera rays and those to lights go through them.
//
// Reference: engine/rendering/transparency.py, transmission.py. Test: tests/cuda/test_whole_pictures.py.
#pragma once

#include "surfaces.cuh"

#define MOST_LAYERS 16
#define NOTHING_LEFT 1e-4f
#define LEAST_COSINE 0.05

// Start a ray to a light; t_max says how far it goes, or that there is none.
NI void begin_shadow(const Frame& frame, int k)
{
    const double t_max = frame.t_max.get()[k];
    frame.t_end.get()[k] = t_max;
    frame.pixel_sizes.get()[k] = frame.pixel_growths.get()[k] = 0.0;
    frame.left.get()[k] = t_max < 0.0 ? 0.0f : 1.0f;
    forget_hits(frame, k);
}

// Whether a ray goes on behind the surface that it met, of which it leaves `left`.
NI bool goes_behind(const Frame& frame, int k, float& left)
{
    if (frame.is_shadow) {
        if (left > NOTHING_LEFT && frame.layer == MOST_LAYERS - 1) left = 0.0f;  // beyond so many it is dark
        return left > NOTHING_LEFT;
    }
    if (frame.use_color && left > NOTHING_LEFT) return true;
    left = 0.0f;
    return (frame.write_planes || frame.use_ambient || frame.guides.address != 0) && frame.solid.get()[k] == 0;
}

// Let ray k go on behind what it met, or be done with.
NI void pass_surface(const Frame& frame, int k)
{
    forget_hits(frame, k);
    frame.t_max.get()[k] = -1.0;
    if (frame.object.get()[k] < 0) return;
    float left = frame.left.get()[k] * (1.0f - frame.materials.get()[frame.material.get()[k]].opacity);
    const bool goes_on = goes_behind(frame, k, left);
    frame.left.get()[k] = left;
    if (!goes_on) return;
    double origin[3], direction[3], point[3], geometric[3];
    load3<double>(frame.origins.get(), k, origin);
    load3<double>(frame.directions.get(), k, direction);
    load3<double>(frame.points.get(), k, point);
    load3<double>(frame.geometric.get(), k, geometric);
    double t = 2.0 * frame.bias.get()[k] / fmax(fabs(dot3(geometric, direction)), LEAST_COSINE);
    for (int axis = 0; axis < 3; ++axis) t += (point[axis] - origin[axis]) * direction[axis];
    for (int axis = 0; axis < 3; ++axis) origin[axis] += t * direction[axis];
    store3(frame.origins.get(), k, origin);
    frame.t_max.get()[k] = frame.t_end.get()[k] = fmax(frame.t_end.get()[k] - t, 0.0);
    frame.pixel_sizes.get()[k] += t * frame.pixel_growths.get()[k];
    *frame.goes_on.get() = 1;
}
