// The fused march of one warp: persistent lanes that take rays from a queue until it is empty.
//
// A lane holds one ray on its way, first through the boxes of instances, then through the cells of a network's grid. In
// each turn lanes get the value that they wait for, and go on until they need the next; a lane whose ray is done takes
// the next ray from the queue at once, so finished rays hold no place. There are two kinds of turns: the matrix unit's,
// cheaper, for lanes on their way, and full precision for lanes that close in on a crossing. Which one a look is depends on
// its ray alone, so that a picture does not depend on its tiles; the kind that more lanes wait for comes next.
// Reference: engine/tracing/march_kernel.py, engine/rendering/neural_geometry.py. Test: tests/cuda/test_march.py.
#pragma once

#include "half_network.cuh"
#include "instances.cuh"
#include "march.cuh"

struct Lane {
    RayState state;
    double origin[3], direction[3];  // world space
    double best;                     // the nearest hit so far, or the ray's end
    Span span;
    int ray, found, busy;
};

struct WarpMemory {
    const float* weights;
    const uint32_t* fragments;
    const float* biases;
    float* scratch;  // stride 32
};

NI void finish(const MarchArguments& args, Lane& lane, double t)
{
    lane.busy = 0;
    if (args.instances.count == 0) {
        args.t_hit.get()[lane.ray] = t;
        return;
    }
    if (lane.found < 0) return;
    if (args.t_hit.address != 0) args.t_hit.get()[lane.ray] = lane.best;
    args.rays.t_max.get()[lane.ray] = args.rays.any_hit ? -1.0 : lane.best;
    if (args.object.address != 0) args.object.get()[lane.ray] = lane.found;
}

// Go on to instances until one must be looked at; false: the ray is done.
NI_CALL bool next_instance(const MarchArguments& args, Lane& lane)
{
    while (true) {
        lane.span = next_span(args.instances, lane.origin, lane.direction, lane.best, lane.span);
        if (lane.span.number < 0 || !(lane.span.enter < lane.best)) return false;
        const Instance& instance = args.instances.instances.get()[lane.span.number];
        transform(instance.unit_from_world, lane.origin, 1.0, lane.state.origin);
        transform(instance.unit_from_world, lane.direction, 0.0, lane.state.direction);
        for (int axis = 0; axis < 3; ++axis) lane.state.origin[axis] += lane.span.enter * lane.state.direction[axis];
        const double length = fmin(lane.span.leave, lane.best) - lane.span.enter;
        const int outcome = enter(lane.state, args.grid, 0.0, length, args.rays.any_hit != 0);
        if (outcome == EVALUATE) return true;
        if (outcome == HIT) {
            lane.found = lane.span.number;
            lane.best = lane.span.enter + lane.state.a;
            if (args.rays.any_hit) return false;
        }
    }
}

// Take ray number `ray`; the lane is busy afterwards where its ray needs a look.
NI_CALL void take_ray(const MarchArguments& args, Lane& lane, int ray)
{
    lane.ray = ray;
    lane.found = -1;
    const double end = args.rays.t_max.get()[ray];
    const double begin = args.rays.t_min.address != 0 ? args.rays.t_min.get()[ray] : 0.0;
    for (int axis = 0; axis < 3; ++axis) {
        lane.origin[axis] = args.rays.origins.get()[3 * (int64_t)ray + axis];
        lane.direction[axis] = args.rays.directions.get()[3 * (int64_t)ray + axis];
    }
    lane.busy = 1;
    if (args.instances.count > 0) {
        lane.best = end;
        const Span none = {-1.0, 0.0, -1};
        lane.span = none;
        if (!(end >= 0.0) || !next_instance(args, lane)) finish(args, lane, NI_INFINITY);
        return;
    }
    for (int axis = 0; axis < 3; ++axis) {
        lane.state.origin[axis] = lane.origin[axis];
        lane.state.direction[axis] = lane.direction[axis];
    }
    const int outcome = enter(lane.state, args.grid, begin, end, args.rays.any_hit != 0);
    if (outcome != EVALUATE) finish(args, lane, outcome == HIT ? lane.state.a : NI_INFINITY);
}

// Use a value; the lane is done where its ray is.
NI_CALL void use_value(const MarchArguments& args, Lane& lane, float value, bool half)
{
    const int outcome = take(lane.state, args.grid, value, half, args.rays.any_hit != 0);
    if (outcome == EVALUATE) return;
    if (args.instances.count == 0) {
        finish(args, lane, outcome == HIT ? lane.state.t : NI_INFINITY);
        return;
    }
    if (outcome == HIT) {
        const double t = lane.span.enter + lane.state.t;
        if (t < lane.best || args.rays.any_hit) {
            lane.best = t;
            lane.found = lane.span.number;
        }
        if (args.rays.any_hit) {
            finish(args, lane, t);
            return;
        }
    }
    if (!next_instance(args, lane)) finish(args, lane, NI_INFINITY);
}

NI float place_to_look(const RayState& state, int axis)
{
    return (float)fmin(fmax(state.origin[axis] + state.t * state.direction[axis], -1.0), 1.0);
}

template <int WIDTH>
NI void march_warp(const MarchArguments& args, const WarpMemory& memory)
{
    PerLane<Lane> lanes;
    PerLane<int> idle, full, half;
    NI_EACH_LANE(lane) { lanes[lane].busy = 0; }
    uint64_t num_full = 0, num_half = 0, num_rays = 0;
    bool rays_left = true;
    while (true) {
        while (rays_left) {
            NI_EACH_LANE(lane) { idle[lane] = !lanes[lane].busy; }
            if (vote(idle) == 0) break;
            const PerLane<int> place = reserve(args.queue.get(), idle);
            NI_EACH_LANE(lane)
            {
                idle[lane] = idle[lane] && place[lane] < args.rays.count;
                if (idle[lane]) take_ray(args, lanes[lane], place[lane]);
            }
            const uint32_t taken = vote(idle);
            num_rays += count_bits(taken);
            rays_left = taken != 0;
        }
        NI_EACH_LANE(lane)
        {
            const bool exact = !args.use_half || wants_full(lanes[lane].state);
            full[lane] = lanes[lane].busy && exact;
            half[lane] = lanes[lane].busy && !exact;
        }
        const uint32_t wait_full = vote(full), wait_half = vote(half);
        if ((wait_full | wait_half) == 0) break;
        if (count_bits(wait_full) >= count_bits(wait_half)) {
            num_full += count_bits(wait_full);
            NI_EACH_LANE(lane)
            {
                if (!full[lane]) continue;
                float point[3], value;
                for (int axis = 0; axis < 3; ++axis) point[axis] = place_to_look(lanes[lane].state, axis);
                evaluate_network<1>(args.network, memory.weights, point, memory.scratch + lane, NI_LANES, &value);
                use_value(args, lanes[lane], value, false);
            }
            NI_SYNC_WARP();
            continue;
        }
        num_half += count_bits(wait_half);
        PerLane<float> x, y, z;
        NI_EACH_LANE(lane)
        {
            x[lane] = half[lane] ? place_to_look(lanes[lane].state, 0) : 0.0f;
            y[lane] = half[lane] ? place_to_look(lanes[lane].state, 1) : 0.0f;
            z[lane] = half[lane] ? place_to_look(lanes[lane].state, 2) : 0.0f;
        }
        const PerLane<float> values = evaluate_half<WIDTH>(args.network, memory.fragments, memory.biases, memory.scratch, x, y, z);
        NI_EACH_LANE(lane)
        {
            if (half[lane]) use_value(args, lanes[lane], values[lane], true);
        }
        NI_SYNC_WARP();
    }
    if (args.counts.address != 0) {
        NI_EACH_LANE(lane)
        {
            if (lane != 0) continue;
#ifdef __CUDA_ARCH__
            unsigned long long* counts = (unsigned long long*)args.counts.get();
            atomicAdd(counts, (unsigned long long)num_full);
            atomicAdd(counts + 1, (unsigned long long)num_half);
            atomicAdd(counts + 2, (unsigned long long)num_rays);
#else
            args.counts.get()[0] += num_full;
            args.counts.get()[1] += num_half;
            args.counts.get()[2] += num_rays;
#endif
        }
    }
}
