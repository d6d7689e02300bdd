"""Numba kernels of the fused step: one block of points through all layers and back.

Arrays of a block are (rows, BLOCK), points along the fast axis, so that every inner loop is a vector loop. `rows`
is a multiple of four. The activations are those of `protocol/weights.py`, to about 2e-7. Reference: `losses.torch_step`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .cache import use_cache_folder

use_cache_folder()  # before numba is imported
from numba import njit  # noqa: E402

BLOCK = 256  # points; the activations and slopes of 8 layers of 32 are 560 kB
ACTIVATION_CODES = {
    "relu": 0,
    "leaky_relu": 1,
    "elu": 2,
    "softplus": 3,
    "tanh": 4,
    "sigmoid": 5,
    "sine": 6,
    "silu": 7,
    "gelu": 8,
}
_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "fastmath": True,
    "boundscheck": False,
    "error_model": "numpy",
}


@njit(inline="always", **_OPTIONS)
def _exp(x: Any) -> Any:
    """exp to 2e-7 relative: 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2]."""
    x = min(max(x, np.float32(-87.0)), np.float32(88.0))
    n = np.floor(x * np.float32(1.4426950408889634) + np.float32(0.5))
    r = x - n * np.float32(0.693359375) + n * np.float32(2.12194440e-4)
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    p = p * r * r + r + np.float32(1.0)
    power = (np.int32(n) + np.int32(127)) << np.int32(23)
    return p * np.int32(power).view(np.float32)


@njit(**_OPTIONS)
def _activate(code: Any, z: Any, h: Any, d: Any) -> None:
    """One row: h = activation(z), d = its derivative."""
    one, half, zero = np.float32(1.0), np.float32(0.5), np.float32(0.0)
    if code == 0:
        for b in range(BLOCK):
            d[b] = one if z[b] > zero else zero
            h[b] = max(z[b], zero)
    elif code == 1:
        for b in range(BLOCK):
            d[b] = one if z[b] > zero else np.float32(0.01)
            h[b] = z[b] * d[b]
    elif code == 2:
        for b in range(BLOCK):
            e = _exp(min(z[b], zero))
            h[b] = z[b] if z[b] > zero else e - one
            d[b] = one if z[b] > zero else e
    elif code == 3:
        for b in range(BLOCK):
            d[b] = one / (one + _exp(-z[b]))
        for b in range(BLOCK):
            e = _exp(-abs(z[b]))
            y = e / (np.float32(2.0) + e)  # log(1 + e) = 2 artanh(y), y at most 1/3
            q = y * y
            p = np.float32(1.0 / 11.0) * q + np.float32(1.0 / 9.0)
            p = (p * q + np.float32(1.0 / 7.0)) * q + np.float32(0.2)
            p = (p * q + np.float32(1.0 / 3.0)) * q + one
            h[b] = max(z[b], zero) + np.float32(2.0) * y * p
    elif code == 4:
        for b in range(BLOCK):
            e = _exp(np.float32(-2.0) * abs(z[b]))
            t = (one - e) / (one + e)
            h[b] = t if z[b] > zero else -t
            d[b] = one - t * t
    elif code == 5:
        for b in range(BLOCK):
            s = one / (one + _exp(-z[b]))
            h[b] = s
            d[b] = s * (one - s)
    elif code == 6:
        _sine_row(z, h, d)
    elif code == 7:
        for b in range(BLOCK):
            s = one / (one + _exp(-z[b]))
            h[b] = z[b] * s
            d[b] = s * (one + z[b] * (one - s))
    else:
        for b in range(BLOCK):
            x = abs(z[b]) * np.float32(0.7071067811865476)
            e = _exp(-x * x)
            t = one / (one + np.float32(0.3275911) * x)
            p = np.float32(1.061405429) * t - np.float32(1.453152027)
            p = (p * t + np.float32(1.421413741)) * t - np.float32(0.284496736)
            p = (p * t + np.float32(0.254829592)) * t
            upper = half * p * e  # 1 - the normal distribution at |z| [Abramowitz and Stegun 7.1.26]
            share = one - upper if z[b] > zero else upper
            h[b] = z[b] * share
            d[b] = share + z[b] * np.float32(0.3989422804014327) * e


@njit(**_OPTIONS)
def _sine_row(z: Any, h: Any, d: Any) -> None:
    one = np.float32(1.0)
    for b in range(BLOCK):
        n = np.floor(z[b] * np.float32(0.3183098861837907) + np.float32(0.5))
        r = z[b] - n * np.float32(3.140625) - n * np.float32(9.67653589793e-4)
        q = r * r
        s = np.float32(-2.5052108e-8) * q + np.float32(2.7557319e-6)
        s = (s * q - np.float32(1.9841270e-4)) * q + np.float32(8.3333333e-3)
        s = ((s * q - np.float32(0.16666667)) * q + one) * r
        c = np.float32(2.0876757e-9) * q - np.float32(2.7557319e-7)
        c = (c * q + np.float32(2.4801587e-5)) * q - np.float32(1.3888889e-3)
        c = ((c * q + np.float32(4.1666667e-2)) * q - np.float32(0.5)) * q + one
        sign = one - np.float32(2.0) * (n - np.float32(2.0) * np.floor(n * np.float32(0.5)))
        h[b] = s * sign
        d[b] = c * sign


@njit(**_OPTIONS)
def _multiply(matrix: Any, fan_in: Any, bias: Any, x: Any, out: Any) -> None:
    """out (rows, BLOCK) = matrix[:, :fan_in] x + bias; two rows and four columns at a time."""
    for o in range(0, out.shape[0], 2):
        first, second = out[o], out[o + 1]
        for b in range(BLOCK):
            first[b] = bias[o]
            second[b] = bias[o + 1]
        for i in range(0, fan_in, 4):
            x0, x1, x2, x3 = x[i], x[i + 1], x[i + 2], x[i + 3]
            a0, a1, a2, a3 = matrix[o, i], matrix[o, i + 1], matrix[o, i + 2], matrix[o, i + 3]
            c0, c1, c2, c3 = (
                matrix[o + 1, i],
                matrix[o + 1, i + 1],
                matrix[o + 1, i + 2],
                matrix[o + 1, i + 3],
            )
            for b in range(BLOCK):
                first[b] += a0 * x0[b] + a1 * x1[b] + a2 * x2[b] + a3 * x3[b]
                second[b] += c0 * x0[b] + c1 * x1[b] + c2 * x2[b] + c3 * x3[b]


@njit(**_OPTIONS)
def _add_outer(slope: Any, x: Any, fan_in: Any, gradient: Any) -> None:
    """gradient[:, :fan_in] += slope x^T, and its last column += the sum of slope."""
    last = gradient.shape[1] - 1
    zero = np.float32(0.0)
    for o in range(0, slope.shape[0], 2):
        s, t = slope[o], slope[o + 1]
        for i in range(0, fan_in, 4):
            x0, x1, x2, x3 = x[i], x[i + 1], x[i + 2], x[i + 3]
            a0, a1, a2, a3, c0, c1, c2, c3 = zero, zero, zero, zero, zero, zero, zero, zero
            for b in range(BLOCK):
                a0 += s[b] * x0[b]
                a1 += s[b] * x1[b]
                a2 += s[b] * x2[b]
                a3 += s[b] * x3[b]
                c0 += t[b] * x0[b]
                c1 += t[b] * x1[b]
                c2 += t[b] * x2[b]
                c3 += t[b] * x3[b]
            gradient[o, i] += a0
            gradient[o, i + 1] += a1
            gradient[o, i + 2] += a2
            gradient[o, i + 3] += a3
            gradient[o + 1, i] += c0
            gradient[o + 1, i + 1] += c1
            gradient[o + 1, i + 2] += c2
            gradient[o + 1, i + 3] += c3
        p, q = zero, zero
        for b in range(BLOCK):
            p += s[b]
            q += t[b]
        gradient[o, last] += p
        gradient[o + 1, last] += q


@njit(**_OPTIONS)
def block_gradients(
    parameters: Any, transposed: Any, points: Any, distances: Any, code: Any, gradient: Any
) -> Any:
    """Add up |f - d| and its gradient over points (N, 3); give the sum."""
    depth, rows = parameters.shape[0] - 1, parameters.shape[1]
    h = np.zeros((depth + 1, rows, BLOCK), np.float32)
    d = np.zeros((depth, rows, BLOCK), np.float32)
    z = np.zeros((rows, BLOCK), np.float32)
    slope = np.zeros((rows, BLOCK), np.float32)
    output = np.zeros((2, BLOCK), np.float32)
    nothing = np.zeros(rows, np.float32)
    total = 0.0
    for start in range(0, len(points), BLOCK):
        size = min(BLOCK, len(points) - start)
        for b in range(BLOCK):
            source = start + min(b, size - 1)
            for axis in range(3):
                h[0, axis, b] = points[source, axis]
        for k in range(depth):
            _multiply(parameters[k], 4 if k == 0 else rows, parameters[k, :, rows], h[k], z)
            for o in range(rows):
                _activate(code, z[o], h[k + 1, o], d[k, o])
        _multiply(parameters[depth, :2], rows, parameters[depth, :, rows], h[depth], output)
        for b in range(BLOCK):
            error = output[0, b] - distances[start + min(b, size - 1)]
            used = np.float32(1.0) if b < size else np.float32(0.0)
            total += abs(error) * used
            output[0, b] = used if error > np.float32(0.0) else -used
            output[1, b] = np.float32(0.0)
        _add_outer(output, h[depth], rows, gradient[depth])
        for o in range(rows):
            weight = parameters[depth, 0, o]
            for b in range(BLOCK):
                slope[o, b] = weight * output[0, b] * d[depth - 1, o, b]
        for k in range(depth - 1, -1, -1):
            _add_outer(slope, h[k], 4 if k == 0 else rows, gradient[k])
            if k > 0:
                _multiply(transposed[k], rows, nothing, slope, z)
                for o in range(rows):
                    for b in range(BLOCK):
                        slope[o, b] = z[o, b] * d[k - 1, o, b]
    return total
