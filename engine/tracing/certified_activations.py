"""Activations over intervals: an expansion of second order about a centre, and a proven bound on what it leaves out.

Let z(x) = z0 + w with |w| <= r, w = (linear part, at most j) + (quadratic part, at most q) + (rest, at most e). Then

    s(z) = s(z0) + s'(z0) w + s''(z0) (linear part)^2 / 2 + remainder,
    |remainder| <= |s''| (j (q + e) + (q + e)^2 / 2) + C3 r^3 / 6        (Taylor with C3 >= |s'''| on the range), and
    |remainder| <= min(C2 r^2 / 2, S r) + |s''| j^2 / 2                  (C2 >= |s''|, S >= |s'(z) - s'(z0)| there).

Bounds on a range come from the value at its centre and the largest next derivative anywhere (`LARGEST`, tested against
dense samples). Piecewise linear activations whose kink is in the range take the chord's slope and half the gap instead.
Kernel functions are right to `ERROR` of max(1, |z|) (kernel_math, tested), which is added.

Everything about one unit in CELLS cells lies in one flat array, row after row (`Z`, `LINEAR`, ...): with one base and constant
distances LLVM knows that rows do not overlap, and makes vector instructions of every loop.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from .kernel_math import FAST, _exp, _normal_cdf, _sigmoid, _sin, f32

CELLS = 64  # at once
ROWS = 14
Z, LINEAR, QUADRATIC, REST, S0, S1, S2, S3, VALUE, SLOPE, SECOND, REMAINDER, CHANGE, BEYOND = (
    row * CELLS for row in range(ROWS)
)
# By code, of max(1, |z|): error of a value or a derivative that the loops below compute.
ERROR = np.array([0.0, 1e-7, 1e-7, 4e-6, 4e-6, 4e-6, 4e-6, 4e-6, 4e-6, 4e-6, 1e-6], np.float32)
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
def _gated_derivatives(code: int, s: Any) -> None:
    """`derivatives` of silu, gelu and hard_gelu: z times a gate."""
    one, two = f32(1.0), f32(2.0)
    if code == 8:
        for b in range(CELLS):
            x = s[Z + b]
            y = _sigmoid(x)
            d = y * (one - y)
            d2 = d * (one - two * y)
            s[S0 + b] = x * y
            s[S1 + b] = y + x * d
            s[S2 + b] = two * d + x * d2
            s[S3 + b] = f32(3.0) * d2 + x * d * (one - f32(6.0) * d)
    elif code == 10:
        for b in range(CELLS):
            x = s[Z + b]
            u = min(max(f32(0.4) * x, -one), one)
            w = u * u
            gate = f32(0.5) + u * (f32(0.9375) + w * (f32(0.1875) * w - f32(0.625)))
            s[S0 + b] = x * gate
            s[S1 + b] = gate + f32(0.375) * x * (one - w) * (one - w)
            s[S2 + b] = f32(0.75) * (one - w) * (one - f32(3.0) * w)
            s[S3 + b] = (one if w < one else f32(0.0)) * u * (f32(3.6) * w - f32(2.4))
    else:
        for b in range(CELLS):
            x = s[Z + b]
            density = f32(0.398942280) * _exp(f32(-0.5) * x * x)
            share = _normal_cdf(x)
            s[S0 + b] = x * share
            s[S1 + b] = share + x * density
            s[S2 + b] = density * (two - x * x)
            s[S3 + b] = density * x * (x * x - f32(4.0))


@nb.njit(fastmath=FAST, nogil=True, cache=True, error_model="numpy")
def derivatives(code: int, s: Any) -> None:
    """Write s, s', s'' and s''' at row `Z` into rows `S0` to `S3`; not for relu and leaky_relu."""
    one, two = f32(1.0), f32(2.0)
    if code == 3:
        for b in range(CELLS):
            x = s[Z + b]
            e = _exp(min(x, f32(0.0)))
            below = one if x < f32(0.0) else f32(0.0)
            s[S0 + b] = max(x, f32(0.0)) + e - one
            s[S1 + b] = e
            s[S2 + b] = below * e
            s[S3 + b] = below * e
    elif code == 4:
        for b in range(CELLS):
            x = s[Z + b]
            e = _exp(-abs(x))
            g = e / (two + e)
            u = g * g
            p = f32(1.0 / 9.0) + u * (f32(1.0 / 11.0) + u * f32(1.0 / 13.0))
            p = one + u * (f32(1.0 / 3.0) + u * (f32(0.2) + u * (f32(1.0 / 7.0) + u * p)))
            y = _sigmoid(x)
            d = y * (one - y)
            s[S0 + b] = max(x, f32(0.0)) + two * g * p
            s[S1 + b] = y
            s[S2 + b] = d
            s[S3 + b] = d * (one - two * y)
    elif code == 5:
        for b in range(CELLS):
            t = two * _sigmoid(two * s[Z + b]) - one
            d = one - t * t
            s[S0 + b] = t
            s[S1 + b] = d
            s[S2 + b] = -two * t * d
            s[S3 + b] = d * (f32(6.0) * t * t - two)
    elif code == 6:
        for b in range(CELLS):
            y = _sigmoid(s[Z + b])
            d = y * (one - y)
            s[S0 + b] = y
            s[S1 + b] = d
            s[S2 + b] = d * (one - two * y)
            s[S3 + b] = d * (one - f32(6.0) * d)
    elif code == 7:
        for b in range(CELLS):
            sine, cosine = _sin(s[Z + b]), _sin(s[Z + b] + f32(1.57079633))
            s[S0 + b] = sine
            s[S1 + b] = cosine
            s[S2 + b] = -sine
            s[S3 + b] = -cosine
    else:
        _gated_derivatives(code, s)


@nb.njit(fastmath=FAST, nogil=True, cache=True, error_model="numpy")
def expand(code: int, s: Any) -> None:
    """Expand an activation over CELLS ranges.

    Args:
        code: The activation.
        s: (ROWS * CELLS,) float32. Read: centres `Z` and the bounds j (`LINEAR`), q (`QUADRATIC`) and e (`REST`). Written:
            `VALUE`, `SLOPE` and `SECOND` derivative for the expansion; bounds on the `REMAINDER`, on the `CHANGE` of slope in
            the range, and on the change of slope less the second derivative times the linear part (`BEYOND`).
    """
    if code == 1 or code == 2:
        _expand_kink(f32(0.0) if code == 1 else f32(0.01), s)
        return
    derivatives(code, s)
    most2, most3, most4 = LARGEST[code, 0], LARGEST[code, 1], LARGEST[code, 2]
    least_slope, most_slope = LARGEST[code, 3], LARGEST[code, 4]
    kinked = f32(1.0) if code == 3 else f32(0.0)
    # beyond it hard_gelu is straight; its third derivative jumps there
    end = f32(2.5) if code == 10 else f32(3e38)
    reach = f32(FAR) if code == 7 else f32(3e38)
    for b in range(CELLS):
        j, q, e = s[LINEAR + b], s[QUADRATIC + b], s[REST + b]
        s1, s2, s3 = s[S1 + b], abs(s[S2 + b]), abs(s[S3 + b])
        r = j + q + e
        rest = q + e
        size = abs(s[Z + b])
        lost = ERROR[code] * max(f32(1.0), size)
        bent = f32(0.0) if s[Z + b] > r else f32(1.0)  # elu is straight above its kink
        bent = max(bent, f32(1.0) - kinked)
        bent = f32(0.0) if size - r > end else bent
        # from beyond hard_gelu's end only what reaches back over it bends
        w = max(r - max(size - end, f32(0.0)), f32(0.0))
        c2 = bent * min(s2 + most3 * w + lost, most2)
        c3 = bent * min(s3 + most4 * r + lost, most3)
        c3 = most3 if size >= end else c3
        straddles = kinked if size <= r else f32(0.0)
        c2 = f32(1.0) if straddles > f32(0.0) else c2
        c3 = f32(1e30) if straddles > f32(0.0) else c3
        swing = max(most_slope - s1, s1 - least_slope) + lost
        bend = f32(0.5) * c3 * w * w
        change = min(min(c2 * w, s2 * r + bend), swing)
        crude = min(f32(0.5) * c2 * w * w, swing * w) + f32(0.5) * s2 * j * j
        fine = s2 * (j * rest + f32(0.5) * rest * rest) + c3 * w * w * w * f32(0.16666669)
        error = lost * (f32(1.0) + r + r * r)
        wrong = f32(2.0) + r + j * j if size > reach else f32(0.0)
        s[VALUE + b] = s[S0 + b]
        s[SLOPE + b] = s1
        s[SECOND + b] = s[S2 + b]
        s[REMAINDER + b] = min(crude, fine) + error + wrong
        s[CHANGE + b] = change + lost * (f32(1.0) + r) + min(wrong, f32(2.0))
        s[BEYOND + b] = min(s2 * rest + bend, change + s2 * j) + lost * (f32(1.0) + r) + wrong


@nb.njit(fastmath=FAST, nogil=True, cache=True, error_model="numpy")
def _expand_kink(slope: Any, s: Any) -> None:
    """`expand` of max(z, slope z)."""
    one, rise = f32(1.0), f32(1.0) - slope
    for b in range(CELLS):
        r = s[LINEAR + b] + s[QUADRATIC + b] + s[REST + b]
        x = s[Z + b]
        up, down = x + r, r - x
        inside = abs(x) <= r
        share = up / max(up + down, f32(1e-30)) if inside else (one if x > f32(0.0) else f32(0.0))
        gap = f32(0.5) * rise * share * down if inside else f32(0.0)
        steep = slope + rise * share
        change = max(share, one - share) * rise * f32(1.00001) if inside else f32(0.0)
        s[VALUE + b] = steep * x + gap
        s[SLOPE + b] = steep
        s[SECOND + b] = f32(0.0)
        s[REMAINDER + b] = gap + f32(4e-7) * (abs(x) + r)
        s[CHANGE + b] = change + f32(1e-9)  # 0.01 is no float32
        s[BEYOND + b] = change + f32(1e-9)
