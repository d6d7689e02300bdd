// Blender's lights, sampled. Reference: engine/rendering/lights.py. Test: tests/cuda/test_frame.py.
#pragma once

#include "materials.cuh"

#define SMALLEST_DISTANCE 1e-6

NI void sample_sun(const Light& light, const float square[2], double direction[3], double& distance, float brought[3])
{
    float at[2];
    to_disk(square, at);
    for (int axis = 0; axis < 3; ++axis) {
        direction[axis] =
            light.facing[axis] + light.radius * at[0] * light.x[axis] + light.radius * at[1] * light.y[axis];
        brought[axis] = (float)light.power[axis];
    }
    normalize3(direction);
    distance = NI_INFINITY;
}

NI double turn_to(double direction[3])
{
    const double distance = fmax(sqrt(dot3(direction, direction)), SMALLEST_DISTANCE);
    for (int axis = 0; axis < 3; ++axis) direction[axis] /= distance;
    return distance;
}

NI double spot_falloff(const Light& light, const double direction[3])
{
    double local[3];
    for (int row = 0; row < 3; ++row) local[row] = dot3(light.light_from_world + 3 * row, direction);
    normalize3(local);
    const double inside = fmin(fmax((local[2] - light.edge) / light.smooth, 0.0), 1.0);
    return inside * inside * (3.0 - 2.0 * inside);
}

NI void sample_point(const Light& light, const double point[3], const float square[2], double direction[3],
                     double& distance, float brought[3])
{
    double facing[3], tangent[3], bitangent[3];
    float at[2];
    for (int axis = 0; axis < 3; ++axis) facing[axis] = point[axis] - light.center[axis];
    normalize3(facing);
    basis3(facing, tangent, bitangent);
    to_disk(square, at);
    for (int axis = 0; axis < 3; ++axis)
        direction[axis] = light.center[axis] + light.radius * at[0] * tangent[axis] +
                          light.radius * at[1] * bitangent[axis] - point[axis];
    distance = turn_to(direction);
    double share = fmax(-dot3(facing, direction), 0.0) / (distance * distance);
    if (light.type == SPOT_LIGHT) share *= spot_falloff(light, direction);
    for (int axis = 0; axis < 3; ++axis) brought[axis] = (float)(share * light.power[axis]);
}

NI void sample_area(const Light& light, const double point[3], const float square[2], double direction[3],
                    double& distance, float brought[3])
{
    double at[2], share = 1.0;
    if (light.spreads_all) {
        float place[2] = {2.0f * square[0] - 1.0f, 2.0f * square[1] - 1.0f};
        if (light.is_round) to_disk(square, place);
        at[0] = place[0];
        at[1] = place[1];
    } else {
        double offset[3];
        for (int axis = 0; axis < 3; ++axis) offset[axis] = point[axis] - light.center[axis];
        const double ahead = fmax(dot3(offset, light.facing), 0.0) * light.spread_tangent;
        for (int k = 0; k < 2; ++k) {
            double foot = 0.0;
            for (int axis = 0; axis < 3; ++axis) foot += offset[axis] * light.duals[2 * axis + k];
            const double reach = ahead * light.dual_norms[k];
            const double low = fmin(fmax(foot - reach, -1.0), 1.0), high = fmin(fmax(foot + reach, -1.0), 1.0);
            at[k] = low + (high - low) * square[k];
            share *= (high - low) / 2.0;
        }
        if (light.is_round) share *= at[0] * at[0] + at[1] * at[1] <= 1.0 ? 4.0 / PI : 0.0;
    }
    for (int axis = 0; axis < 3; ++axis)
        direction[axis] = light.center[axis] + at[0] * light.x[axis] + at[1] * light.y[axis] - point[axis];
    distance = turn_to(direction);
    const double cosine = fmax(-dot3(direction, light.facing), 0.0);
    double passes = 1.0;
    if (!light.spreads_all) {
        const double sine = sqrt(fmax(1.0 - cosine * cosine, 0.0));
        passes = light.spread_gain * fmax(1.0 - sine / fmax(cosine, 1e-9) / light.spread_tangent, 0.0);
    }
    const double all = share * cosine * passes / (distance * distance);
    for (int axis = 0; axis < 3; ++axis) brought[axis] = (float)(all * light.power[axis]);
}

NI void sample_light(const Light& light, const double point[3], const float square[2], double direction[3],
                     double& distance, float brought[3])
{
    if (light.type == SUN_LIGHT) sample_sun(light, square, direction, distance, brought);
    else if (light.type == AREA_LIGHT) sample_area(light, point, square, direction, distance, brought);
    else sample_point(light, point, square, direction, distance, brought);
}
