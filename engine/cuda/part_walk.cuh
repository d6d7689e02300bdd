// What a ray does in a part of a cell that the surface may reach: leave it, or look at the field, and where.
//
// The mathematics and every decision are those of engine/tracing/part_walk.py, which explains them; here a look may also come
// from the matrix unit, whose error is larger, so each value is kept with the error that it may have.
// Reference: engine/tracing/part_walk.py. Test: tests/cuda/test_march.py.
#pragma once

#include "layouts.cuh"
#include "portable.cuh"

enum Mode { FIRST, STEP, EXIT, ROOT, BRACKET };
enum Outcome { EVALUATE, HIT, MISS, LEFT };

#define TOLERANCE 1e-6
#define NUDGE 1e-7
#define SHORTEST_STEP 2e-5
#define PATIENCE 50.0
#define NARROW 5e-5
#define NEARLY_STRAIGHT 2e-4
#define MOST_SLANTED 0.25
#define FLATTEST 1e-30
#define ALMOST 0.8
#define CAUTION_AT_FIRST 0.2
#define CAUTION 0.05
#define MOST_REFINEMENTS 40
#define MOST_AHEAD 127
#define UNKNOWN 1e29
#define CLEAR 2.0  // a value of the matrix unit is used where it is so many times its error

struct RayState {
    double t, end, speed, nudge, a, b, value_a, value_b, low, high, last_t, last_value, leave, room, error_a;
    double origin[3], direction[3], inverse[3];
    float sign;
    int mode, count, certain;
    int full;  // the matrix unit's value was, or is expected to be, too coarse: look in full precision
};

NI double shortest_step(const RayState& ray) { return SHORTEST_STEP * (1.0 + ray.count / PATIENCE) / ray.speed; }

// The ray came by a crossing at a border, or by one that the grid denies: at t the sign is another.
NI int crossed_before(RayState& ray, double t, bool any_hit)
{
    ray.b = t;
    ray.value_a = ray.value_b = no_number();
    ray.t = 0.5 * (ray.a + t);
    ray.mode = BRACKET;
    ray.count = 0;
    return any_hit ? HIT : EVALUATE;
}

// A part's linear function along the ray, and how far the field and its slope may be from it.
struct Linear {
    double here, there, slope, spread, swing_in, swing_out;
    float steep;  // of the function, in whatever direction
};

// By two loads of 16 bytes.
NI PartRow read_row(const PartRow* row)
{
#ifdef __CUDA_ARCH__
    const float4 one = __ldg((const float4*)row), two = __ldg((const float4*)row + 1);
    return PartRow{one.x, {one.y, one.z, one.w}, {two.x, two.y, two.z}, two.w};
#else
    return *row;
#endif
}

NI Linear linear_in(const RayState& ray, const PartRow* row, double error, const int place[3], double size, double t, double leave)
{
    const PartRow part = read_row(row);
    Linear line = {part.value, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0f};
#pragma unroll
    for (int axis = 0; axis < 3; ++axis) {
        const double centre = size * (place[axis] + 0.5) - 1.0, toward = ray.direction[axis];
        const double offset = ray.origin[axis] + t * toward - centre;
        const double one = part.slope[axis], other = part.spread[axis];
        line.here += one * offset;
        line.slope += one * toward;
        line.spread += other * fabs(toward);
        line.swing_in += other * fabs(offset);
        line.swing_out += other * fabs(offset + (leave - t) * toward);
        line.steep += part.slope[axis] * part.slope[axis];
    }
    line.steep = sqrtf(line.steep);
    line.there = line.here + (leave - t) * line.slope;
    if (part.rest < (float)UNKNOWN) line.swing_in = line.swing_out = part.rest;
    line.swing_in += 2.0 * error;  // twice: the value at the centre is off by as much as one at the place
    line.swing_out += 2.0 * error;
    return line;
}

// Whether the matrix unit would not tell the sign of a value that is about so large.
NI bool is_coarse(const Grid& grid, double value) { return fabs(value) <= CLEAR * grid.half_error; }

// Look where the way is expected to prove free, seen from both its ends. `line` is of the field's size.
NI int step_in_part(RayState& ray, const Grid& grid, const Linear& line, double t, double leave, double f, double error)
{
    const double inward = line.spread - line.slope, outward = fmax(line.spread + line.slope, FLATTEST);
    const double slanted = fabs(line.slope) / fmax(ray.speed * line.steep, FLATTEST);
    ray.room = NARROW / (ray.speed * fmin(fmax(slanted, MOST_SLANTED), 1.0));
    ray.mode = STEP;
    ray.last_value = no_number();
    ray.low = inward;
    ray.high = outward;
    ray.leave = leave;
    ray.last_t = t;
    if (!is_finite(f)) {
        double begin = t;
        const double low_in = line.here - line.swing_in, low_out = line.there - line.swing_out;
        if (low_in > 0.0) begin = t + (leave - t) * low_in / (low_in - low_out);
        ray.a = begin;
        ray.value_a = no_number();
        double place = begin + (leave - begin) * inward / (inward + outward);
        if (line.here + (place - t) * line.slope <= (place - begin) * outward) {
            const double gap = line.here + (begin - t) * line.slope;
            place = fmin(begin + fmax((1.0 - CAUTION_AT_FIRST) * gap, 0.0) / (outward - line.slope), leave);
        }
        ray.t = place;
        ray.full = is_coarse(grid, line.here + (place - t) * line.slope);
        return EVALUATE;
    }
    const double size = fmax(fabs(f) - error, 0.0), safe = size / inward;
    if (t + safe >= leave) return LEFT;
    double growth = line.slope;
    if (is_finite(ray.value_a) && t > ray.a) growth = (fabs(f) - fabs(ray.value_a)) / (t - ray.a);
    growth = fmin(fmax(growth - CAUTION * (inward + outward), -inward), 0.9 * outward);
    ray.a = t;
    ray.value_a = f;
    ray.error_a = error;
    ray.count += 1;
    const double shortest = shortest_step(ray);
    double ahead;
    if (growth < 0.0 && fabs(f) <= -growth * (safe + ALMOST * ray.room))
        ahead = safe + ray.room;  // beyond the crossing, but not far
    else
        ahead = size * (1.0 / inward + 1.0 / outward) / (1.0 - growth / outward);
    ray.t = fmin(t + fmax(fmax(ahead, safe), shortest), fmax(leave, t + shortest));
    ray.full = is_coarse(grid, fabs(f) + growth * (ray.t - t));
    return ray.t <= ray.end ? EVALUATE : MISS;
}

// What to do in a part between t and `leave`; LEFT: go on without a look.
NI int through_part(RayState& ray, const Grid& grid, Linear line, double t, double leave, double f, double error, bool any_hit)
{
    const float known = line.here > line.swing_in && line.there > line.swing_out     ? 1.0f
                        : line.here < -line.swing_in && line.there < -line.swing_out ? -1.0f
                                                                                     : 0.0f;
    if (known != 0.0f) {
        if (ray.sign == 0.0f) ray.sign = known;
        return ray.sign == known ? LEFT : crossed_before(ray, t, any_hit);
    }
    if (ray.sign == 0.0f) {
        ray.t = t;
        ray.mode = FIRST;
        return EVALUATE;
    }
    const double low = line.slope - line.spread, high = line.slope + line.spread;
    const double here = is_finite(f) ? f : line.here, slope = line.slope;
    line.here *= ray.sign;  // from here on of the field's size
    line.there *= ray.sign;
    line.slope *= ray.sign;
    if (line.slope >= line.spread) return LEFT;  // away from the surface
    const bool certain = line.there < -line.swing_out;
    if (certain && any_hit) return HIT;
    if (line.slope >= -line.spread) return step_in_part(ray, grid, line, t, leave, f, error);
    if (line.there > line.swing_out) return LEFT;  // the slope has one sign, and the field the same one as before
    ray.a = t;
    ray.b = ray.leave = leave;
    ray.certain = certain;
    ray.low = low;
    ray.high = high;
    ray.last_value = no_number();
    ray.count = 0;
    const double place = t - here / slope;
    if (place < leave) {
        ray.t = fmax(place, t);
        ray.mode = ROOT;
    } else if (certain) {
        ray.t = t + 0.9 * (leave - t);
        ray.mode = ROOT;
    } else {
        ray.t = leave;
        ray.mode = EXIT;
        ray.full = is_coarse(grid, line.there);
    }
    return EVALUATE;
}

// How far the way from a is free for what is seen there.
NI double free_from_a(const RayState& ray)
{
    return is_finite(ray.value_a) ? fmax(fabs(ray.value_a) - ray.error_a, 0.0) / ray.low : 0.0;
}

// Whether the way from a to t, where the field is f, has no crossing but the one that the signs show.
NI bool way_is_free(const RayState& ray, double f, double error, bool same)
{
    const double ahead = free_from_a(ray), way = ray.t - ray.a;
    if (way <= fmax(ahead, 1.01 * shortest_step(ray))) return true;
    const double size = fmax(fabs(f) - error, 0.0);
    if (same) return way <= ahead + size / ray.high;
    return way - ahead - size / ray.low <= 1.001 * ray.room;
}

// Look at the end of the part of the way to t that is free for sure; at a itself where nothing is known there.
NI void step_back(RayState& ray)
{
    if (!is_finite(ray.value_a)) {
        ray.t = ray.a;
        return;
    }
    ray.t = fmin(ray.a + fmax(free_from_a(ray), shortest_step(ray)), ray.end);
}
