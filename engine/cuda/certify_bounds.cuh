// Proven bounds on a network's value and gradient in small cells, from the expansions of certify.cuh: the passes back.
//
// The mathematics is that of engine/tracing/certified_bounds.py, which explains and proves it.
// Reference: engine/tracing/certified_bounds.py. Test: tests/cuda/test_certify.py.
#pragma once

#include "certify.cuh"

struct CellBounds {
    float value, radius, error;
    float gradient[3], spread[3];  // at the centre, and by how much it may differ in the cell
};

// out (COUNT,) += matrix (rows, columns)[:, first:].T * x (rows,), TILE_ROWS of them at once; SIZES: of magnitudes.
template <bool SIZES>
NI void multiply_back(const float* matrix, int rows, int columns, const Column& x, const Column& out, int count)
{
    for (int first = 0; first < count; first += TILE_ROWS) {
        float sums[TILE_ROWS];
#pragma unroll
        for (int r = 0; r < TILE_ROWS; ++r) sums[r] = out[first + r];
        for (int i = 0; i < rows; ++i) {
            const float* row = matrix + i * columns + first;
            const float here = x[i];
#pragma unroll
            for (int r = 0; r < TILE_ROWS; ++r) sums[r] += (SIZES ? fabsf(row[r]) : row[r]) * here;
        }
#pragma unroll
        for (int r = 0; r < TILE_ROWS; ++r) out[first + r] = sums[r];
    }
}

// out (count,) += |P| of layer `later` for the sources from `first` on, transposed, times x (W,).
NI void reach_back(const CertifyArguments& args, const ReferenceMemory& reference, int later, int first, int count,
                   const Column& x, const Column& out)
{
    const int width = args.width;
    const float* reach = reference.reach + reach_start(args, later) + first * width;
    for (int s = 0; s < count; s += TILE_ROWS, reach += TILE_ROWS * width) {
        float sums[TILE_ROWS];
#pragma unroll
        for (int r = 0; r < TILE_ROWS; ++r) sums[r] = out[s + r];
        for (int i = 0; i < width; ++i) {
            const float here = x[i];
#pragma unroll
            for (int r = 0; r < TILE_ROWS; ++r) sums[r] += reach[r * width + i] * here;
        }
#pragma unroll
        for (int r = 0; r < TILE_ROWS; ++r) out[s + r] = sums[r];
    }
}

NI void clear(const Column& column, int count)
{
    for (int k = 0; k < count; ++k) column[k] = 0.0f;
}

// The value at the centre, its radius by the expansion, and the expansion's gradient.
NI void expansion_bounds(const CertifyArguments& args, const CellMemory& m, CellBounds& bounds)
{
    float g[PARTS], magnitude = fabsf(args.last_bias);
#pragma unroll
    for (int part = 0; part < PARTS; ++part) g[part] = part == 0 ? args.last_bias : 0.0f;
    for (int i = 0; i < args.width; ++i) {
        const float weight = args.last.get()[i];
#pragma unroll
        for (int part = 0; part < PARTS; ++part) g[part] += weight * m.source[i * PARTS + part];
        magnitude += fabsf(weight) * m.source_sizes[i];
    }
    const float half = args.half, square = half * half * 1.0001f;
    const float linear = (fabsf(g[1]) + fabsf(g[2]) + fabsf(g[3])) * half;
    const float quadratic =
        0.5f * (fabsf(g[4]) + fabsf(g[5]) + fabsf(g[6])) + fabsf(g[7]) + fabsf(g[8]) + fabsf(g[9]);
    bounds.value = g[0];
    bounds.radius = linear + quadratic * square + UNIT_ROUNDOFF * (args.width + 10) * magnitude;
    for (int axis = 0; axis < 3; ++axis) bounds.gradient[axis] = g[1 + axis];
    bounds.spread[0] = (fabsf(g[4]) + fabsf(g[7]) + fabsf(g[8])) * half;
    bounds.spread[1] = (fabsf(g[5]) + fabsf(g[7]) + fabsf(g[9])) * half;
    bounds.spread[2] = (fabsf(g[6]) + fabsf(g[8]) + fabsf(g[9])) * half;
}

// Add what the expansion leaves out to the radius; leaves d f / d h of every layer in `back`, of the encoding in `encoded_row`.
NI void go_back(const CertifyArguments& args, const CellMemory& m, CellBounds& bounds)
{
    const int width = args.width, size = args.size;
    clear(m.encoded_row, size);
    for (int i = 0; i < width; ++i) m.row[i] = args.last.get()[i];
    float radius = bounds.radius;
    for (int k = args.depth - 1; k >= 0; --k) {
        for (int i = 0; i < width; ++i) {
            const int unit = k * width + i;
            const Column kept = m.layers.from(unit * KEPT);
            const float here = m.row[i], there = here * kept[0];
            m.back[unit] = here;
            m.turned[i] = there;
            radius += 1.00001f * (fabsf(here) * kept[1] + 2.0f * fabsf(there) * kept[4]);
            m.row[i] = 0.0f;
        }
        if (k > 0) multiply_back<false>(args.hidden.get() + k * width * width, width, width, m.turned, m.row, width);
        if (sees_encoding(args, k) && args.features > 0)
            multiply_back<false>(args.encoded.get() + k * width * size, width, size, m.turned, m.encoded_row, size);
    }
    for (int i = 0; args.features > 0 && i < size; ++i)
        radius += 1.00001f * fabsf(m.encoded_row[i]) * m.encoded_error[i];
    bounds.radius = SLACK * radius + 1e-30f;
}

// Bound by how much d f / d h changes in the cell.
NI void bound_changes(const CertifyArguments& args, const ReferenceMemory& reference, const CellMemory& m)
{
    const int width = args.width;
    const float gamma = UNIT_ROUNDOFF * (width + 10);
    for (int k = args.depth - 1; k >= 0; --k) {
        const Column change = m.change.from(k * width);
        clear(change, width);
        clear(m.row, width);
        for (int later = k + 1; later < args.depth; ++later)
            reach_back(args, reference, later, args.size + k * width, width, m.fresh.from(later * width), change);
        if (k + 1 < args.depth) {
            for (int i = 0; i < width; ++i) {
                const int unit = (k + 1) * width + i;
                m.turned[i] = fabsf(m.back[unit] * m.layers[unit * KEPT]);
            }
            multiply_back<true>(args.hidden.get() + (k + 1) * width * width, width, width, m.turned, m.row, width);
        }
        for (int i = 0; i < width; ++i) {
            const int unit = k * width + i;
            const float own = SLACK * gamma * m.row[i], dev = SLACK * (change[i] + own);
            const float steep = m.layers[unit * KEPT], other = reference.slopes[unit];
            change[i] = dev;
            const float turn = (fabsf(m.back[unit]) + dev) * m.layers[unit * KEPT + 2];
            m.fresh[unit] = 1.00001f * (turn + fabsf(steep - other) * dev + fabsf(other) * own);
        }
    }
}

// `widen` for the units of a Fourier encoding: their slopes change in a cell, too.
NI void widen_by_encoding(const CertifyArguments& args, const ReferenceMemory& reference, const CellMemory& m,
                          CellBounds& bounds)
{
    const int width = args.width, size = args.size;
    const float gamma = UNIT_ROUNDOFF * (width + 10) * args.depth;
    clear(m.encoded_change, size);
    for (int later = 0; later < args.depth; ++later)
        reach_back(args, reference, later, 0, size, m.fresh.from(later * width), m.encoded_change);
    for (int k = 0; k < args.depth; ++k) {
        if (!sees_encoding(args, k)) continue;
        for (int i = 0; i < width; ++i) {
            const int unit = k * width + i;
            m.turned[i] = gamma * fabsf(m.back[unit] * m.layers[unit * KEPT]);
        }
        multiply_back<true>(args.encoded.get() + k * width * size, width, size, m.turned, m.encoded_change, size);
    }
    for (int feature = 0; feature < 2 * args.features; ++feature) {
        const float* row = args.phases.get() + 4 * (feature % args.features);
        const int unit = args.inputs + feature;
        const float a = fabsf(m.encoded_row[unit]), other = SLACK * m.encoded_change[unit];
        const float share = other * m.encoded_error[size + unit] + a * m.encoded_error[2 * size + unit];
        bounds.error += (a + other) * m.encoded_error[unit];
        for (int axis = 0; axis < 3; ++axis) bounds.spread[axis] += share * fabsf(row[axis]);
    }
}

// Add to the gradient's spread what the expansion leaves out, and bound the error of a float32 value.
NI void widen(const CertifyArguments& args, const ReferenceMemory& reference, const CellMemory& m, CellBounds& bounds)
{
    const float gamma = UNIT_ROUNDOFF * (args.width + args.size + 10);
    const float own_error = args.hidden_bounds.error + 10.0f * UNIT_ROUNDOFF;
    bounds.error = 3e-6f + gamma * fabsf(args.last_bias);
    for (int i = 0; i < args.width; ++i) bounds.error += gamma * fabsf(args.last.get()[i]) * m.source_sizes[i];
    if (args.features > 0) widen_by_encoding(args, reference, m, bounds);
    for (int unit = 0; unit < args.depth * args.width; ++unit) {
        const Column kept = m.layers.from(unit * KEPT);
        const float a = fabsf(m.back[unit]), dev = m.change[unit], v = kept[4];
        const float lost = (a + dev) * 3.0f * (fabsf(kept[0]) + kept[2]) * v;
        const float share = dev * kept[2] + a * kept[3];
        bounds.error += lost + (a + dev) * own_error * (1.0f + v / gamma);
        for (int axis = 0; axis < 3; ++axis)
            bounds.spread[axis] += share * fabsf(m.jacobian[3 * unit + axis]) + lost / args.half;
    }
    for (int axis = 0; axis < 3; ++axis) {
        const float steep = fabsf(bounds.gradient[axis]);
        bounds.spread[axis] = SLACK * bounds.spread[axis] + 4e-7f * steep;
        bounds.error += 2.0f * UNIT_ROUNDOFF * (steep + bounds.spread[axis]);  // of a rounded place
    }
    bounds.error *= SLACK;
}

// Write the gradient's bounds, after the output activation.
NI void store_gradient(const CertifyArguments& args, const CellBounds& bounds, float* out)
{
    float least = 1.0f, steepest = 1.0f;
    if (args.output_activation == TANH) {  // tanhf is right to two units in the last place; 1e-6 is eight
        const float near = tanhf(fmaxf(fabsf(bounds.value) - bounds.radius, 0.0f));
        const float far = tanhf(fabsf(bounds.value) + bounds.radius);
        least = fmaxf(1.0f - far * far - 1e-6f, 0.0f);
        steepest = 1.0f - near * near + 1e-6f;
    }
    for (int axis = 0; axis < 3; ++axis) {
        float low = bounds.gradient[axis] - bounds.spread[axis], high = bounds.gradient[axis] + bounds.spread[axis];
        if (!(low >= -1e30f && high <= 1e30f)) {
            low = -1e30f;
            high = 1e30f;
        }
        out[axis] = fminf(low * least, low * steepest);
        out[axis + 3] = fmaxf(high * least, high * steepest);
    }
}

// Bound the network in one cell.
NI void certify_cell(const CertifyArguments& args, float* scratch, int lane, int cell)
{
    const ReferenceMemory reference = reference_memory(args, scratch);
    CellMemory m = cell_memory(args, scratch, lane);
    CellBounds bounds;
    encode(args, m, args.centres.get() + 3 * (int64_t)cell);
    const bool finite = forward(args, reference, m);
    expansion_bounds(args, m, bounds);
    go_back(args, m, bounds);
    if (args.bounds.address != 0) {
        bound_changes(args, reference, m);
        widen(args, reference, m, bounds);
        if (!finite) bounds.spread[0] = bounds.spread[1] = bounds.spread[2] = (float)NI_INFINITY;
        store_gradient(args, bounds, args.bounds.get() + 6 * (int64_t)cell);
        args.errors.get()[cell] = finite ? bounds.error : (float)NI_INFINITY;
    }
    args.values.get()[cell] = bounds.value;
    args.radii.get()[cell] = finite ? bounds.radius : (float)NI_INFINITY;
}

// Bound block after block of cells, until none is left.
NI void certify_warp(const CertifyArguments& args, float* scratch)
{
    while (true) {
        const int block = next_of(args.queue.get());
        if (block >= args.num_blocks) return;
        const int begin = args.first.get()[block], end = args.first.get()[block + 1];
        if (begin == end) continue;
        set_reference(args, scratch, args.references.get() + 3 * (int64_t)block);
        for (int start = begin; start < end; start += NI_LANES) {
            NI_EACH_LANE(lane)
            {
                if (start + lane < end) certify_cell(args, scratch, lane, start + lane);
            }
            NI_SYNC_WARP();
        }
    }
}
