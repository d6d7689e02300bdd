// Expansions of every unit of a network over small cells, with proven errors: one cell per lane, a block of cells per warp.
//
// The mathematics is that of engine/tracing/certified_kernel.py, which explains and proves it; here are its two passes up to
// the last hidden layer, certify_bounds.cuh has the rest. All cells of a warp share a reference point, whose products of
// matrices the lanes make together (`set_reference`), one source of error per lane and turn.
// Rounding is covered as there: a sum of n products in float32 errs by at most (n + 2) 2^-24 of the sum of magnitudes, in any
// order and joined or not, so GAMMA times the magnitudes is added to each unit, and what the magnitudes lose is under SLACK.
// Division and every other operation are those of IEEE 754: nvcc's defaults, never -use_fast_math. A number that is not
// finite could be hidden by a minimum or a clamp, so a cell that meets one is given up: its radius is infinite.
// Scratch of a warp: the reference's part, then one column of floats for each cell, 32 floats apart.
// Reference: engine/tracing/certified_kernel.py. Test: tests/cuda/test_certify.py.
#pragma once

#include "certify_layouts.cuh"

#define PARTS 10           // of an expansion: value; x, y, z; xx, yy, zz, xy, xz, yz
#define UNIT_ROUNDOFF 6.0e-8f  // a little over 2^-24
#define SLACK 1.001f       // on sums of up to 8,000 magnitudes
#define KEPT 5             // of a unit: slope, remainder, change of slope, change beyond the expansion, rounding

#ifdef __CUDA_ARCH__
#define CELL_STRIDE NI_LANES
#else
#define CELL_STRIDE 1
#endif

struct Column {  // of one cell's scratch
    float* start;
    NI float& operator[](int k) const { return start[k * CELL_STRIDE]; }
    NI Column from(int k) const { return {start + k * CELL_STRIDE}; }
};

struct CellMemory {
    Column encoded, encoded_sizes, encoded_error;  // (E, PARTS); (E,); (3, E): expansion, change of slope, change beyond it
    Column source, target;                         // (W, PARTS): a layer's units and the next one's
    Column source_sizes, target_sizes;             // (W,) magnitudes
    Column sigma;                                  // (E + L W,)
    Column layers, jacobian;                       // (L, W, KEPT); (L, W, 3)
    Column back, change, fresh;                    // (L, W): d f / d h; bound on its change; sources of that change
    Column row, turned, encoded_row, encoded_change;  // (max(W, E),)
};

NI int most(int a, int b) { return a > b ? a : b; }

// Floats of scratch of one cell.
NI int cell_floats(int width, int size, int depth)
{
    return size * (PARTS + 4) + width * (2 * PARTS + 2) + size + depth * width * (1 + KEPT + 3 + 3) + 4 * most(width, size);
}

// |P| of layer k: its units by the sources before it, sources first. Where they begin, with the reference's other floats.
NI int reach_start(const CertifyArguments& args, int k)
{
    return args.width * (k * args.size + args.width * (k * (k - 1) / 2));
}

NI int reference_floats(int width, int size, int depth)
{
    return width * (depth * size + width * (depth * (depth - 1) / 2)) + depth * width + 2 * width + size;
}

struct ReferenceMemory {
    float *reach, *slopes, *units, *encoded;  // see reach_start; (L, W); (2, W); (E,)
};

NI ReferenceMemory reference_memory(const CertifyArguments& args, float* scratch)
{
    float* slopes = scratch + reach_start(args, args.depth);
    float* units = slopes + args.depth * args.width;
    return {scratch, slopes, units, units + 2 * args.width};
}

NI CellMemory cell_memory(const CertifyArguments& args, float* scratch, int lane)
{
    const int width = args.width, size = args.size, all = args.depth * width, floats = cell_floats(width, size, args.depth);
    float* start = scratch + reference_floats(width, size, args.depth);
    const Column c = {start + (CELL_STRIDE == 1 ? lane * floats : lane)};
    CellMemory m;
    int at = 0;
#define NI_TAKE(NAME, COUNT) \
    m.NAME = c.from(at);     \
    at += COUNT;
    NI_TAKE(encoded, size * PARTS)
    NI_TAKE(encoded_sizes, size)
    NI_TAKE(encoded_error, 3 * size)
    NI_TAKE(source, width * PARTS)
    NI_TAKE(target, width * PARTS)
    NI_TAKE(source_sizes, width)
    NI_TAKE(target_sizes, width)
    NI_TAKE(sigma, size + all)
    NI_TAKE(layers, all * KEPT)
    NI_TAKE(jacobian, all * 3)
    NI_TAKE(back, all)
    NI_TAKE(change, all)
    NI_TAKE(fresh, all)
    NI_TAKE(row, most(width, size))
    NI_TAKE(turned, most(width, size))
    NI_TAKE(encoded_row, most(width, size))
    NI_TAKE(encoded_change, most(width, size))
#undef NI_TAKE
    return m;
}

NI bool sees_encoding(const CertifyArguments& args, int layer) { return args.sees >> layer & 1; }

// ---- the reference

NI float reference_input(const CertifyArguments& args, const float place[3], int k)
{
    if (k < 3) return k == 0 ? place[0] : k == 1 ? place[1] : place[2];
    if (k < args.inputs) return args.time;
    const int feature = k - args.inputs;
    if (feature >= 2 * args.features) return 0.0f;
    const float* row = args.phases.get() + 4 * (feature % args.features);
    const float phase = row[0] * place[0] + row[1] * place[1] + row[2] * place[2] + row[3] * args.time;
    return feature < args.features ? fast_sin(phase) : fast_cos(phase);
}

// A unit of the reference: its value, and its slope, which any number near the true one may be.
NI float reference_unit(const CertifyArguments& args, const ReferenceMemory& reference, int k, int i, const float* before)
{
    const int width = args.width, unit = k * width + i;
    float z = args.biases.get()[unit];
    if (k > 0)
        for (int j = 0; j < width; ++j) z += args.hidden.get()[unit * width + j] * before[j];
    if (sees_encoding(args, k))
        for (int j = 0; j < args.size; ++j) z += args.encoded.get()[unit * args.size + j] * reference.encoded[j];
    const bool kinked = args.activation == RELU || args.activation == LEAKY_RELU;
    const Derivatives s = derivatives(args.activation, z);
    reference.slopes[unit] = kinked ? slope(args.activation, z) : s.first;
    return kinked ? activate(args.activation, z) : s.value;
}

// One source's way through the layers after it: its column of every |P|.
NI void propagate(const CertifyArguments& args, const ReferenceMemory& reference, int source, Column old, Column next)
{
    const int width = args.width, size = args.size;
    const int own = source < size ? -1 : (source - size) / width;  // the layer that it is a unit of
    for (int k = own + 1; k < args.depth; ++k) {
        if (k > own + 1)
            for (int j = 0; j < width; ++j) old[j] *= reference.slopes[(k - 1) * width + j];
        float* reach = reference.reach + reach_start(args, k) + source * width;
        for (int i = 0; i < width; ++i) {
            const float* row = args.hidden.get() + (k * width + i) * width;
            float sum = 0.0f;
            if (k == own + 1 && own >= 0) sum = row[source - size - own * width];
            else if (k > own + 1)
                for (int j = 0; j < width; ++j) sum += row[j] * old[j];
            if (own < 0 && sees_encoding(args, k)) sum += args.encoded.get()[(k * width + i) * size + source];
            next[i] = sum;
            reach[i] = fabsf(sum);
        }
        const Column other = old;
        old = next;
        next = other;
    }
}

// Compute slopes and |P| of a reference point, all lanes together.
NI void set_reference(const CertifyArguments& args, float* scratch, const float place[3])
{
    const ReferenceMemory reference = reference_memory(args, scratch);
    const int width = args.width, sources = args.size + (args.depth - 1) * width;
    NI_EACH_LANE(lane)
    {
        for (int k = lane; k < args.size; k += NI_LANES) reference.encoded[k] = reference_input(args, place, k);
    }
    NI_SYNC_WARP();
    for (int k = 0; k < args.depth; ++k) {
        const float* before = reference.units + (k & 1) * width;
        float* after = reference.units + (~k & 1) * width;
        NI_EACH_LANE(lane)
        {
            for (int i = lane; i < width; i += NI_LANES) after[i] = reference_unit(args, reference, k, i, before);
        }
        NI_SYNC_WARP();
    }
    NI_EACH_LANE(lane)
    {
        const CellMemory m = cell_memory(args, scratch, lane);
        for (int s = lane; s < sources; s += NI_LANES) propagate(args, reference, s, m.source, m.target);
    }
    NI_SYNC_WARP();
}

// ---- a cell

NI void encode_feature(const CertifyArguments& args, const CellMemory& m, const float centre[3], int feature)
{
    const float* row = args.phases.get() + 4 * (feature % args.features);
    const float turn = row[3] * args.time, reach = fabsf(row[0]) + fabsf(row[1]) + fabsf(row[2]);
    const int place = args.inputs + feature;
    Range range;
    range.z = row[0] * centre[0] + row[1] * centre[1] + row[2] * centre[2] +
              (turn + (feature < args.features ? 0.0f : 1.57079633f));
    range.linear = reach * args.half * 1.0001f;
    range.quadratic = 0.0f;
    range.rest = 8.0f * UNIT_ROUNDOFF * (reach + fabsf(turn) + 2.0f);
    const Expansion unit = expand(SINE, args.sine_bounds, range);
    const Column out = m.encoded.from(place * PARTS);
    out[0] = unit.value;
    for (int axis = 0; axis < 3; ++axis) {
        out[1 + axis] = unit.slope * row[axis];
        out[4 + axis] = unit.second * row[axis] * row[axis];
        out[7 + axis] = unit.second * row[axis == 2 ? 1 : 0] * row[axis == 0 ? 1 : 2];
    }
    const float size = 1.0f + range.linear + range.linear * range.linear;
    const float error = unit.remainder + fabsf(unit.slope) * range.rest + 8.0f * UNIT_ROUNDOFF * size;
    m.encoded_sizes[place] = size + error;
    m.encoded_error[place] = error;
    m.encoded_error[args.size + place] = 1.00001f * unit.change;
    m.encoded_error[2 * args.size + place] = 1.00001f * unit.beyond + 8.0f * UNIT_ROUNDOFF * size;
}

NI void encode(const CertifyArguments& args, const CellMemory& m, const float centre[3])
{
    for (int k = 0; k < args.size; ++k) {
        for (int part = 0; part < PARTS; ++part) m.encoded[k * PARTS + part] = 0.0f;
        m.encoded_sizes[k] = 0.0f;
        for (int part = 0; part < 3; ++part) m.encoded_error[part * args.size + k] = 0.0f;
    }
    for (int axis = 0; axis < 3; ++axis) {
        m.encoded[axis * PARTS] = centre[axis];
        m.encoded[axis * PARTS + 1 + axis] = 1.0f;
        m.encoded_sizes[axis] = fabsf(centre[axis]) + args.half;
    }
    if (args.inputs == 4) {
        m.encoded[3 * PARTS] = args.time;
        m.encoded_sizes[3] = fabsf(args.time);
    }
    for (int feature = 0; feature < 2 * args.features; ++feature) encode_feature(args, m, centre, feature);
    for (int k = 0; k < args.size; ++k) m.sigma[k] = m.encoded_error[k];
}

// Sums += rows (TILE_ROWS, count) of a matrix * inputs (count, PARTS), and their magnitudes likewise.
NI void add_expansions(const float* rows, int count, const Column& inputs, const Column& sizes,
                       float sums[TILE_ROWS][PARTS], float magnitudes[TILE_ROWS])
{
    for (int j = 0; j < count; ++j) {
        float x[PARTS];
        const float size = sizes[j];
#pragma unroll
        for (int part = 0; part < PARTS; ++part) x[part] = inputs[j * PARTS + part];
#pragma unroll
        for (int r = 0; r < TILE_ROWS; ++r) {
            const float weight = rows[r * count + j];
            magnitudes[r] += fabsf(weight) * size;
#pragma unroll
            for (int part = 0; part < PARTS; ++part) sums[r][part] += weight * x[part];
        }
    }
}

// Pre-activations of TILE_ROWS units of layer k into `target`; the magnitudes and the rest's bound wait in `layers`.
NI void sum_units(const CertifyArguments& args, const ReferenceMemory& reference, const CellMemory& m, int k, int first)
{
    const int width = args.width, unit = k * width + first;
    float sums[TILE_ROWS][PARTS], magnitudes[TILE_ROWS], rest[TILE_ROWS];
#pragma unroll
    for (int r = 0; r < TILE_ROWS; ++r) {
#pragma unroll
        for (int part = 0; part < PARTS; ++part) sums[r][part] = part == 0 ? args.biases.get()[unit + r] : 0.0f;
        magnitudes[r] = fabsf(sums[r][0]);
    }
    if (k > 0) add_expansions(args.hidden.get() + unit * width, width, m.source, m.source_sizes, sums, magnitudes);
    if (sees_encoding(args, k))
        add_expansions(args.encoded.get() + unit * args.size, args.size, m.encoded, m.encoded_sizes, sums, magnitudes);
#pragma unroll
    for (int r = 0; r < TILE_ROWS; ++r) {
#pragma unroll
        for (int part = 0; part < PARTS; ++part) m.target[(first + r) * PARTS + part] = sums[r][part];
        m.layers[(unit + r) * KEPT + 4] = magnitudes[r];
        rest[r] = 0.0f;
    }
    const float* reach = reference.reach + reach_start(args, k) + first;
    for (int s = 0; s < args.size + k * width; ++s, reach += width) {
        const float sigma = m.sigma[s];
#pragma unroll
        for (int r = 0; r < TILE_ROWS; ++r) rest[r] += reach[r] * sigma;
    }
#pragma unroll
    for (int r = 0; r < TILE_ROWS; ++r) m.layers[(unit + r) * KEPT + 3] = rest[r];
}

// Take a unit's expansion through its activation, in place, and keep what it leaves out; whether all of it is finite.
NI bool bend_unit(const CertifyArguments& args, const ReferenceMemory& reference, const CellMemory& m, int k, int i)
{
    const int unit = k * args.width + i;
    const float gamma = UNIT_ROUNDOFF * (args.width + args.size + 10), square = args.half * args.half * 1.0001f;
    const Column kept = m.layers.from(unit * KEPT), h = m.target.from(i * PARTS);
    float z[PARTS];
#pragma unroll
    for (int part = 0; part < PARTS; ++part) z[part] = h[part];
    const float lost = gamma * kept[4] + 1e-30f;
    const float own = fabsf(z[4]) + fabsf(z[5]) + fabsf(z[6]), mixed = fabsf(z[7]) + fabsf(z[8]) + fabsf(z[9]);
    const Range range = {z[0], (fabsf(z[1]) + fabsf(z[2]) + fabsf(z[3])) * args.half * 1.0001f, (0.5f * own + mixed) * square,
                         SLACK * (kept[3] + lost)};
    const Expansion to = expand(args.activation, args.hidden_bounds, range);
    const float a = to.slope, c = to.second, reference_slope = reference.slopes[unit];
    h[0] = to.value;
#pragma unroll
    for (int axis = 0; axis < 3; ++axis) {
        m.jacobian[3 * unit + axis] = z[1 + axis];
        h[1 + axis] = a * z[1 + axis];
        h[4 + axis] = a * z[4 + axis] + c * z[1 + axis] * z[1 + axis];
        h[7 + axis] = a * z[7 + axis] + c * z[axis == 2 ? 2 : 1] * z[axis == 0 ? 2 : 3];
    }
    const float j = range.linear, reach = j + range.quadratic + range.rest;
    const float total =
        fabsf(to.value) + (fabsf(a) + fabsf(reference_slope)) * reach + (fabsf(c) * j * j + to.remainder);
    const float left = 1.00001f * to.remainder + 10.0f * UNIT_ROUNDOFF * total;
    const float mismatch = fabsf(a - reference_slope);
    kept[0] = a;
    kept[1] = left;
    kept[2] = 1.00001f * to.change;
    kept[3] = 1.00001f * to.beyond;
    kept[4] = lost;
    m.sigma[args.size + unit] = 1.00001f * (mismatch * range.rest + fabsf(reference_slope) * lost + left);
    m.target_sizes[i] = total;
    return is_finite_f(z[0]) && is_finite_f(reach) && is_finite_f(total);
}

// Expand every layer in an encoded cell; leaves the last hidden layer in `source`. Whether all of it is finite.
NI bool forward(const CertifyArguments& args, const ReferenceMemory& reference, CellMemory& m)
{
    bool finite = true;
    for (int k = 0; k < args.depth; ++k) {
        for (int first = 0; first < args.width; first += TILE_ROWS) sum_units(args, reference, m, k, first);
        for (int i = 0; i < args.width; ++i) finite = bend_unit(args, reference, m, k, i) && finite;
        const Column units = m.source, sizes = m.source_sizes;
        m.source = m.target;
        m.source_sizes = m.target_sizes;
        m.target = units;
        m.target_sizes = sizes;
    }
    return finite;
}
