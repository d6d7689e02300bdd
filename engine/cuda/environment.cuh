// A picture of the surroundings as a light. Reference: engine/rendering/environment.py. Test: tests/cuda/test_whole_pictures.py.
#pragma once

#include "frame_layouts.cuh"
#include "sampling.cuh"
#include "vectors.cuh"

// Where a unit direction is in the picture, 0 to 1 from its lower left corner.
NI void place_in_picture(const Environment& environment, const double direction[3], double& u, double& v)
{
    double local[3];
    for (int row = 0; row < 3; ++row) local[row] = dot3(environment.from_world + 3 * row, direction);
    normalize3(local);
    u = 0.5 - atan2(local[1], local[0]) / (2.0 * PI);
    v = asin(fmin(fmax(local[2], -1.0), 1.0)) / PI + 0.5;
}

NI_CALL void look_up_environment(const Environment& environment, const double direction[3], float light[3])
{
    double u, v;
    place_in_picture(environment, direction, u, v);
    const int width = environment.width, height = environment.height;
    const double x = u * width - 0.5, y = fmin(fmax(v * height - 0.5, 0.0), height - 1.0);
    const int column = (int)floor(x), most = height > 2 ? height - 2 : 0, row = (int)y < most ? (int)y : most;
    const double fx = x - column, fy = y - row;
    const int64_t left = (column + width) % width, right = (column + 1 + width) % width;
    const int64_t below = (int64_t)row * width, above = (int64_t)(row + 1 < height ? row + 1 : row) * width;
    const float* picture = environment.picture.get();
    for (int c = 0; c < 3; ++c) {
        const double low = picture[3 * (below + left) + c] * (1.0 - fx) + picture[3 * (below + right) + c] * fx;
        const double high = picture[3 * (above + left) + c] * (1.0 - fx) + picture[3 * (above + right) + c] * fx;
        light[c] = (float)(low * (1.0 - fy) + high * fy);
    }
}

// The light that comes from a unit direction.
NI void surroundings(const Frame& frame, const double direction[3], float light[3])
{
    light[0] = light[1] = light[2] = 1.0f;
    if (frame.environment.picture.address != 0) look_up_environment(frame.environment, direction, light);
    for (int c = 0; c < 3; ++c) light[c] *= frame.world_color[c];
}

// The last of `count` rising numbers that is not above `value`; 0 where all are.
NI int last_not_above(const double* numbers, int count, double value)
{
    int low = 0, high = count;  // numbers[low] is not above it, numbers[high] is
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (numbers[middle] <= value) low = middle;
        else high = middle;
    }
    return low;
}

NI double part_density(const Environment& environment, int row, int column)
{
    const double* edges = environment.edges.get();
    const double solid_angle = (edges[row + 1] - edges[row]) * 2.0 * PI / environment.columns;
    return environment.shares.get()[row * environment.columns + column] / solid_angle;
}

// Choose a direction by brightness; gives its density per steradian.
NI_CALL double sample_environment(const Environment& environment, const float square[2], double direction[3])
{
    const int rows = environment.rows, columns = environment.columns;
    int row = last_not_above(environment.up.get(), rows + 1, square[1]);
    row = row < rows - 1 ? row : rows - 1;
    const double* up = environment.up.get() + row;
    const double* across = environment.across.get() + row * (columns + 1);
    const double place = row + (double)square[0];
    int column = last_not_above(across, columns + 1, place);
    column = column < columns - 1 ? column : columns - 1;
    const double height = fmin(fmax((square[1] - up[0]) / (up[1] - up[0]), 0.0), 1.0);
    const double wide = fmax(across[column + 1] - across[column], 1e-12);
    const double within = fmin(fmax((place - across[column]) / wide, 0.0), 1.0);
    const double* edges = environment.edges.get() + row;
    const double z = edges[0] + (edges[1] - edges[0]) * height, out = sqrt(fmax(1.0 - z * z, 0.0));
    const double angle = PI * (1.0 - 2.0 * (column + within) / columns);
    const double local[3] = {out * cos(angle), out * sin(angle), z};
    for (int axis = 0; axis < 3; ++axis) direction[axis] = dot3(environment.world_from + 3 * axis, local);
    normalize3(direction);
    return part_density(environment, row, column);
}

// The density with which `sample_environment` chooses a unit direction.
NI double environment_density(const Environment& environment, const double direction[3])
{
    double u, v;
    place_in_picture(environment, direction, u, v);
    const int row = (int)(v * environment.rows), column = (int)(u * environment.columns);
    return part_density(environment, row < environment.rows ? row : environment.rows - 1,
                        column < environment.columns ? column : environment.columns - 1);
}
