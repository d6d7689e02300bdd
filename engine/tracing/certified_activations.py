"""Activations over intervals: an expansion of second order about a centre, and a proven bound on what it leaves out.

Let z(x) = z0 + w with |w| <= r, w = (linear part, at most j) + (quadratic part, at most q) + (rest, at most e). Then

    s(z) = s(z0) + s'(z0) w + s''(z0) (linear part)^2 / 2 + remainder,
    |remainder| <= |s''| (j (q + e) + (q + e)^2 / 2) + C3 r^3 / 6        (Taylor with C3 >= |s'''| on the range), and
    |remainder| <= min(C2 r^2 / 2, S r) + |s''| j^2 / 2                  (C2 >= |s''|, S >= |s'(z) - s'(z0)| there).

Bounds on a range come from the value at its centre and the largest next derivative anywhere (`LARGEST`, tested against
dense samples). Piecewise linear activations whose kink is in the range take the chord's slope and half the gap instead.
Kernel functions are right to `ERROR` of max(1, |z|) (kernel_math, tested), which is added.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from .kernel_math import FAST, _exp, _normal_cdf, _sigmoid, _sin, f32

ERROR = 4e-6  # of max(1, |z|): of a value or a derivative that the loops below compute
FAR = 90.0  # beyond it sine's argument is reduced with less accuracy, and nothing is assumed of it
# By code: largest |s''|, |s'''|, |s''''| anywhere, least and largest s'; rounded up (down). relu, leaky_relu: unused.
LARGEST = np.array(
    [
        (0.0, 0.0, 0.0, 1.0, 1.0),  # none
        (0.0, 0.0, 0.0, 0.0, 1.0),  # relu
        (0.0, 0.0, 0.0, 0.01, 1.0),  # leaky_relu
        (1.0, 1.0, 1.0, 0.0, 1.0),  # elu, beside its kink
        (0.2501, 0.0963, 0.1251, 0.0, 1.0),  # softplus
        (0.7699, 2.0001, 4.086, 0.0, 1.0),  # tanh
        (0.09624, 0.1251, 0.1277, 0.0, 0.2501),  # sigmoid
        (1.0001, 1.0001, 1.0001, -1.0, 1.0),  # sine
        (0.5001, 0.3085, 0.5001, -0.09985, 1.09985),  # silu
        (0.798, 0.7795, 1.5959, -0.12905, 1.12905),  # gelu
        (0.7501, 1.2001, 3.361, -0.17365, 1.17365),  # hard_gelu, between its ends
    ],
    np.float32,
)


@nb.njit(fastmath=FAST, nogil=True, cache=True, error_model="numpy")
def _gated_derivatives(code: int, z: Any, out: Any, count: int) -> None:
    """`derivatives` of silu, gelu and hard_gelu: z times a gate."""
    one, two = f32(1.0), f32(2.0)
    if code == 8:
        for b in range(count):
            x = z[b]
            y = _sigmoid(x)
            d = y * (one - y)
            d2 = d * (one - two * y)
            out[0, b] = x * y
            out[1, b] = y + x * d
            out[2, b] = two * d + x * d2
            out[3, b] = f32(3.0) * d2 + x * d * (one - f32(6.0) * d)
    elif code == 10:
        for b in range(count):
            x = z[b]
            u = min(max(f32(0.4) * x, -one), one)
            w = u * u
            gate = f32(0.5) + u * (f32(0.9375) + w * (f32(0.1875) * w - f32(0.625)))
            out[0, b] = x * gate
            out[1, b] = gate + f32(0.375) * x * (one - w) * (one - w)
            out[2, b] = f32(0.75) * (one - w) * (one - f32(3.0) * w)
            out[3, b] = (f32(1.0) if w < one else f32(0.0)) * u * (f32(3.6) * w - f32(2.4))
    else:
        for b in range(count):
            x = z[b]
            density = f32(0.398942280) * _exp(f32(-0.5) * x * x)
            share = _normal_cdf(x)
            out[0, b] = x * share
            out[1, b] = share + x * density
            out[2, b] = density * (two - x * x)
            out[3, b] = density * x * (x * x - f32(4.0))


@nb.njit(fastmath=FAST, nogil=True, cache=True, error_model="numpy")
def derivatives(code: int, z: Any, out: Any, count: int) -> None:
    """Write s, s', s'' and s''' at z (n,) into out (4, n) for the first `count`; not for relu and leaky_relu."""
    one, two = f32(1.0), f32(2.0)
    if code == 3:
        for b in range(count):
            x = z[b]
            e = _exp(min(x, f32(0.0)))
            below = f32(1.0) if x < f32(0.0) else f32(0.0)
            out[0, b] = max(x, f32(0.0)) + e - one
            out[1, b] = e
            out[2, b] = below * e
            out[3, b] = below * e
    elif code == 4:
        for b in range(count):
            x = z[b]
            e = _exp(-abs(x))
            g = e / (two + e)
            u = g * g
            p = f32(1.0 / 9.0) + u * (f32(1.0 / 11.0) + u * f32(1.0 / 13.0))
            p = one + u * (f32(1.0 / 3.0) + u * (f32(0.2) + u * (f32(1.0 / 7.0) + u * p)))
            y = _sigmoid(x)
            d = y * (one - y)
            out[0, b] = max(x, f32(0.0)) + two * g * p
            out[1, b] = y
            out[2, b] = d
            out[3, b] = d * (one - two * y)
    elif code == 5:
        for b in range(count):
            t = two * _sigmoid(two * z[b]) - one
            d = one - t * t
            out[0, b] = t
            out[1, b] = d
            out[2, b] = -two * t * d
            out[3, b] = d * (f32(6.0) * t * t - two)
    elif code == 6:
        for b in range(count):
            y = _sigmoid(z[b])
            d = y * (one - y)
            out[0, b] = y
            out[1, b] = d
            out[2, b] = d * (one - two * y)
            out[3, b] = d * (one - f32(6.0) * d)
    elif code == 7:
        for b in range(count):
            s, c = _sin(z[b]), _sin(z[b] + f32(1.57079633))
            out[0, b] = s
            out[1, b] = c
            out[2, b] = -s
            out[3, b] = -c
    else:
        _gated_derivatives(code, z, out, count)


@nb.njit(fastmath=FAST, nogil=True, cache=True, error_model="numpy")
def expand(code: int, z: Any, bounds: Any, out: Any, scratch: Any, count: int) -> None:
    """Expand an activation over `count` ranges.

    Args:
        code: The activation.
        z: (n,) centres.
        bounds: (3, n): j, q and e.
        out: Out (6, n): value, slope and second derivative for the expansion; bounds on the remainder, on the change
            of slope in the range, and on the change of slope less the second derivative times the linear part.
        scratch: (4, n).
        count: How many.
    """
    if code == 1 or code == 2:
        _expand_kink(f32(0.0) if code == 1 else f32(0.01), z, bounds, out, count)
        return
    derivatives(code, z, scratch, count)
    most2, most3, most4 = LARGEST[code, 0], LARGEST[code, 1], LARGEST[code, 2]
    least_slope, most_slope = LARGEST[code, 3], LARGEST[code, 4]
    kinked = f32(1.0) if code == 3 else f32(0.0)
    end = (
        f32(2.5) if code == 10 else f32(3e38)
    )  # beyond it hard_gelu is straight; its third derivative jumps there
    reach = f32(FAR) if code == 7 else f32(3e38)
    for b in range(count):
        j, q, e = bounds[0, b], bounds[1, b], bounds[2, b]
        s1, s2, s3 = scratch[1, b], abs(scratch[2, b]), abs(scratch[3, b])
        r = j + q + e
        rest = q + e
        size = abs(z[b])
        lost = f32(ERROR) * max(f32(1.0), size)
        bent = f32(0.0) if z[b] > r else f32(1.0)  # elu is straight above its kink
        bent = max(bent, f32(1.0) - kinked)
        bent = f32(0.0) if size - r > end else bent
        c2 = bent * min(s2 + most3 * r + lost, most2)
        c3 = bent * min(s3 + most4 * r + lost, most3)
        c3 = max(c3, most3) if size >= end and size - r <= end else c3
        straddles = kinked if size <= r else f32(0.0)
        c2 = f32(1.0) if straddles > f32(0.0) else c2
        c3 = f32(1e30) if straddles > f32(0.0) else c3
        swing = max(most_slope - s1, s1 - least_slope) + lost
        change = min(min(c2 * r, s2 * r + f32(0.5) * c3 * r * r), swing)
        crude = min(f32(0.5) * c2 * r * r, swing * r) + f32(0.5) * s2 * j * j
        fine = s2 * (j * rest + f32(0.5) * rest * rest) + c3 * r * r * r * f32(0.16666669)
        error = lost * (f32(1.0) + r + r * r)
        wrong = f32(2.0) + r + j * j if size > reach else f32(0.0)
        out[0, b] = scratch[0, b]
        out[1, b] = s1
        out[2, b] = scratch[2, b]
        out[3, b] = min(crude, fine) + error + wrong
        out[4, b] = change + lost * (f32(1.0) + r) + min(wrong, f32(2.0))
        out[5, b] = min(s2 * rest + f32(0.5) * c3 * r * r, change + s2 * j) + lost * (f32(1.0) + r) + wrong


@nb.njit(fastmath=FAST, nogil=True, cache=True, error_model="numpy")
def _expand_kink(slope: Any, z: Any, bounds: Any, out: Any, count: int) -> None:
    """`expand` of max(z, slope z)."""
    one, rise = f32(1.0), f32(1.0) - slope
    for b in range(count):
        r = bounds[0, b] + bounds[1, b] + bounds[2, b]
        x = z[b]
        up, down = x + r, r - x
        inside = abs(x) <= r
        share = up / max(up + down, f32(1e-30)) if inside else (one if x > f32(0.0) else f32(0.0))
        gap = f32(0.5) * rise * share * down if inside else f32(0.0)
        steep = slope + rise * share
        change = max(share, one - share) * rise * f32(1.00001) if inside else f32(0.0)
        out[0, b] = steep * x + gap
        out[1, b] = steep
        out[2, b] = f32(0.0)
        out[3, b] = gap + f32(4e-7) * (abs(x) + r)
        out[4, b] = change + f32(1e-9)  # 0.01 is no float32
        out[5, b] = change + f32(1e-9)
