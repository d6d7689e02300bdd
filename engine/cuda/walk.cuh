// A ray's way through the cells of a step grid, from one look at the field to the next.
//
// The mathematics and every decision are those of engine/tracing/cell_walk.py, which explains them; here a look may also
// come from the matrix unit, whose error is larger, so each value is kept with the error that it may have.
// Reference: engine/tracing/cell_walk.py. Test: tests/cuda/test_march.py.
#pragma once

#include "layouts.cuh"
#include "portable.cuh"

enum Mode { FIRST, STEP, EXIT, ROOT, BRACKET };
enum Outcome { EVALUATE, HIT, MISS, LEAVE_CELL };

#define TOLERANCE 1e-6
#define NUDGE 1e-7
#define SHORTEST_STEP 2e-5
#define PATIENCE 50.0
#define NARROW 5e-5
#define FLATTEST 1e-30
#define CAUTION 0.05
#define MOST_REFINEMENTS 40

struct RayState {
    double t, end, speed, a, b, value_a, value_b, low, high, last_t, last_value, leave, error_a;
    double origin[3], direction[3], inverse[3];
    float sign;
    int mode, count, certain;
    int full;  // the last look was too coarse: look again in full precision
};

NI int cell_of(double x, int resolution)
{
    const int k = (int)((x + 1.0) * 0.5 * resolution);
    return k < 0 ? 0 : k >= resolution ? resolution - 1 : k;
}

NI double leave_cube(const RayState& ray, double t, const int cell[3], int reach, double size)
{
    double nearest = NI_INFINITY;
#pragma unroll
    for (int axis = 0; axis < 3; ++axis) {
        if (ray.direction[axis] == 0.0) continue;
        const int line = ray.direction[axis] > 0.0 ? cell[axis] + 1 + reach : cell[axis] - reach;
        nearest = fmin(nearest, (-1.0 + size * line - ray.origin[axis]) * ray.inverse[axis]);
    }
    return fmax(nearest, t);
}

// Bounds on the field at a place in a cell.
NI void span_at(const Grid& grid, int row, const double offset[3], double& low, double& high)
{
    const float* gradient = grid.gradient.get() + 6 * (int64_t)row;
    low = high = grid.value.get()[row];
#pragma unroll
    for (int axis = 0; axis < 3; ++axis) {
        const double one = offset[axis] * gradient[axis], two = offset[axis] * gradient[axis + 3];
        low += fmin(one, two);
        high += fmax(one, two);
    }
    low -= 2.0 * grid.error;  // twice: the value at the centre is off by as much as one at the place
    high += 2.0 * grid.error;
}

NI double shortest_step(const RayState& ray) { return SHORTEST_STEP * (1.0 + ray.count / PATIENCE) / ray.speed; }

// Look where the way is expected to prove free, seen from both its ends.
NI int step_in_cell(RayState& ray, double t, double leave, double f, double error, double low, double high)
{
    ray.mode = STEP;
    ray.last_value = no_number();
    if (!is_finite(f)) {
        ray.t = t;
        ray.value_a = no_number();
        return EVALUATE;
    }
    const double inward = ray.sign > 0.0f ? -low : high;
    const double outward = fmax(ray.sign > 0.0f ? high : -low, FLATTEST);
    const double size = fmax(fabs(f) - error, 0.0), safe = size / inward;
    if (t + safe >= leave) return LEAVE_CELL;
    double growth = 0.5 * (outward - inward);
    if (is_finite(ray.value_a) && t > ray.a) growth = (fabs(f) - fabs(ray.value_a)) / (t - ray.a);
    growth = fmin(fmax(growth - CAUTION * (inward + outward), -inward), 0.9 * outward);
    ray.a = t;
    ray.value_a = f;
    ray.error_a = error;
    ray.low = inward;
    ray.high = outward;
    ray.leave = leave;
    ray.count += 1;
    const double shortest = shortest_step(ray);
    double ahead;
    if (growth < 0.0 && fabs(f) <= -growth * 0.5 * NARROW / ray.speed)
        ahead = -2.0 * fabs(f) / growth;  // beyond the crossing, but not far
    else
        ahead = size * (1.0 / inward + 1.0 / outward) / (1.0 - growth / outward);
    ray.t = fmin(t + fmax(fmax(ahead, safe), shortest), fmax(leave, t + shortest));
    return ray.t <= ray.end ? EVALUATE : MISS;
}

// What to do in a cell in which the ray may cross the surface.
NI int look_inside(RayState& ray, const Grid& grid, int row, double t, double leave, double f, double error,
                   const double span_in[2], const double span_out[2], bool any_hit)
{
    const float* gradient = grid.gradient.get() + 6 * (int64_t)row;
    double low = 0.0, high = 0.0;
#pragma unroll
    for (int axis = 0; axis < 3; ++axis) {
        const double one = ray.direction[axis] * gradient[axis], two = ray.direction[axis] * gradient[axis + 3];
        low += fmin(one, two);
        high += fmax(one, two);
    }
    const bool away = ray.sign > 0.0f ? low >= 0.0 : high <= 0.0;
    if (away) return LEAVE_CELL;
    const bool towards = ray.sign > 0.0f ? high < 0.0 : low > 0.0;
    const float after = span_out[0] > 0.0 ? 1.0f : span_out[1] < 0.0 ? -1.0f : 0.0f;
    const bool certain = after == -ray.sign;
    if (certain && any_hit) return HIT;
    if (!towards) return step_in_cell(ray, t, leave, f, error, low, high);
    if (after == ray.sign) return LEAVE_CELL;
    ray.a = t;
    ray.b = ray.leave = leave;
    ray.certain = certain;
    ray.low = low;
    ray.high = high;
    ray.last_value = no_number();
    ray.count = 0;
    const double here = is_finite(f) ? f : 0.5 * (span_in[0] + span_in[1]);
    const double place = t - here / (0.5 * (low + high));
    if (place < leave) {
        ray.t = fmax(place, t);
        ray.mode = ROOT;
    } else if (certain) {
        ray.t = t + 0.9 * (leave - t);
        ray.mode = ROOT;
    } else {
        ray.t = leave;
        ray.mode = EXIT;
    }
    return EVALUATE;
}

// Go on from t, where the field is f within `error` (no number: not known), until the field must be looked at.
NI_CALL int walk(RayState& ray, const Grid& grid, double t, double f, double error, bool any_hit)
{
    const int resolution = grid.resolution;
    const double size = 2.0 / resolution, nudge = NUDGE / ray.speed;
    while (t <= ray.end) {
        double place[3];
        int cell[3];
#pragma unroll
        for (int axis = 0; axis < 3; ++axis) {
            place[axis] = ray.origin[axis] + t * ray.direction[axis];
            cell[axis] = cell_of(place[axis], resolution);
        }
        const int64_t index = ((int64_t)cell[0] * resolution + cell[1]) * resolution + cell[2];
        const int reach = grid.distance.get()[index];
        if (reach > 0) {
            t = leave_cube(ray, t, cell, reach - 1, size) + nudge;
            f = no_number();
            continue;
        }
        const int row = grid.cell.get()[index];
        const double leave = fmin(leave_cube(ray, t, cell, 0, size), ray.end);
        double offset_in[3], offset_out[3], span_in[2], span_out[2];
#pragma unroll
        for (int axis = 0; axis < 3; ++axis) {
            const double centre = size * (cell[axis] + 0.5) - 1.0;
            offset_in[axis] = place[axis] - centre;
            offset_out[axis] = ray.origin[axis] + leave * ray.direction[axis] - centre;
        }
        span_at(grid, row, offset_in, span_in[0], span_in[1]);
        span_at(grid, row, offset_out, span_out[0], span_out[1]);
        const float known = span_in[0] > 0.0 && span_out[0] > 0.0   ? 1.0f
                            : span_in[1] < 0.0 && span_out[1] < 0.0 ? -1.0f
                                                                    : 0.0f;
        if (known == 0.0f) {
            if (ray.sign == 0.0f) {
                ray.t = t;
                ray.mode = FIRST;
                return EVALUATE;
            }
            const int outcome = look_inside(ray, grid, row, t, leave, f, error, span_in, span_out, any_hit);
            if (outcome != LEAVE_CELL) return outcome;
        } else if (ray.sign == 0.0f) {
            ray.sign = known;
        } else if (ray.sign != known) {  // the ray came by a crossing at the border, or by one that the grid denies
            ray.b = t;
            ray.value_a = ray.sign;
            ray.value_b = known;
            ray.t = 0.5 * (ray.a + t);
            ray.mode = BRACKET;
            ray.count = 0;
            return any_hit ? HIT : EVALUATE;
        }
        ray.a = leave;
        ray.value_a = no_number();
        t = leave + nudge;
        f = no_number();
    }
    return MISS;
}

// Whether the way from a to t, where the field is f, has no crossing but the one that the signs show.
NI bool way_is_free(const RayState& ray, double f, double error, bool same)
{
    const double ahead = fmax(fabs(ray.value_a) - ray.error_a, 0.0) / ray.low;
    const double way = ray.t - ray.a;
    if (way <= fmax(ahead, 1.01 * shortest_step(ray))) return true;
    const double size = fmax(fabs(f) - error, 0.0);
    if (same) return way <= ahead + size / ray.high;
    return way - ahead - size / ray.low <= NARROW / ray.speed;
}

// Look at the end of the part of the way to t that is free for sure.
NI void step_back(RayState& ray)
{
    const double safe = fmax(fabs(ray.value_a) - ray.error_a, 0.0) / ray.low;
    ray.t = fmin(ray.a + fmax(safe, shortest_step(ray)), ray.end);
}
