"""Proven bounds on a network's value and gradient in small cells, from the expansions of `certified_kernel`.

With b_k = d f / d h_k along this cell's slopes, f = (its expansion of second order) + sum_k b_k remainder_k, exactly, so
the error of the value needs one pass back. The gradient at any place in the cell is that of the expansion plus

    sum_k (b_k(x) - b_k) change_k J_k + b_k beyond_k J_k,

where the change of a layer's slopes, its part that the expansion does not hold, and |b_k(x) - b_k|, once more unrolled
along the reference, are bounded by magnitudes.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from .certified_activations import CELLS, ERROR
from .certified_kernel import encode, forward, set_reference
from .certified_network import CertifiedNetwork
from .certified_work import SLACK, UNIT, Work, make_work, multiply_back
from .kernel_math import f32, uncounted_fast

ENLARGE = 1e-6  # around a cell, for rays whose places are rounded across its border


@uncounted_fast
def _value(net: CertifiedNetwork, work: Work, half: Any, values: Any, radii: Any, gradient: Any) -> None:
    """Give value at the centre and radius, before the output activation, and the expansion's gradient (6, CELLS).

    The gradient's rows are x, y, z and the largest change of each in the cell by the expansion's quadratic part.
    """
    width = net.hidden.shape[1]
    v = work.rows[1]
    square = half * half * f32(1.0001)
    for b in range(CELLS):
        radii[b] = f32(0.0)
        v[0, b] = abs(net.last_bias[0])
    for part in range(10):
        start = net.last_bias[0] if part == 0 else f32(0.0)
        row = gradient[part]
        for b in range(CELLS):
            row[b] = start
        for i in range(width):
            weight = net.last[0, i]
            h = work.h[i, part * CELLS :]
            for b in range(CELLS):
                row[b] += weight * h[b]
    for i in range(width):
        weight = abs(net.last[0, i])
        for b in range(CELLS):
            v[0, b] += weight * work.sizes[0, i, b]
    gamma = f32(UNIT) * f32(width + 10)
    for b in range(CELLS):
        g = gradient[:, b]
        values[b] = g[0]
        linear = (abs(g[1]) + abs(g[2]) + abs(g[3])) * half
        quadratic = f32(0.5) * (abs(g[4]) + abs(g[5]) + abs(g[6])) + abs(g[7]) + abs(g[8]) + abs(g[9])
        radii[b] = linear + quadratic * square + gamma * v[0, b]
        g[4], g[5], g[6] = (
            (abs(g[4]) + abs(g[7]) + abs(g[8])) * half,
            (abs(g[5]) + abs(g[7]) + abs(g[9])) * half,
            (abs(g[6]) + abs(g[8]) + abs(g[9])) * half,
        )


@uncounted_fast
def _back(net: CertifiedNetwork, work: Work, radii: Any) -> None:
    """Add what the expansion leaves out to `radii`; leaves d f / d h of every layer in `back`."""
    depth, width, size = net.encoded.shape
    row, turned, encoded = work.rows[0], work.rows[1], work.rows[2]
    for i in range(size):
        for b in range(CELLS):
            encoded[i, b] = f32(0.0)
    for i in range(width):
        for b in range(CELLS):
            row[i, b] = net.last[0, i]
    for k in range(depth - 1, -1, -1):
        for i in range(width):
            layer, kept, here, there = work.layers[k, i], work.back[k, 0, i], row[i], turned[i]
            for b in range(CELLS):
                kept[b] = here[b]
                there[b] = here[b] * layer[b]
            for b in range(CELLS):
                lost = f32(2.0) * abs(there[b]) * layer[4 * CELLS + b]
                radii[b] += f32(1.00001) * (abs(kept[b]) * layer[CELLS + b] + lost)
                here[b] = f32(0.0)
        multiply_back(net.hidden[k], 0, width, turned, row, CELLS)
        if net.sees[k] and net.phases.shape[0] > 0:
            multiply_back(net.encoded[k], 0, size, turned, encoded, CELLS)
    if net.phases.shape[0] > 0:
        for i in range(size):
            for b in range(CELLS):
                radii[b] += f32(1.00001) * abs(encoded[i, b]) * work.encoded_error[0, i, b]
    for b in range(CELLS):
        radii[b] = f32(SLACK) * radii[b] + f32(1e-30)


@uncounted_fast
def _back_changes(net: CertifiedNetwork, work: Work) -> None:
    """Bound by how much d f / d h changes in each cell: `back` rows 1, with the sources of it in rows 2."""
    depth, width, size = net.encoded.shape
    gamma = f32(UNIT) * f32(width + 10)
    lost, turned = work.rows[0], work.rows[1]
    for k in range(depth - 1, -1, -1):
        change = work.back[k, 1]
        for i in range(width):
            for b in range(CELLS):
                change[i, b] = f32(0.0)
                lost[i, b] = f32(0.0)
        for later in range(k + 1, depth):
            multiply_back(work.reach[later], size + k * width, width, work.back[later, 2], change, CELLS)
        if k + 1 < depth:
            for i in range(width):
                for b in range(CELLS):
                    turned[i, b] = abs(work.back[k + 1, 0, i, b] * work.layers[k + 1, i, b])
            multiply_back(net.hidden_size[k + 1], 0, width, turned, lost, CELLS)
        for i in range(width):
            for b in range(CELLS):
                own = f32(SLACK) * gamma * lost[i, b]
                dev = f32(SLACK) * (change[i, b] + own)
                change[i, b] = dev
                slope, reference = work.layers[k, i, b], work.slopes[k, i]
                fresh = (abs(work.back[k, 0, i, b]) + dev) * work.layers[k, i, 2 * CELLS + b]
                work.back[k, 2, i, b] = f32(1.00001) * (
                    fresh + abs(slope - reference) * dev + abs(reference) * own
                )


@uncounted_fast
def _widen(net: CertifiedNetwork, work: Work, half: Any, gradient: Any, errors: Any) -> None:
    """Add to the gradient's radii (rows 4 to 6) what the expansion leaves out; and bound float32 values' errors."""
    depth, width, size = net.encoded.shape
    gamma = f32(UNIT) * f32(width + size + 10)
    own_error = ERROR[net.codes[0]] + f32(10.0 * UNIT)
    for b in range(CELLS):
        errors[b] = f32(3e-6) + gamma * abs(net.last_bias[0])
    for i in range(width):
        weight = gamma * abs(net.last[0, i])
        for b in range(CELLS):
            errors[b] += weight * work.sizes[0, i, b]
    if net.phases.shape[0] > 0:
        _widen_encoding(net, work, gradient, errors)
    for k in range(depth):
        for i in range(width):
            here, dev = work.back[k, 0, i], work.back[k, 1, i]
            layer = work.layers[k, i]
            for b in range(CELLS):
                a = abs(here[b])
                change, v = layer[2 * CELLS + b], layer[4 * CELLS + b]
                lost = (a + dev[b]) * f32(3.0) * (abs(layer[b]) + change) * v
                share = dev[b] * change + a * layer[3 * CELLS + b]
                errors[b] += lost + (a + dev[b]) * own_error * (f32(1.0) + v / gamma)
                for axis in range(3):
                    jacobian = abs(work.jacobian[k, i, axis * CELLS + b])
                    gradient[4 + axis, b] += share * jacobian + lost / half
    for b in range(CELLS):
        for axis in range(3):
            steep = abs(gradient[1 + axis, b])
            gradient[4 + axis, b] = f32(SLACK) * gradient[4 + axis, b] + f32(4e-7) * steep
            errors[b] += f32(2.0 * UNIT) * (steep + gradient[4 + axis, b])  # of a rounded place
        errors[b] *= f32(SLACK)


@uncounted_fast
def _widen_encoding(net: CertifiedNetwork, work: Work, gradient: Any, errors: Any) -> None:
    """`_widen` for the units of a Fourier encoding: their slopes change in a cell, too."""
    depth, width, size = net.encoded.shape
    inputs, features = int(net.inputs[0]), net.phases.shape[0]
    here, dev, turned = work.rows[2], work.rows[3], work.rows[1]  # `_back` left d f / d encoded in the first
    for i in range(size):
        for b in range(CELLS):
            dev[i, b] = f32(0.0)
    for later in range(depth):
        multiply_back(work.reach[later], 0, size, work.back[later, 2], dev, CELLS)
    gamma = f32(UNIT) * f32(width + 10) * f32(depth)
    for k in range(depth):
        if net.sees[k]:
            for i in range(width):
                for b in range(CELLS):
                    turned[i, b] = gamma * abs(work.back[k, 0, i, b] * work.layers[k, i, b])
            multiply_back(net.encoded_size[k], 0, size, turned, dev, CELLS)
    for feature in range(2 * features):
        row, unit = net.phases[feature % features], inputs + feature
        for b in range(CELLS):
            a, other = abs(here[unit, b]), f32(SLACK) * dev[unit, b]
            share = other * work.encoded_error[1, unit, b] + a * work.encoded_error[2, unit, b]
            errors[b] += (a + other) * work.encoded_error[0, unit, b]
            for axis in range(3):
                gradient[4 + axis, b] += share * abs(row[axis])


@nb.njit(cache=True, nogil=True)
def certify(
    net: CertifiedNetwork,
    references: Any,
    first: Any,
    centres: Any,
    half: float,
    values: Any,
    radii: Any,
    bounds: Any,
    errors: Any,
) -> None:
    """Bound a network in cells that lie in blocks, each with a reference point.

    Args:
        net: The network.
        references: (G, 3) float32.
        first: (G + 1,) int64, where the cells of each block begin.
        centres: (N, 3) float32, exact.
        half: Half a cell's side.
        values: Out (N,): the field before its output activation lies within `radii` of it.
        radii: Out (N,).
        bounds: Out (N, 6) low and high gradient of the field itself, or (0, 6): not wanted.
        errors: Out (N,): bound on the error of a float32 value, where `bounds` are wanted.
    """
    work = make_work(net)
    gradient = np.zeros((10, CELLS), np.float32)
    value, radius, error = (
        np.zeros(CELLS, np.float32),
        np.zeros(CELLS, np.float32),
        np.zeros(CELLS, np.float32),
    )
    places = np.zeros((CELLS, 3), np.float32)
    wide = f32(half * (1.0 + 1e-6) + ENLARGE)
    for g in range(references.shape[0]):
        if first[g] == first[g + 1]:
            continue
        places[:] = references[g]
        encode(net, work, places, f32(0.0))
        set_reference(net, work, work.encoded)
        for start in range(first[g], first[g + 1], CELLS):
            count = min(CELLS, first[g + 1] - start)
            for b in range(CELLS):
                places[b] = centres[start + min(b, count - 1)]
            encode(net, work, places, wide)
            forward(net, work, wide)
            _value(net, work, wide, value, radius, gradient)
            _back(net, work, radius)
            for b in range(count):
                values[start + b] = value[b]
                radii[start + b] = radius[b]
            if bounds.shape[0] > 0:
                _back_changes(net, work)
                _widen(net, work, wide, gradient, error)
                for b in range(count):
                    _store(net, gradient[:, b], value[b], radius[b], error[b], bounds[start + b])
                    errors[start + b] = error[b]


@nb.njit(cache=True, nogil=True)
def _store(net: CertifiedNetwork, gradient: Any, value: float, radius: float, error: float, out: Any) -> None:
    """Write the gradient's bounds, after the output activation."""
    least, most = f32(1.0), f32(1.0)
    if net.codes[1] == 5:
        near = max(abs(value) - radius, 0.0)
        far = abs(value) + radius
        least, most = f32(max(1.0 - np.tanh(far) ** 2 - 1e-6, 0.0)), f32(1.0 - np.tanh(near) ** 2 + 1e-6)
    for axis in range(3):
        low, high = gradient[1 + axis] - gradient[4 + axis], gradient[1 + axis] + gradient[4 + axis]
        if not (low >= f32(-1e30) and high <= f32(1e30)):
            low, high = f32(-1e30), f32(1e30)
        out[axis] = min(low * least, low * most)
        out[axis + 3] = max(high * least, high * most)
