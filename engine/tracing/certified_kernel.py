"""Expansions of every unit of a network over small cells, with proven errors, for many cells at once.

In a cell with centre c and half side h each pre-activation is z(c + d) = z0 + J d + d Q d / 2 + (rest, at most e). J and
Q pass from layer to layer as they are, so that what cancels between units cancels here too: that is what makes the
bounds tight, since a distance field is smooth although its units are not. Only the rest is bounded by magnitudes. With
slopes s_k of this cell, layer k's rest obeys rest_k = W_k (s rest_(k-1) + remainder); unrolled along the slopes of a
*reference* point near the cell, it is

    |rest_k| <= sum_m |P_(m -> k)| sigma_m,   sigma = |s - s_reference| e + |remainder|,

P being products of matrices and reference slopes: true for any reference, and one serves the cells of a whole block.

Rounding: a sum of n products in float32 errs by at most (n + 2) u times the sum of magnitudes, in any order, u = 2^-24
[Higham 2002, section 4.2]; `GAMMA` times the magnitudes that a layer has seen is added to each unit (`v`), and what
the magnitudes themselves lose is under `SLACK`. Bounds are for the exact network of the float32 weights.

[Higham 2002] N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition, 2002.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from ..network.vector_tile import LANES
from .certified_activations import (
    BEYOND,
    CELLS,
    CHANGE,
    LINEAR,
    QUADRATIC,
    REMAINDER,
    REST,
    S0,
    S1,
    SECOND,
    SLOPE,
    VALUE,
    Z,
    derivatives,
    expand,
)
from .certified_network import CertifiedNetwork
from .certified_work import PARTS, SLACK, UNIT, Work, multiply
from .kernel_math import FAST, f32, uncounted_fast


@nb.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def set_reference(net: CertifiedNetwork, work: Work, encoded: Any) -> None:
    """Compute the reference's slopes and |P| from its encoded input, column 0 of (E, n)."""
    depth, width, size = net.encoded.shape
    h, z = np.zeros((width, LANES), np.float32), np.zeros((width, LANES), np.float32)
    for k in range(depth):
        for i in range(width):
            z[i, :] = net.biases[k, i]
        multiply(net.hidden[k], h, z, 1, width if k > 0 else 0)
        if net.sees[k]:
            multiply(net.encoded[k], encoded, z, 1, size)
        _reference_slopes(net.codes[0], z, h, work.slopes[k], work.unit)
        old, new = work.propagator[k % 2], work.propagator[(k + 1) % 2]
        known = size + k * width  # sources before this layer's own
        for i in range(width):
            new[i, :] = f32(0.0)
        if k > 0:
            for i in range(width):
                _scale_row(old[i], work.slopes[k - 1, i], known - width, width, i)
            multiply(net.hidden[k], old, new, known, width)
        if net.sees[k]:
            new[:, :size] += net.encoded[k]
        for i in range(width):
            _magnitudes(new[i], work.reach[k, i], known)


@uncounted_fast
def _scale_row(row: Any, slope: Any, count: int, width: int, own: int) -> None:
    """Multiply a unit's row of the propagator by its slope, and let its own remainder enter."""
    for s in range(count):
        row[s] *= slope
    for s in range(width):
        row[count + s] = f32(0.0)
    row[count + own] = f32(1.0)


@uncounted_fast
def _magnitudes(row: Any, out: Any, count: int) -> None:
    for s in range(count):
        out[s] = abs(row[s])


@uncounted_fast
def _reference_slopes(code: int, z: Any, h: Any, slopes: Any, unit: Any) -> None:
    """Take column 0 of z (W, n) through the activation into h, and store the slopes (W,)."""
    low = f32(0.0) if code == 1 else f32(0.01)
    for start in range(0, z.shape[0], CELLS):
        count = min(CELLS, z.shape[0] - start)
        for i in range(count):
            unit[Z + i] = z[start + i, 0]
        if code > 2:
            derivatives(code, unit)
        for i in range(count):
            if code <= 2:
                unit[S1 + i] = f32(1.0) if unit[Z + i] > f32(0.0) else low
                unit[S0 + i] = unit[S1 + i] * unit[Z + i]
            slopes[start + i] = unit[S1 + i]
            h[start + i, 0] = unit[S0 + i]


@uncounted_fast
def encode(net: CertifiedNetwork, work: Work, centres: Any, half: Any) -> None:
    """Expand the encoded input in cells with centres (CELLS, 3): rows of `encoded`, its magnitudes and its errors."""
    inputs, features = int(net.inputs[0]), net.phases.shape[0]
    work.encoded[:] = f32(0.0)
    work.sizes[1] = f32(0.0)
    work.encoded_error[:] = f32(0.0)
    for b in range(CELLS):
        for axis in range(3):
            work.encoded[axis, b] = centres[b, axis]
            work.encoded[axis, (axis + 1) * CELLS + b] = f32(1.0)
            work.sizes[1, axis, b] = abs(centres[b, axis]) + half
        if inputs == 4:
            work.encoded[3, b] = net.inputs[1]
            work.sizes[1, 3, b] = abs(net.inputs[1])
    unit = work.unit
    for feature in range(features):
        row = net.phases[feature]
        swing = (abs(row[0]) + abs(row[1]) + abs(row[2])) * half * f32(1.0001)
        whole = abs(row[0]) + abs(row[1]) + abs(row[2]) + abs(row[3] * net.inputs[1])
        for cosine in range(2):
            shift = row[3] * net.inputs[1] + (f32(1.57079633) if cosine else f32(0.0))
            for b in range(CELLS):
                unit[Z + b] = row[0] * centres[b, 0] + row[1] * centres[b, 1] + row[2] * centres[b, 2] + shift
                unit[LINEAR + b], unit[QUADRATIC + b] = swing, f32(0.0)
                unit[REST + b] = f32(8.0 * UNIT) * (whole + f32(2.0))
            expand(7, unit)
            _store_feature(work, row, inputs + cosine * features + feature)


@uncounted_fast
def _store_feature(work: Work, row: Any, place: int) -> None:
    target, unit = work.encoded[place], work.unit
    for b in range(CELLS):
        s1, s2, j = unit[SLOPE + b], unit[SECOND + b], unit[LINEAR + b]
        target[b] = unit[VALUE + b]
        for axis in range(3):
            target[(1 + axis) * CELLS + b] = s1 * row[axis]
            target[(4 + axis) * CELLS + b] = s2 * row[axis] * row[axis]
        target[7 * CELLS + b] = s2 * row[0] * row[1]
        target[8 * CELLS + b] = s2 * row[0] * row[2]
        target[9 * CELLS + b] = s2 * row[1] * row[2]
        size = f32(1.0) + j + j * j
        error = unit[REMAINDER + b] + abs(s1) * unit[REST + b] + f32(8.0 * UNIT) * size
        work.sizes[1, place, b] = size + error
        work.encoded_error[0, place, b] = error
        work.encoded_error[1, place, b] = f32(1.00001) * unit[CHANGE + b]
        work.encoded_error[2, place, b] = f32(1.00001) * unit[BEYOND + b] + f32(8.0 * UNIT) * size


@uncounted_fast
def forward(net: CertifiedNetwork, work: Work, half: Any) -> None:
    """Expand every layer in encoded cells; leaves the last hidden layer in `h`, its magnitudes in `sizes[0]`."""
    depth, width, size = net.encoded.shape
    gamma = f32(UNIT) * f32(width + size + 10)
    columns = PARTS * CELLS
    for i in range(size):
        _copy(work.encoded_error[0, i], work.sigma[i])
    v, e = work.rows[0], work.sizes[2]
    for k in range(depth):
        for i in range(width):
            bias = net.biases[k, i]
            work.z[i, :CELLS] = bias
            work.z[i, CELLS:] = f32(0.0)
            v[i] = abs(bias)
            e[i] = f32(0.0)
        if k > 0:
            multiply(net.hidden[k], work.h, work.z, columns, width)
            multiply(net.hidden_size[k], work.sizes[0], v, CELLS, width)
        if net.sees[k]:
            multiply(net.encoded[k], work.encoded, work.z, columns, size)
            multiply(net.encoded_size[k], work.sizes[1], v, CELLS, size)
        multiply(work.reach[k], work.sigma, e, CELLS, size + k * width)
        source = size + k * width
        for i in range(width):
            unit = work.unit
            _measure(work.z[i], v[i], e[i], unit, half, gamma)
            expand(net.codes[0], unit)
            _bend(work.z[i], work.h[i], unit)
            _copy(work.z[i, CELLS : 4 * CELLS], work.jacobian[k, i])
            _store_errors(
                unit, work.layers[k, i], v[i], work.sigma[source + i], work.sizes[0, i], work.slopes[k, i]
            )


@uncounted_fast
def _copy(source: Any, target: Any) -> None:
    for b in range(source.shape[0]):
        target[b] = source[b]


@uncounted_fast
def _measure(z: Any, v: Any, e: Any, unit: Any, half: Any, gamma: Any) -> None:
    """Bound the parts of a unit's pre-activation, z's row; v (CELLS,) becomes its rounding, from magnitudes."""
    square = half * half * f32(1.0001)
    for b in range(CELLS):
        first = abs(z[CELLS + b]) + abs(z[2 * CELLS + b]) + abs(z[3 * CELLS + b])
        own = abs(z[4 * CELLS + b]) + abs(z[5 * CELLS + b]) + abs(z[6 * CELLS + b])
        mixed = abs(z[7 * CELLS + b]) + abs(z[8 * CELLS + b]) + abs(z[9 * CELLS + b])
        unit[Z + b] = z[b]
        unit[LINEAR + b] = first * half * f32(1.0001)
        unit[QUADRATIC + b] = (f32(0.5) * own + mixed) * square
    for b in range(CELLS):
        lost = gamma * v[b] + f32(1e-30)
        v[b] = lost
        unit[REST + b] = f32(SLACK) * (e[b] + lost)


@uncounted_fast
def _bend(z: Any, h: Any, unit: Any) -> None:
    """Take the expansion of a unit through its activation: z's row to h's."""
    for b in range(CELLS):
        x, y, w = z[CELLS + b], z[2 * CELLS + b], z[3 * CELLS + b]
        a, c = unit[SLOPE + b], unit[SECOND + b]
        h[b] = unit[VALUE + b]
        h[CELLS + b] = a * x
        h[2 * CELLS + b] = a * y
        h[3 * CELLS + b] = a * w
        h[4 * CELLS + b] = a * z[4 * CELLS + b] + c * x * x
        h[5 * CELLS + b] = a * z[5 * CELLS + b] + c * y * y
        h[6 * CELLS + b] = a * z[6 * CELLS + b] + c * w * w
        h[7 * CELLS + b] = a * z[7 * CELLS + b] + c * x * y
        h[8 * CELLS + b] = a * z[8 * CELLS + b] + c * x * w
        h[9 * CELLS + b] = a * z[9 * CELLS + b] + c * y * w


@uncounted_fast
def _store_errors(unit: Any, layer: Any, v: Any, sigma: Any, size: Any, reference: Any) -> None:
    """Keep what a unit's expansion leaves out: its row of `layers`, of `sigma` and of the magnitudes."""
    for b in range(CELLS):
        j, q, e, a = unit[LINEAR + b], unit[QUADRATIC + b], unit[REST + b], abs(unit[SLOPE + b])
        bent = abs(unit[SECOND + b]) * j * j + unit[REMAINDER + b]
        total = abs(unit[VALUE + b]) + (a + abs(reference)) * (j + q + e) + bent
        rest = f32(1.00001) * unit[REMAINDER + b] + f32(10.0 * UNIT) * total
        mismatch = abs(unit[SLOPE + b] - reference)
        layer[b] = unit[SLOPE + b]
        layer[CELLS + b] = rest
        layer[2 * CELLS + b] = f32(1.00001) * unit[CHANGE + b]
        layer[3 * CELLS + b] = f32(1.00001) * unit[BEYOND + b]
        layer[4 * CELLS + b] = v[b]
        sigma[b] = f32(1.00001) * (mismatch * e + abs(reference) * v[b] + rest)
        size[b] = total
