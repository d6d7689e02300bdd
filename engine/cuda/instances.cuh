// Which instances a ray may meet, one after the other, by where it enters their boxes.
//
// Nothing is kept but the last one: the tree is searched again for the next, so a ray costs no memory per instance.
// Reference: engine/rendering/instance_tree.py, engine/rendering/neural_geometry.py. Test: tests/cuda/test_frame.py.
#pragma once

#include "layouts.cuh"
#include "portable.cuh"

// The part of a ray in a box; enter > leave where it passes by.
NI void clip_box(const double origin[3], const double direction[3], const double box[6], double& enter, double& leave)
{
#pragma unroll
    for (int axis = 0; axis < 3; ++axis) {
        if (direction[axis] == 0.0) {
            if (!(box[axis] <= origin[axis] && origin[axis] <= box[axis + 3])) {
                enter = 1.0;
                leave = 0.0;
                return;
            }
            continue;
        }
        const double one = (box[axis] - origin[axis]) / direction[axis];
        const double two = (box[axis + 3] - origin[axis]) / direction[axis];
        enter = fmax(enter, fmin(one, two));
        leave = fmin(leave, fmax(one, two));
    }
}

NI void transform(const double matrix[12], const double vector[3], double w, double out[3])
{
#pragma unroll
    for (int row = 0; row < 3; ++row)
        out[row] = vector[0] * matrix[4 * row] + vector[1] * matrix[4 * row + 1] + vector[2] * matrix[4 * row + 2] +
                   w * matrix[4 * row + 3];
}

struct Span {  // where a ray is in an instance's box
    double enter, leave;
    int number;
};

NI bool comes_later(double enter, int number, const Span& than)
{
    return enter > than.enter || (enter == than.enter && number > than.number);
}

// Find the first span after `last` on [0, t_max]; number -1: there is none.
NI_CALL Span next_span(const Instances& scene, const double origin[3], const double direction[3], double t_max, Span last)
{
    int stack[STACK_SIZE], top = 1;
    stack[0] = 0;
    Span best = {NI_INFINITY, 0.0, -1};
    const TreeNode* nodes = scene.nodes.get();
    while (top > 0) {
        const TreeNode& node = nodes[stack[--top]];
        double enter = 0.0, leave = fmin(t_max, best.enter);
        clip_box(origin, direction, node.box, enter, leave);
        if (!(enter <= leave)) continue;
        if (node.members == 0) {
            stack[top++] = node.first;
            stack[top++] = node.first + 1;
            continue;
        }
        for (int place = node.first; place < node.first + node.members; ++place) {
            const int number = scene.order.get()[place];
            const Instance& instance = scene.instances.get()[number];
            if (instance.network != scene.network) continue;
            double start[3], toward[3];
            transform(instance.unit_from_world, origin, 1.0, start);
            transform(instance.unit_from_world, direction, 0.0, toward);
            enter = 0.0;
            leave = t_max;
            clip_box(start, toward, instance.box, enter, leave);
            if (!(enter < leave) || !comes_later(enter, number, last)) continue;
            if (best.number < 0 || enter < best.enter || (enter == best.enter && number < best.number)) {
                best.enter = enter;
                best.leave = leave;
                best.number = number;
            }
        }
    }
    return best;
}
