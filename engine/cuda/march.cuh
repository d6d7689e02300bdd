// One ray's march: a look at the field is used, and the next place to look at is given.
//
// A hit is a change of sign, closed in on in full precision. Values from the matrix unit decide only how far it is free and
// on which side of the surface a place lies, and only where they are clear of their error; else the same place is looked
// at again in full precision (`full`).
// Reference: engine/tracing/march_kernel.py. Test: tests/cuda/test_march.py.
#pragma once

#include "walk.cuh"

// Whether the next look must be in full precision.
NI bool wants_full(const RayState& ray) { return ray.full || ray.mode == ROOT || ray.mode == BRACKET; }

// Begin in [low, high]: EVALUATE at ray.t, HIT at ray.a, or MISS. Origin and direction are in place.
NI int enter(RayState& ray, const Grid& grid, double low, double high, bool any_hit)
{
    const double* d = ray.direction;
    const double length = sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
    if (!(length > 0.0 && length < NI_INFINITY)) return MISS;
#pragma unroll
    for (int axis = 0; axis < 3; ++axis) {
        if (d[axis] == 0.0) {
            ray.inverse[axis] = NI_INFINITY;
            if (!(ray.origin[axis] >= -1.0 && ray.origin[axis] <= 1.0)) return MISS;
            continue;
        }
        const double inverse = 1.0 / d[axis];
        ray.inverse[axis] = inverse;
        const double one = (-1.0 - ray.origin[axis]) * inverse, two = (1.0 - ray.origin[axis]) * inverse;
        low = fmax(low, fmin(one, two));
        high = fmin(high, fmax(one, two));
    }
    if (!(low <= high)) return MISS;
    ray.end = high;
    ray.speed = length;
    ray.nudge = NUDGE / length;
    ray.sign = 0.0f;
    ray.count = 0;
    ray.certain = 0;
    ray.full = 0;
    ray.a = low;
    ray.error_a = 0.0;
    ray.value_a = no_number();
    return walk(ray, grid, low, no_number(), 0.0, any_hit);
}

NI int next_in_bracket(RayState& ray)
{
    ray.count += 1;
    const double gap = ray.value_a - ray.value_b, way = ray.b - ray.a;
    double share = gap != 0.0 ? ray.value_a / gap : 0.5;
    if (ray.count % 4 == 0 || !(share >= 0.0 && share <= 1.0)) share = 0.5;
    const double margin = fmin(0.5, 0.25 * TOLERANCE / fmax(way * ray.speed, 1e-300));
    ray.t = ray.a + fmin(fmax(share, margin), 1.0 - margin) * way;
    return way * ray.speed <= TOLERANCE || ray.count >= MOST_REFINEMENTS ? HIT : EVALUATE;
}

// Close the bracket [a, b] with a new value at t, by the Illinois method.
NI int refine_bracket(RayState& ray, double f)
{
    const double rise = fabs(ray.value_b - ray.value_a), way = (ray.b - ray.a) * ray.speed;
    if (fabs(f) * way <= 0.3 * TOLERANCE * rise && way <= NEARLY_STRAIGHT) return HIT;
    if ((f < 0.0) == (ray.sign < 0.0f)) {
        ray.a = ray.t;
        ray.value_a = f;
        ray.value_b *= 0.5;
    } else {
        ray.b = ray.t;
        ray.value_b = f;
        ray.value_a *= 0.5;
    }
    return next_in_bracket(ray);
}

// Close in on the one crossing of a part with a value at t; MISS: the part has none. `size`: of parts, along the ray.
NI int refine_root(RayState& ray, double f, double size, bool any_hit)
{
    const double t = ray.t, low = ray.low, high = ray.high;
    if ((f < 0.0) == (ray.sign < 0.0f)) {
        ray.a = t;
    } else {
        ray.b = t;
        ray.certain = 1;
        if (any_hit) return HIT;
    }
    const double one = t - f / low, two = t - f / high;
    const double near = fmin(one, two), far = fmax(one, two);
    if (!ray.certain && near > ray.leave) return MISS;
    if (far <= ray.leave) ray.certain = 1;  // the slope is steep enough to get there
    if (fmax(near, ray.a) <= fmin(far, ray.b)) {  // it is not where a sampled bound is wrong
        ray.a = fmax(near, ray.a);
        ray.b = fmin(far, ray.b);
    }
    double steep = 0.5 * (low + high), doubt = 0.5 * (high - low);
    if (is_finite(ray.last_value) && t != ray.last_t) {
        steep = fmin(fmax((f - ray.last_value) / (t - ray.last_t), low), high);
        // it is that of the middle between both looks, and changes by all of its range in a part
        doubt *= fmin((fabs(t - ray.last_t) + fabs(f / steep)) / size, 1.0);
    }
    ray.last_t = t;
    ray.last_value = f;
    ray.count += 1;
    const double step = -f / steep;
    const double miss = fabs(step) * fmin(doubt / fabs(steep), 1.0);
    const bool close = miss * ray.speed <= 0.3 * TOLERANCE || (ray.b - ray.a) * ray.speed <= TOLERANCE ||
                       ray.count >= MOST_REFINEMENTS;
    if (!ray.certain && (close || t + step >= ray.leave)) {
        ray.t = ray.leave;
        ray.mode = EXIT;
        return EVALUATE;
    }
    double place = t + step;
    if (!(ray.a <= place && place <= ray.b)) place = 0.5 * (ray.a + ray.b);
    ray.t = place;
    return close ? HIT : EVALUATE;
}

// Use the value f at ray.t: EVALUATE at the next ray.t, HIT at ray.t, or MISS.
NI int take(RayState& ray, const Grid& grid, float seen, bool half, bool any_hit)
{
    double f = seen, error = half ? grid.half_error : grid.error;
    if (half && !(fabs(f) > CLEAR * error)) {  // also where half precision gave no number
        ray.full = 1;
        return EVALUATE;
    }
    ray.full = 0;
    if (!is_finite(f)) return MISS;
    double t = ray.t;
    const bool same = (f < 0.0) == (ray.sign < 0.0f);
    if (ray.mode == BRACKET) return refine_bracket(ray, f);
    if (ray.mode == FIRST) {
        ray.sign = f < 0.0 ? -1.0f : 1.0f;
        ray.a = t;
        ray.value_a = no_number();
        return walk(ray, grid, t, f, error, any_hit);
    }
    if (ray.mode == EXIT && !same && half) {
        ray.full = 1;  // the crossing is closed in on from here
        return EVALUATE;
    }
    if (ray.mode == ROOT || (ray.mode == EXIT && !same)) {
        ray.mode = ROOT;
        const int outcome = refine_root(ray, f, 2.0 / (grid.parts * grid.resolution * ray.speed), any_hit);
        if (outcome != MISS) return outcome;
        t = ray.leave;
        f = no_number();
    } else if (ray.mode == STEP) {
        if (!same && any_hit) return HIT;
        if (!way_is_free(ray, f, error, same)) {
            step_back(ray);
            return EVALUATE;
        }
        if (!same) {
            if (ray.a == t) ray.a = ray.last_t;  // what was thought to be free is not
            if (!is_finite(ray.value_a) || (ray.value_a < 0.0) != (ray.sign < 0.0f)) ray.value_a = -f;
            ray.b = t;
            ray.value_b = f;
            ray.mode = BRACKET;
            ray.count = 0;
            return next_in_bracket(ray);
        }
    }
    if (ray.mode != STEP) {  // a part is left
        ray.a = t;
        ray.value_a = no_number();
        t += ray.nudge;
        f = no_number();
    }
    return walk(ray, grid, t, f, error, any_hit);
}
