// A ray's way through the cells of a step grid, from one look at the field to the next.
//
// The mathematics and every decision are those of engine/tracing/cell_walk.py, which explains them.
// Reference: engine/tracing/cell_walk.py. Test: tests/cuda/test_march.py.
#pragma once

#include "part_walk.cuh"

NI int cell_of(double x, int resolution)
{
    const int k = (int)((x + 1.0) * 0.5 * resolution);
    return k < 0 ? 0 : k >= resolution ? resolution - 1 : k;
}

NI int octant_of(const double d[3]) { return (d[0] < 0.0 ? 4 : 0) + (d[1] < 0.0 ? 2 : 0) + (d[2] < 0.0 ? 1 : 0); }

// Ray parameter at the far border, along one axis, of `count` cells that begin with cell `first`.
NI double far_side(const RayState& ray, int axis, int first, int count, double size)
{
    if (ray.direction[axis] == 0.0) return NI_INFINITY;
    const int border = ray.direction[axis] > 0.0 ? first + count : first + 1 - count;
    return (size * border - 1.0 - ray.origin[axis]) * ray.inverse[axis];
}

// Go through the parts of a cell from t on; LEFT: its end, now t, is reached without a look.
NI int through_cell(RayState& ray, const Grid& grid, int row, const int cell[3], double& t, double f, double error, bool any_hit)
{
    const int parts = grid.parts, last = parts - 1, fine = parts * grid.resolution;  // S is a power of two
    const double size = 2.0 / fine;
    const uint8_t* numbers = grid.part.get() + (int64_t)row * parts * parts * parts;
    const PartRow* rows = grid.rows.get() + read_only(grid.first.get() + row) - 1;
    int place[3];  // of the part, among those of the whole domain
    double over[3];
#pragma unroll
    for (int axis = 0; axis < 3; ++axis) {
        const int within = cell_of(ray.origin[axis] + t * ray.direction[axis], fine) - parts * cell[axis];
        place[axis] = parts * cell[axis] + (within < 0 ? 0 : within > last ? last : within);
        over[axis] = far_side(ray, axis, place[axis], 1, size);
    }
    while (true) {
        const double leave = fmax(fmin(over[0], fmin(over[1], over[2])), t);
        const int number = read_only(numbers + (((place[0] & last) * parts + (place[1] & last)) * parts + (place[2] & last)));
        if (number > 0) {
            const double end = fmin(leave, ray.end);
            const Linear line = linear_in(ray, rows + number, grid.error, place, size, t, end);
            const int outcome = through_part(ray, grid, line, t, end, f, error, any_hit);
            if (outcome != LEFT) return outcome;
            ray.a = end;
            ray.value_a = no_number();
        }
        if (leave > t + ray.nudge) f = no_number();  // else t is this part's end already, as rounded
        t = leave;
        const int across = over[0] <= leave ? 0 : over[1] <= leave ? 1 : 2;
        int moved = 0;
#pragma unroll
        for (int axis = 0; axis < 3; ++axis) {
            if (axis != across) continue;
            const int before = place[axis];
            place[axis] += ray.direction[axis] > 0.0 ? 1 : -1;
            over[axis] = far_side(ray, axis, place[axis], 1, size);
            moved = before ^ place[axis];
        }
        if ((moved & ~last) != 0 || t > ray.end) return LEFT;  // in another cell
    }
}

// Go on from t, where the field is f within `error` (no number: not known), until the field must be looked at.
NI_CALL int walk(RayState& ray, const Grid& grid, double t, double f, double error, bool any_hit)
{
    const int resolution = grid.resolution;
    const int64_t octant = octant_of(ray.direction);
    const double size = 2.0 / resolution;
    while (t <= ray.end) {
        int cell[3];
#pragma unroll
        for (int axis = 0; axis < 3; ++axis)
            cell[axis] = cell_of(ray.origin[axis] + t * ray.direction[axis], resolution);
        const int64_t index = ((int64_t)cell[0] * resolution + cell[1]) * resolution + cell[2];
        const int ahead = read_only(grid.ahead.get() + octant * resolution * resolution * resolution + index);
        const int reach = ahead & MOST_AHEAD;
        if (reach > 0) {
            const float sign = ahead > MOST_AHEAD ? -1.0f : 1.0f;
            if (ray.sign == 0.0f)
                ray.sign = sign;
            else if (ray.sign != sign)
                return crossed_before(ray, t, any_hit);
            double leave = NI_INFINITY;
#pragma unroll
            for (int axis = 0; axis < 3; ++axis) leave = fmin(leave, far_side(ray, axis, cell[axis], reach, size));
            t = fmax(leave, t);
            ray.a = t;
            ray.value_a = no_number();
        } else {
            const int outcome = through_cell(ray, grid, read_only(grid.cell.get() + index), cell, t, f, error, any_hit);
            if (outcome != LEFT) return outcome;
        }
        t += ray.nudge;
        f = no_number();
    }
    return MISS;
}
