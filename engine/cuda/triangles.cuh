// Ray casts against native triangles: a tree over each geometry's triangles under a tree over instances.
//
// Rays go to object space in double precision; triangles are met in double precision too, by the sign of the volumes
// that the ray spans with each edge, computed the same way from both sides of an edge, so that no ray slips through
// between two triangles [Woop 2013, in spirit]. Boxes are float32, padded outward by the host.
// Reference: engine/rendering/native_geometry.py. Test: tests/cuda/test_triangles.py.
//
// [Woop 2013] S. Woop et al., "Watertight Ray/Triangle Intersection", JCGT 2(1), 2013.
#pragma once

#include "instances.cuh"

struct TriangleHit {
    double t;
    int face;
    float first, second;  // weights of the first and second corner
};

NI double edge_volume(const double a[3], const double b[3], const double d[3])
{
    return d[0] * (a[1] * b[2] - a[2] * b[1]) + d[1] * (a[2] * b[0] - a[0] * b[2]) + d[2] * (a[0] * b[1] - a[1] * b[0]);
}

// Meet one triangle; corners (3, 3). Gives whether it is hit in [low, high], both inclusive.
NI bool meet_triangle(const float* corners, const double o[3], const double d[3], double low, double high, TriangleHit& hit)
{
    double a[3], b[3], c[3];
#pragma unroll
    for (int axis = 0; axis < 3; ++axis) {
        a[axis] = (double)corners[axis] - o[axis];
        b[axis] = (double)corners[3 + axis] - o[axis];
        c[axis] = (double)corners[6 + axis] - o[axis];
    }
    const double u = edge_volume(b, c, d), v = edge_volume(c, a, d), w = edge_volume(a, b, d);
    if ((u < 0.0 || v < 0.0 || w < 0.0) && (u > 0.0 || v > 0.0 || w > 0.0)) return false;
    const double sum = u + v + w;
    if (sum == 0.0) return false;
    double e[3], f[3];
#pragma unroll
    for (int axis = 0; axis < 3; ++axis) {
        e[axis] = b[axis] - a[axis];
        f[axis] = c[axis] - a[axis];
    }
    const double normal[3] = {e[1] * f[2] - e[2] * f[1], e[2] * f[0] - e[0] * f[2], e[0] * f[1] - e[1] * f[0]};
    const double slope = normal[0] * d[0] + normal[1] * d[1] + normal[2] * d[2];
    if (slope == 0.0) return false;
    const double t = (normal[0] * a[0] + normal[1] * a[1] + normal[2] * a[2]) / slope;
    if (!(t >= low && t <= high)) return false;
    hit.t = t;
    hit.first = (float)(u / sum);
    hit.second = (float)(v / sum);
    return true;
}

NI bool meets_node(const TriangleNode& node, const double o[3], const double d[3], double low, double high)
{
    const double box[6] = {node.low[0], node.low[1], node.low[2], node.high[0], node.high[1], node.high[2]};
    clip_box(o, d, box, low, high);
    return low <= high;
}

// The nearest triangle of one instance in [low, hit.t]; whether there is one.
NI bool cast_mesh(const MeshInstance& mesh, const double o[3], const double d[3], double low, bool any_hit, TriangleHit& hit)
{
    int stack[STACK_SIZE], top = 1;
    stack[0] = 0;
    bool found = false;
    const TriangleNode* nodes = mesh.nodes.get();
    while (top > 0) {
        const TriangleNode& node = nodes[stack[--top]];
        if (!meets_node(node, o, d, low, hit.t)) continue;
        if (node.count == 0) {
            stack[top++] = node.first;
            stack[top++] = node.first + 1;
            continue;
        }
        for (int k = node.first; k < node.first + node.count; ++k) {
            if (!meet_triangle(mesh.corners.get() + 9 * (int64_t)k, o, d, low, hit.t, hit)) continue;
            hit.face = mesh.faces.get()[k];
            found = true;
            if (any_hit) return true;
        }
    }
    return found;
}

// The nearest triangle of all instances; writes what ray number `ray` met.
NI void cast_ray(const CastArguments& args, int ray)
{
    double o[3], d[3];
    for (int axis = 0; axis < 3; ++axis) {
        o[axis] = args.rays.origins.get()[3 * (int64_t)ray + axis];
        d[axis] = args.rays.directions.get()[3 * (int64_t)ray + axis];
    }
    const double begin = args.rays.t_min.address != 0 ? args.rays.t_min.get()[ray] : 0.0;
    TriangleHit best = {args.rays.t_max.get()[ray], 0, 0.0f, 0.0f};
    int object = -1, stack[STACK_SIZE], top = args.count > 0 ? 1 : 0;
    stack[0] = 0;
    const bool any_hit = args.rays.any_hit != 0;
    while (top > 0 && !(any_hit && object >= 0)) {
        const TreeNode& node = args.nodes.get()[stack[--top]];
        double low = begin, high = best.t;
        clip_box(o, d, node.box, low, high);
        if (!(low <= high)) continue;
        if (node.members == 0) {
            stack[top++] = node.first;
            stack[top++] = node.first + 1;
            continue;
        }
        for (int place = node.first; place < node.first + node.members; ++place) {
            const int number = args.order.get()[place];
            const MeshInstance& mesh = args.meshes.get()[number];
            double start[3], toward[3];
            transform(mesh.object_from_world, o, 1.0, start);
            transform(mesh.object_from_world, d, 0.0, toward);
            low = begin;
            high = best.t;
            clip_box(start, toward, mesh.box, low, high);
            if (!(low <= high)) continue;
            if (cast_mesh(mesh, start, toward, begin, any_hit, best)) object = number;
        }
    }
    if (object >= 0) args.rays.t_max.get()[ray] = any_hit ? -1.0 : best.t;
    if (args.t_hit.address == 0) return;
    args.t_hit.get()[ray] = object >= 0 ? best.t : NI_INFINITY;
    args.object.get()[ray] = object;
    args.face.get()[ray] = best.face;
    args.barycentric.get()[2 * (int64_t)ray] = best.first;
    args.barycentric.get()[2 * (int64_t)ray + 1] = best.second;
}
