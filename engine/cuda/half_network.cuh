// A network's value at 32 points at once on the matrix unit: half-precision factors, float32 sums.
//
// A warp's 32 points are the rows of two 16-row tiles. Every factor is two halves, x = high + low / 2048, and a product is
// high * high + (high * low + low * high) / 2048 in two sums, which is right to about 2^-21 of the magnitudes instead of
// 2^-11 [Ootomo 2022]; engine/cuda/half_error.py derives the bound that safe steps allow for. The sums of two neighbouring
// column tiles are, lane by lane, a fragment of the next layer's left factor, so units up to 128 never leave the registers.
// The last layer, one output, is a float32 dot product.
// Fragments: for each hidden layer, for each pair of column tiles (16 units) and each 16 inputs, for each of the two column
// tiles, for each lane: high (2t, g), high (2t + 8, g), low, low: one 16-byte load. Inputs are the padded hidden units, then
// the padded encoding. After them the last layer: padded width floats and its bias. Reference: engine/network/field.py.
//
// [Ootomo 2022] H. Ootomo, R. Yokota, "Recovering single precision accuracy from Tensor Cores while surpassing the FP32
// theoretical peak performance", Int. J. High Perform. Comput. Appl. 36(4), 2022.
#pragma once

#include "network.cuh"

struct Words4 {
    uint32_t x, y, z, w;
};

NI int tiles16(int count) { return (count + 15) / 16; }

NI Words4 load_words(const uint32_t* words)
{
#ifdef __CUDA_ARCH__
    const uint4 read = *reinterpret_cast<const uint4*>(words);
    const Words4 result = {read.x, read.y, read.z, read.w};
#else
    const Words4 result = {words[0], words[1], words[2], words[3]};
#endif
    return result;
}

struct SplitFragment {
    FragmentA high, low;
};

struct Sums {  // of two neighbouring column tiles
    PerLane<FragmentD> main[2], cross[2];
};

// Sums += left (16 points x 16 inputs) * the fragments of 16 inputs x 16 units.
NI void multiply_tile(Sums& sums, const PerLane<SplitFragment>& left, const uint32_t* words)
{
    PerLane<FragmentA> high, low;
    NI_EACH_LANE(lane)
    {
        high[lane] = left[lane].high;
        low[lane] = left[lane].low;
    }
#pragma unroll
    for (int n = 0; n < 2; ++n) {
        PerLane<uint32_t> h0, h1, l0, l1;
        NI_EACH_LANE(lane)
        {
            const Words4 read = load_words(words + 128 * n + 4 * lane);
            h0[lane] = read.x;
            h1[lane] = read.y;
            l0[lane] = read.z;
            l1[lane] = read.w;
        }
        multiply_add(sums.main[n], high, h0, h1);
        multiply_add(sums.cross[n], low, h0, h1);
        multiply_add(sums.cross[n], high, l0, l1);
    }
}

// Fragment number k16 of the encoding of points g and g + 8 of a tile.
NI SplitFragment encoding_fragment(const Network& network, int k16, int t, const float near[3], const float far[3])
{
    SplitFragment result;
#pragma unroll
    for (int part = 0; part < 4; ++part) {
        const float* point = part & 1 ? far : near;
        const int k = 16 * k16 + 2 * t + 8 * (part >> 1);
        const HalfPair pair = split_pair(encoded_input(network, k, point), encoded_input(network, k + 1, point));
        result.high.part[part] = pair.high;
        result.low.part[part] = pair.low;
    }
    return result;
}

template <int WIDTH>
struct TileUnits {  // of 16 points, in registers
    static constexpr int UNROLL = WIDTH / 16;
    PerLane<SplitFragment> k16[WIDTH / 16];
    NI void place(float*) {}
    NI const PerLane<SplitFragment>& get(int k) const { return k16[k]; }
    NI void set(int k, const PerLane<SplitFragment>& made) { k16[k] = made; }
    NI void exchange(TileUnits& next)
    {
#pragma unroll
        for (int k = 0; k < WIDTH / 16; ++k) NI_EACH_LANE(lane) { k16[k][lane] = next.k16[k][lane]; }
    }
};

// Units and the next layer's would take 256 registers: they lie in the warp's scratch, 8 words of each lane after the other,
// so that a warp's access is one line. Each lane reads back what it wrote itself. Both take 256 floats of a lane, of the
// E + 2 W (W padded), at least 275, that full precision has there and that it does not use at the same time.
template <>
struct TileUnits<256> {
    static constexpr int UNROLL = 1;
    float* words;
    NI void place(float* scratch) { words = scratch; }
    NI PerLane<SplitFragment> get(int k) const
    {
        PerLane<SplitFragment> read;
        NI_EACH_LANE(lane)
        {
#pragma unroll
            for (int part = 0; part < 8; ++part) {
                uint32_t* target = part < 4 ? read[lane].high.part + part : read[lane].low.part + part - 4;
                memcpy(target, words + (8 * k + part) * NI_LANES + lane, 4);
            }
        }
        return read;
    }
    NI void set(int k, const PerLane<SplitFragment>& made)
    {
        NI_EACH_LANE(lane)
        {
#pragma unroll
            for (int part = 0; part < 8; ++part) {
                const uint32_t* source = part < 4 ? made[lane].high.part + part : made[lane].low.part + part - 4;
                memcpy(words + (8 * k + part) * NI_LANES + lane, source, 4);
            }
        }
    }
    NI void exchange(TileUnits& next)
    {
        float* other = words;
        words = next.words;
        next.words = other;
    }
};

// The value at 16 points; lanes g = 0..7 give points g and g + 8, in every lane of the group.
template <int WIDTH>
NI void half_tile(const Network& network, const uint32_t* words, const float* biases, float* scratch,
                  const PerLane<float>& near_x, const PerLane<float>& near_y, const PerLane<float>& near_z,
                  const PerLane<float>& far_x, const PerLane<float>& far_y, const PerLane<float>& far_z,
                  PerLane<float>& value_near, PerLane<float>& value_far)
{
    constexpr int K = WIDTH / 16;
    TileUnits<WIDTH> units, next;
    units.place(scratch);
    next.place(scratch + WIDTH / 2 * NI_LANES);
    const int encoding_tiles = tiles16(network.encoded);
    const float* last = reinterpret_cast<const float*>(words + network.num_fragments) - (WIDTH + 16);
    PerLane<float> dot_near, dot_far;
    NI_EACH_LANE(lane) { dot_near[lane] = dot_far[lane] = 0.0f; }
    for (int layer = 0; layer < network.depth; ++layer, biases += WIDTH) {
        const bool sees = layer == 0 || (network.skips >> layer & 1);
#pragma unroll (TileUnits<WIDTH>::UNROLL)
        for (int pair = 0; pair < K; ++pair) {
            Sums sums;
#pragma unroll
            for (int n = 0; n < 2; ++n)
                NI_EACH_LANE(lane)
                {
                    const float* bias = biases + 16 * pair + 8 * n + 2 * (lane & 3);
                    const FragmentD start = {{bias[0], bias[1], bias[0], bias[1]}}, zero = {{0.0f, 0.0f, 0.0f, 0.0f}};
                    sums.main[n][lane] = start;
                    sums.cross[n][lane] = zero;
                }
            if (layer > 0) {
#pragma unroll (TileUnits<WIDTH>::UNROLL)
                for (int k = 0; k < K; ++k, words += 256) multiply_tile(sums, units.get(k), words);
            }
            for (int k = 0; sees && k < encoding_tiles; ++k, words += 256) {
                PerLane<SplitFragment> input;
                NI_EACH_LANE(lane)
                {
                    const float near[3] = {near_x[lane], near_y[lane], near_z[lane]};
                    const float far[3] = {far_x[lane], far_y[lane], far_z[lane]};
                    input[lane] = encoding_fragment(network, k, lane & 3, near, far);
                }
                multiply_tile(sums, input, words);
            }
            PerLane<SplitFragment> made;
            NI_EACH_LANE(lane)
            {
                float all[8];
#pragma unroll
                for (int c = 0; c < 8; ++c)
                    all[c] = sums.main[c / 4][lane].part[c % 4] + sums.cross[c / 4][lane].part[c % 4] * (1.0f / HALF_SCALE);
                activate_all<8>(network.activation, all);
#pragma unroll
                for (int n = 0; n < 2; ++n) {
                    const float* h = all + 4 * n;
                    if (layer == network.depth - 1) {
                        const float* row = last + 16 * pair + 8 * n + 2 * (lane & 3);
                        dot_near[lane] += row[0] * h[0] + row[1] * h[1];
                        dot_far[lane] += row[0] * h[2] + row[1] * h[3];
                    }
                    const HalfPair low = split_pair(h[0], h[1]), high = split_pair(h[2], h[3]);
                    SplitFragment& out = made[lane];
                    out.high.part[2 * n] = low.high;
                    out.high.part[2 * n + 1] = high.high;
                    out.low.part[2 * n] = low.low;
                    out.low.part[2 * n + 1] = high.low;
                }
            }
            next.set(pair, made);
        }
        units.exchange(next);
    }
#pragma unroll
    for (int mask = 1; mask < 4; mask *= 2) {
        PerLane<int> other;
        NI_EACH_LANE(lane) { other[lane] = lane ^ mask; }
        const PerLane<float> near = shuffle(dot_near, other), far = shuffle(dot_far, other);
        NI_EACH_LANE(lane)
        {
            dot_near[lane] += near[lane];
            dot_far[lane] += far[lane];
        }
    }
    NI_EACH_LANE(lane)
    {
        value_near[lane] = activate(network.output_activation, dot_near[lane] + last[WIDTH]);
        value_far[lane] = activate(network.output_activation, dot_far[lane] + last[WIDTH]);
    }
}

// The value at the point of each lane.
template <int WIDTH>
NI PerLane<float> evaluate_half(const Network& network, const uint32_t* words, const float* biases, float* scratch,
                                const PerLane<float>& x, const PerLane<float>& y, const PerLane<float>& z)
{
    PerLane<float> result;
#pragma unroll 1
    for (int tile = 0; tile < 2; ++tile) {
        PerLane<int> near, far, home;
        NI_EACH_LANE(lane)
        {
            near[lane] = 16 * tile + lane / 4;
            far[lane] = near[lane] + 8;
            home[lane] = 4 * (lane & 7);
        }
        PerLane<float> value_near, value_far;
        half_tile<WIDTH>(network, words, biases, scratch, shuffle(x, near), shuffle(y, near), shuffle(z, near), shuffle(x, far),
                         shuffle(y, far), shuffle(z, far), value_near, value_far);
        const PerLane<float> a = shuffle(value_near, home), b = shuffle(value_far, home);
        NI_EACH_LANE(lane)
        {
            if (lane / 16 == tile) result[lane] = lane & 8 ? b[lane] : a[lane];
        }
    }
    return result;
}
