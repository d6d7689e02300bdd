// Values and gradients at many points, 32 at a time: for meshing, for the step grid, and for measuring the matrix unit.
//
// Reference: engine/network/field.py. Test: tests/cuda/test_device_functions.py.
#pragma once

#include "march_warp.cuh"

// The nearest place of the box to point number `point`, and how far away it is.
NI float load_point(const EvaluateArguments& args, int point, float nearest[3])
{
    const float* place = args.points.get() + 3 * (int64_t)point;
    const float there[3] = {place[0], place[1], place[2]};
    return to_box(there, nearest);
}

// Evaluate the points `first` to `first + 31` in full precision.
NI void evaluate_warp(const EvaluateArguments& args, const WarpMemory& memory, int first)
{
    NI_EACH_LANE(lane)
    {
        const int point = first + lane;
        if (point >= args.count) continue;
        float place[3], result[4];
        const float away = load_point(args, point, place);
        if (args.gradients.address != 0) {
            evaluate_network<4>(args.network, memory.weights, place, memory.scratch + lane, NI_LANES, result);
            for (int axis = 0; axis < 3; ++axis) args.gradients.get()[3 * (int64_t)point + axis] = result[1 + axis];
        } else {
            evaluate_network<1>(args.network, memory.weights, place, memory.scratch + lane, NI_LANES, result);
        }
        args.values.get()[point] = args.extend ? result[0] + away : result[0];
    }
    NI_SYNC_WARP();
}

// Evaluate the points `first` to `first + 31` on the matrix unit, which all lanes work together at.
template <int WIDTH>
NI void evaluate_half_warp(const EvaluateArguments& args, const WarpMemory& memory, int first)
{
    PerLane<float> x, y, z, away;
    NI_EACH_LANE(lane)
    {
        float nearest[3];
        away[lane] = load_point(args, first + lane < args.count ? first + lane : args.count - 1, nearest);
        x[lane] = nearest[0];
        y[lane] = nearest[1];
        z[lane] = nearest[2];
    }
    const PerLane<float> values = evaluate_half<WIDTH>(args.network, memory.fragments, memory.biases, memory.scratch, x, y, z);
    NI_EACH_LANE(lane)
    {
        if (first + lane < args.count)
            args.values.get()[first + lane] = args.extend ? values[lane] + away[lane] : values[lane];
    }
    NI_SYNC_WARP();
}
