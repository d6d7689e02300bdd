// Values and gradients at many points, 32 at a time: for meshing, for the step grid, and for normals.
//
// Reference: engine/network/field.py. Test: tests/cuda/test_device_functions.py.
#pragma once

#include "march_warp.cuh"

// Evaluate the points `first` to `first + 31`.
template <int WIDTH>
NI void evaluate_warp(const EvaluateArguments& args, const WarpMemory& memory, int first)
{
    PerLane<float> x, y, z, away;
    NI_EACH_LANE(lane)
    {
        const int point = first + lane < args.count ? first + lane : args.count - 1;
        float nearest[3];
        const float* place = args.points.get() + 3 * (int64_t)point;
        const float there[3] = {place[0], place[1], place[2]};
        away[lane] = to_box(there, nearest);
        x[lane] = nearest[0];
        y[lane] = nearest[1];
        z[lane] = nearest[2];
    }
    PerLane<float> values;
    bool done = false;
    if (args.use_half && args.gradients.address == 0) {
        values = evaluate_half<WIDTH>(args.network, memory.fragments, memory.biases, memory.scratch, x, y, z);
        done = true;
    }
    NI_EACH_LANE(lane)
    {
        if (first + lane >= args.count) continue;
        const float place[3] = {x[lane], y[lane], z[lane]};
        if (args.gradients.address != 0) {
            float result[4];
            evaluate_network<4>(args.network, memory.weights, place, memory.scratch + lane, NI_LANES, result);
            values[lane] = result[0];
            for (int axis = 0; axis < 3; ++axis)
                args.gradients.get()[3 * (int64_t)(first + lane) + axis] = result[1 + axis];
        } else if (!done) {
            evaluate_network<1>(args.network, memory.weights, place, memory.scratch + lane, NI_LANES, &values[lane]);
        }
        args.values.get()[first + lane] = args.extend ? values[lane] + away[lane] : values[lane];
    }
    NI_SYNC_WARP();
}
