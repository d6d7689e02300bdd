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

from .certified_activations import derivatives, expand
from .certified_network import CertifiedNetwork
from .certified_work import PARTS, SLACK, UNIT, Work, multiply, whole
from .kernel_math import FAST, f32
from .product_tile import COLUMNS


@nb.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def set_reference(net: CertifiedNetwork, work: Work, encoded: Any) -> None:
    """Compute the reference's slopes and |P| from its encoded input, column 0 of (E, n)."""
    depth, width, size = net.encoded.shape
    h, z = np.zeros((width, COLUMNS), np.float32), np.zeros((width, COLUMNS), np.float32)
    d, column = np.zeros((4, width), np.float32), np.zeros(width, np.float32)
    code = net.codes[0]
    for k in range(depth):
        for i in range(width):
            z[i, :] = net.biases[k, i]
        multiply(net.hidden[k], h, z, 1, width if k > 0 else 0)
        if net.sees[k]:
            multiply(net.encoded[k], encoded, z, 1, size)
        for i in range(width):
            column[i] = z[i, 0]
        _reference_slopes(code, column, d, width)
        old, new = work.propagator[k % 2], work.propagator[(k + 1) % 2]
        known = size + k * width  # sources before this layer's own
        new[:, : whole(known)] = f32(0.0)
        if k > 0:
            for i in range(width):
                slope = work.slopes[k - 1, i]
                for s in range(known - width):
                    old[i, s] *= slope
                for s in range(width):
                    old[i, known - width + s] = f32(1.0) if s == i else f32(0.0)
            multiply(net.hidden[k], old, new, known, width)
        if net.sees[k]:
            new[:, :size] += net.encoded[k]
        for i in range(width):
            work.slopes[k, i] = d[1, i]
            h[i, 0] = d[0, i]
            for s in range(known):
                work.reach[k, i, s] = abs(new[i, s])


@nb.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _reference_slopes(code: int, z: Any, out: Any, count: int) -> None:
    if code > 2:
        derivatives(code, z, out, count)
        return
    slope = f32(0.0) if code == 1 else f32(0.01)
    for i in range(count):
        out[1, i] = f32(1.0) if z[i] > f32(0.0) else slope
        out[0, i] = out[1, i] * z[i]


@nb.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def encode(net: CertifiedNetwork, work: Work, centres: Any, half: Any, n: int) -> None:
    """Expand the encoded input in n cells with centres (n, 3): rows of `encoded`, its magnitudes and its errors."""
    inputs, features = int(net.inputs[0]), net.phases.shape[0]
    work.encoded[:] = f32(0.0)
    work.sizes[1] = f32(0.0)
    work.encoded_error[:] = f32(0.0)
    for b in range(n):
        for axis in range(3):
            work.encoded[axis, b] = centres[b, axis]
            work.encoded[axis, (axis + 1) * n + b] = f32(1.0)
            work.sizes[1, axis, b] = abs(centres[b, axis]) + half
        if inputs == 4:
            work.encoded[3, b] = net.inputs[1]
            work.sizes[1, 3, b] = abs(net.inputs[1])
    for feature in range(features):
        phase, bounds = work.values[0], work.bounds
        row = net.phases[feature]
        swing = (abs(row[0]) + abs(row[1]) + abs(row[2])) * half * f32(1.0001)
        whole = abs(row[0]) + abs(row[1]) + abs(row[2]) + abs(row[3] * net.inputs[1])
        for cosine in range(2):
            shift = f32(1.57079633) if cosine else f32(0.0)
            for b in range(n):
                phase[b] = row[0] * centres[b, 0] + row[1] * centres[b, 1] + row[2] * centres[b, 2]
                phase[b] += row[3] * net.inputs[1] + shift
                bounds[0, b], bounds[1, b], bounds[2, b] = (
                    swing,
                    f32(0.0),
                    f32(8.0 * UNIT) * (whole + f32(2.0)),
                )
            expand(7, phase, bounds, work.expansion, work.rows[3], n)
            unit = inputs + cosine * features + feature
            _store_feature(work, row, half, unit, n)


@nb.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _store_feature(work: Work, row: Any, half: Any, unit: int, n: int) -> None:
    target, expansion, bounds = work.encoded[unit], work.expansion, work.bounds
    for b in range(n):
        s1, s2, j = expansion[1, b], expansion[2, b], bounds[0, b]
        target[b] = expansion[0, b]
        for axis in range(3):
            target[(1 + axis) * n + b] = s1 * row[axis]
            target[(4 + axis) * n + b] = s2 * row[axis] * row[axis]
        target[7 * n + b] = s2 * row[0] * row[1]
        target[8 * n + b] = s2 * row[0] * row[2]
        target[9 * n + b] = s2 * row[1] * row[2]
        size = f32(1.0) + j + j * j
        error = expansion[3, b] + abs(s1) * bounds[2, b] + f32(8.0 * UNIT) * size
        work.sizes[1, unit, b] = size + error
        work.encoded_error[0, unit, b] = error
        work.encoded_error[1, unit, b] = f32(1.00001) * expansion[4, b]
        work.encoded_error[2, unit, b] = f32(1.00001) * expansion[5, b] + f32(8.0 * UNIT) * size


@nb.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def forward(net: CertifiedNetwork, work: Work, half: Any, n: int) -> None:
    """Expand every layer in n encoded cells; leaves the last hidden layer in `h`, its magnitudes in `sizes[0]`."""
    depth, width, size = net.encoded.shape
    gamma = f32(UNIT) * f32(width + size + 10)
    columns = PARTS * n
    for i in range(size):
        for b in range(n):
            work.sigma[i, b] = work.encoded_error[0, i, b]
    for k in range(depth):
        v, e = work.layers[k, 4], work.sizes[2]
        for i in range(width):
            bias = net.biases[k, i]
            for b in range(n):
                work.z[i, b] = bias
                v[i, b] = abs(bias)
                e[i, b] = f32(0.0)
            for b in range(n, columns):
                work.z[i, b] = f32(0.0)
        if k > 0:
            multiply(net.hidden[k], work.h, work.z, columns, width)
            multiply(net.hidden_size[k], work.sizes[0], v, n, width)
        if net.sees[k]:
            multiply(net.encoded[k], work.encoded, work.z, columns, size)
            multiply(net.encoded_size[k], work.sizes[1], v, n, size)
        known = size + k * width
        multiply(work.reach[k], work.sigma, e, n, known)
        for i in range(width):
            for b in range(n):
                v[i, b] = gamma * v[i, b] + f32(1e-30)
                e[i, b] = f32(SLACK) * (e[i, b] + v[i, b])
            _activate_unit(net, work, k, i, half, n)


@nb.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _activate_unit(net: CertifiedNetwork, work: Work, k: int, i: int, half: Any, n: int) -> None:
    """Take unit i of layer k through its activation: `z`'s row to `h`'s."""
    z, h, bounds, out = work.z[i], work.h[i], work.bounds, work.expansion
    z1, z2, z3 = z[n:], z[2 * n :], z[3 * n :]
    q1, q2, q3, q4, q5, q6 = z[4 * n :], z[5 * n :], z[6 * n :], z[7 * n :], z[8 * n :], z[9 * n :]
    square = half * half * f32(1.0001)
    j, q, e = bounds[0], bounds[1], bounds[2]
    for b in range(n):
        j[b] = (abs(z1[b]) + abs(z2[b]) + abs(z3[b])) * half * f32(1.0001)
        mixed = abs(q4[b]) + abs(q5[b]) + abs(q6[b])
        q[b] = (f32(0.5) * (abs(q1[b]) + abs(q2[b]) + abs(q3[b])) + mixed) * square
        e[b] = work.sizes[2, i, b]
    expand(net.codes[0], z, bounds, out, work.values, n)
    s0, s1, s2 = out[0], out[1], out[2]
    h1, h2, h3 = h[n:], h[2 * n :], h[3 * n :]
    g1, g2, g3, g4, g5, g6 = h[4 * n :], h[5 * n :], h[6 * n :], h[7 * n :], h[8 * n :], h[9 * n :]
    for b in range(n):
        x, y, w, a, c = z1[b], z2[b], z3[b], s1[b], s2[b]
        h[b] = s0[b]
        h1[b] = a * x
        h2[b] = a * y
        h3[b] = a * w
        g1[b] = a * q1[b] + c * x * x
        g2[b] = a * q2[b] + c * y * y
        g3[b] = a * q3[b] + c * w * w
        g4[b] = a * q4[b] + c * x * y
        g5[b] = a * q5[b] + c * x * w
        g6[b] = a * q6[b] + c * y * w
    for b in range(n):
        work.jacobian[k, 0, i, b] = z1[b]
        work.jacobian[k, 1, i, b] = z2[b]
        work.jacobian[k, 2, i, b] = z3[b]
    _store_errors(work, k, i, n, work.slopes[k, i])


@nb.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _store_errors(work: Work, k: int, i: int, n: int, reference: Any) -> None:
    bounds, out = work.bounds, work.expansion
    slope, remainder, change, beyond, v = (
        work.layers[k, 0, i],
        work.layers[k, 1, i],
        work.layers[k, 2, i],
        work.layers[k, 3, i],
        work.layers[k, 4, i],
    )
    row = work.encoded.shape[0] + k * work.h.shape[0] + i
    sigma, size = work.sigma[row], work.sizes[0, i]
    for b in range(n):
        j, q, e, a = bounds[0, b], bounds[1, b], bounds[2, b], abs(out[1, b])
        total = abs(out[0, b]) + (a + abs(reference)) * (j + q + e) + abs(out[2, b]) * j * j + out[3, b]
        rest = f32(1.00001) * out[3, b] + f32(10.0 * UNIT) * total
        slope[b] = out[1, b]
        remainder[b] = rest
        change[b] = f32(1.00001) * out[4, b]
        beyond[b] = f32(1.00001) * out[5, b]
        sigma[b] = f32(1.00001) * (abs(out[1, b] - reference) * e + abs(reference) * v[b] + rest)
        size[b] = total
