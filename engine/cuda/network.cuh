// A network's value and gradient at one point, in float32.
//
// One point per lane. The units of a layer stand in `scratch`, `stride` floats apart, so that 32 lanes read 32
// neighbouring floats; TILE_ROWS outputs are summed in registers at once, and their weights are the same address for all
// lanes. The gradient goes forward beside the value: three tangents need no memory that grows with depth.
// Parameters: for each layer, for each tile of TILE_ROWS outputs: their biases, then TILE_ROWS weights for each input
// (hidden units, then the encoding where the layer sees it); the last layer is a tile of one output.
// Reference: engine/network/field.py. Test: tests/cuda/test_device_functions.py.
#pragma once

#include "activations.cuh"
#include "layouts.cuh"

NI int padded(int count) { return (count + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS; }

// Floats of scratch for one point; `channels` is 1 for values and 4 for gradients.
NI int scratch_size(const Network& network, int channels)
{
    return channels * (network.encoded + 2 * padded(network.width));
}

NI float encoding_phase(const Network& network, int feature, const float point[3])
{
    const float* row = network.encoding.get() + 4 * feature;
    return row[0] * point[0] + row[1] * point[1] + row[2] * point[2] + row[3] * network.time;
}

// Input number k of the first layer.
NI float encoded_input(const Network& network, int k, const float point[3])
{
    if (k < network.inputs) return k == 0 ? point[0] : k == 1 ? point[1] : k == 2 ? point[2] : network.time;
    const int feature = k - network.inputs;
    if (feature < network.features) return fast_sin(encoding_phase(network, feature, point));
    if (feature < 2 * network.features) return fast_cos(encoding_phase(network, feature - network.features, point));
    return 0.0f;
}

template <int CHANNELS>
NI void write_encoding(const Network& network, const float point[3], float* out, int stride)
{
    for (int k = 0; k < network.encoded; ++k) {
        out[k * CHANNELS * stride] = encoded_input(network, k, point);
        if (CHANNELS == 4) {
            const int feature = k - network.inputs;
            const bool cosine = feature >= network.features;
            const int row = cosine ? feature - network.features : feature;
            float factor = 0.0f;
            if (feature >= 0) {
                const float phase = encoding_phase(network, row, point);
                factor = cosine ? -fast_sin(phase) : fast_cos(phase);
            }
            for (int axis = 0; axis < 3; ++axis) {
                const float turn = feature >= 0 ? factor * network.encoding.get()[4 * row + axis] : k == axis ? 1.0f : 0.0f;
                out[(k * CHANNELS + 1 + axis) * stride] = turn;
            }
        }
    }
}

template <int CHANNELS, int ROWS>
NI const float* add_inputs(const float* weights, const float* source, int count, int stride, float sums[ROWS][CHANNELS])
{
    for (int j = 0; j < count; ++j, weights += ROWS) {
        float x[CHANNELS];
#pragma unroll
        for (int c = 0; c < CHANNELS; ++c) x[c] = source[(j * CHANNELS + c) * stride];
#pragma unroll
        for (int r = 0; r < ROWS; ++r)
#pragma unroll
            for (int c = 0; c < CHANNELS; ++c) sums[r][c] += weights[r] * x[c];
    }
    return weights;
}

template <int CHANNELS, int ROWS>
NI const float* sum_tile(const float* weights, const float* hidden, int width, const float* encoded, int size, int stride,
                         float sums[ROWS][CHANNELS])
{
#pragma unroll
    for (int r = 0; r < ROWS; ++r)
#pragma unroll
        for (int c = 0; c < CHANNELS; ++c) sums[r][c] = c == 0 ? weights[r] : 0.0f;
    weights = add_inputs<CHANNELS, ROWS>(weights + ROWS, hidden, width, stride, sums);
    return add_inputs<CHANNELS, ROWS>(weights, encoded, size, stride, sums);
}

// Value (CHANNELS 1), or value and gradient (CHANNELS 4), at a point of [-1, 1]^3.
template <int CHANNELS>
NI void evaluate_network(const Network& network, const float* weights, const float point[3], float* scratch, int stride,
                         float result[CHANNELS])
{
    const int rows = padded(network.width);
    float* encoded = scratch;
    float* source = scratch + network.encoded * CHANNELS * stride;
    float* target = source + rows * CHANNELS * stride;
    write_encoding<CHANNELS>(network, point, encoded, stride);
    for (int k = 0; k < network.depth; ++k) {
        const int width = k == 0 ? 0 : network.width;
        const int size = k == 0 || (network.skips >> k & 1) ? network.encoded : 0;
        for (int first = 0; first < rows; first += TILE_ROWS) {
            float sums[TILE_ROWS][CHANNELS];
            weights = sum_tile<CHANNELS, TILE_ROWS>(weights, source, width, encoded, size, stride, sums);
            float h[TILE_ROWS];
#pragma unroll
            for (int r = 0; r < TILE_ROWS; ++r) h[r] = sums[r][0];
            activate_all<TILE_ROWS>(network.activation, h);
#pragma unroll
            for (int r = 0; r < TILE_ROWS; ++r) {
                float* out = target + (first + r) * CHANNELS * stride;
                out[0] = h[r];
                if (CHANNELS == 4) {
                    const float steep = slope(network.activation, sums[r][0]);
#pragma unroll
                    for (int c = 1; c < CHANNELS; ++c) out[c * stride] = steep * sums[r][c];
                }
            }
        }
        float* other = source;
        source = target;
        target = other;
    }
    float sums[1][CHANNELS];
    sum_tile<CHANNELS, 1>(weights, source, network.width, encoded, 0, stride, sums);
    result[0] = activate(network.output_activation, sums[0][0]);
    const float steep = CHANNELS == 4 ? slope(network.output_activation, sums[0][0]) : 1.0f;
    for (int c = 1; c < CHANNELS; ++c) result[c] = steep * sums[0][c];
}

// The nearest point of the box, and how far away it is.
NI float to_box(const float point[3], float nearest[3])
{
    float away = 0.0f;
    for (int axis = 0; axis < 3; ++axis) {
        nearest[axis] = fminf(fmaxf(point[axis], -1.0f), 1.0f);
        away += (point[axis] - nearest[axis]) * (point[axis] - nearest[axis]);
    }
    return sqrtf(away);
}
