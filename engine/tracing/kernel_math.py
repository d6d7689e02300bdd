"""Activations as straight-line float32 code that LLVM turns into vector instructions.

No call into a mathematics library stands in a loop: sine and exponential are polynomials after range reduction.
Errors against float64, tested: sine 2e-7 for |x| < 100, exponential 2e-7 relative, so every activation and slope is
right to 1e-6 of max(1, |x|).
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

FAST = {"contract", "nsz", "arcp", "reassoc"}  # numbers that are not finite keep their meaning
CODES = {
    name: code
    for code, name in enumerate(
        (
            "none",
            "relu",
            "leaky_relu",
            "elu",
            "softplus",
            "tanh",
            "sigmoid",
            "sine",
            "silu",
            "gelu",
            "hard_gelu",
        )
    )
}
BLOCK = 128  # points
f32 = np.float32
_inline = nb.njit(inline="always", fastmath=FAST, error_model="numpy")


@_inline
def _sin(x: Any) -> Any:
    turns = np.floor(x * f32(0.318309886) + f32(0.5))
    r = x - turns * f32(3.140625)  # pi in three parts, so that the difference is exact
    r = r - turns * f32(9.67502593994e-4)
    r = r - turns * f32(1.50995799098e-7)
    odd = turns - f32(2.0) * np.floor(turns * f32(0.5))
    u = r * r
    p = f32(-1.98087928e-4) + u * f32(2.60457914e-6)
    p = f32(8.33304727e-3) + u * p
    p = f32(-1.66666578e-1) + u * p
    return (f32(1.0) - f32(2.0) * odd) * (r + r * u * p)


@_inline
def _exp(x: Any) -> Any:
    x = min(max(x, f32(-87.0)), f32(87.0))
    twos = np.floor(x * f32(1.44269504) + f32(0.5))
    r = x - twos * f32(0.693359375)
    r = r + twos * f32(2.12194440e-4)
    p = f32(8.37486e-3) + r * f32(1.38293e-3)
    p = f32(4.166836e-2) + r * p
    p = f32(1.666642e-1) + r * p
    p = f32(0.49999991) + r * p
    p = f32(1.00000004) + r * p
    p = f32(1.0) + r * p
    return p * np.int32((np.int32(twos) + np.int32(127)) << np.int32(23)).view(np.float32)


@_inline
def _sigmoid(x: Any) -> Any:
    return f32(1.0) / (f32(1.0) + _exp(-x))


@_inline
def _log1p_unit(e: Any) -> Any:
    """log(1 + e) for e in [0, 1], as an area tangent."""
    s = e / (f32(2.0) + e)
    u = s * s
    p = f32(2.0 / 11.0) + u * f32(2.0 / 13.0)
    p = f32(2.0 / 9.0) + u * p
    p = f32(2.0 / 7.0) + u * p
    p = f32(2.0 / 5.0) + u * p
    p = f32(2.0 / 3.0) + u * p
    return s * (f32(2.0) + u * p)


@_inline
def _normal_cdf(x: Any) -> Any:
    """Standard normal distribution, by Abramowitz and Stegun 7.1.26 (absolute error 1.5e-7)."""
    z = abs(x) * f32(0.70710678)
    t = f32(1.0) / (f32(1.0) + f32(0.3275911) * z)
    p = f32(-1.453152027) + t * f32(1.061405429)
    p = f32(1.421413741) + t * p
    p = f32(-0.284496736) + t * p
    p = f32(0.254829592) + t * p
    tail = f32(0.5) * t * p * _exp(-z * z)
    return tail if x < f32(0.0) else f32(1.0) - tail


@nb.njit(fastmath=FAST, nogil=True, cache=True, error_model="numpy")
def activate(code: int, row: Any) -> None:
    """Apply an activation to a row (BLOCK,) in place."""
    if code == 1:
        for b in range(BLOCK):
            row[b] = max(row[b], f32(0.0))
    elif code == 2:
        for b in range(BLOCK):
            row[b] = max(row[b], f32(0.01) * row[b])
    elif code == 3:
        for b in range(BLOCK):
            x = row[b]
            row[b] = x if x > f32(0.0) else _exp(x) - f32(1.0)
    elif code == 4:
        for b in range(BLOCK):
            x = row[b]
            row[b] = max(x, f32(0.0)) + _log1p_unit(_exp(-abs(x)))
    elif code == 5:
        for b in range(BLOCK):
            row[b] = f32(2.0) * _sigmoid(f32(2.0) * row[b]) - f32(1.0)
    elif code == 6:
        for b in range(BLOCK):
            row[b] = _sigmoid(row[b])
    elif code == 7:
        for b in range(BLOCK):
            row[b] = _sin(row[b])
    elif code == 8:
        for b in range(BLOCK):
            row[b] = row[b] * _sigmoid(row[b])
    elif code == 9:
        for b in range(BLOCK):
            row[b] = row[b] * _normal_cdf(row[b])
    elif code == 10:
        for b in range(BLOCK):
            x = row[b]
            u = min(max(f32(0.4) * x, f32(-1.0)), f32(1.0))
            w = u * u
            row[b] = x * (f32(0.5) + u * (f32(0.9375) + w * (f32(0.1875) * w - f32(0.625))))


@_inline
def slope(code: int, x: Any) -> Any:
    """Derivative of an activation at x."""
    one = f32(1.0)
    if code == 1:
        return one if x > f32(0.0) else f32(0.0)
    if code == 2:
        return one if x > f32(0.0) else f32(0.01)
    if code == 3:
        return one if x > f32(0.0) else _exp(x)
    if code == 4:
        return _sigmoid(x)
    if code == 5:
        value = f32(2.0) * _sigmoid(f32(2.0) * x) - one
        return one - value * value
    if code == 6:
        share = _sigmoid(x)
        return share * (one - share)
    if code == 7:
        return _sin(x + f32(1.57079633))
    if code == 8:
        share = _sigmoid(x)
        return share * (one + x * (one - share))
    if code == 9:
        return _normal_cdf(x) + x * f32(0.398942280) * _exp(f32(-0.5) * x * x)
    if code == 10:
        u = min(max(f32(0.4) * x, f32(-1.0)), one)
        w = u * u
        gate = f32(0.5) + u * (f32(0.9375) + w * (f32(0.1875) * w - f32(0.625)))
        return gate + f32(0.375) * x * (one - w) * (one - w)
    return one
