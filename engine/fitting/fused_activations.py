"""Activations and their derivatives over flat arrays, as straight-line float32 code that LLVM turns into vector code.

They are those of `protocol/weights.py`, to about 2e-7. Reference: `activations.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cache import use_cache_folder

use_cache_folder()  # before numba is imported
from numba import njit  # noqa: E402

ACTIVATION_CODES = {
    name: code
    for code, name in enumerate(
        ("relu", "leaky_relu", "elu", "softplus", "tanh", "sigmoid", "sine", "silu", "gelu", "hard_gelu")
    )
}
OPTIONS: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "fastmath": {"contract", "nsz", "arcp", "reassoc"},  # a number that is none stays one, and ends the fit
    "boundscheck": False,
    "error_model": "numpy",
}


@njit(inline="always", **OPTIONS)
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


@njit(**OPTIONS)
def activate(code: Any, z: Any, h: Any, d: Any) -> None:
    """Set h = activation(z) and d to its derivative, all flat and of one length."""
    one, half, zero = np.float32(1.0), np.float32(0.5), np.float32(0.0)
    if code == 0:
        for b in range(len(z)):
            d[b] = one if z[b] > zero else zero
            h[b] = max(z[b], zero)
    elif code == 1:
        for b in range(len(z)):
            d[b] = one if z[b] > zero else np.float32(0.01)
            h[b] = z[b] * d[b]
    elif code == 2:
        for b in range(len(z)):
            e = _exp(min(z[b], zero))
            h[b] = z[b] if z[b] > zero else e - one
            d[b] = one if z[b] > zero else e
    elif code == 3:
        for b in range(len(z)):
            d[b] = one / (one + _exp(-z[b]))
        for b in range(len(z)):
            e = _exp(-abs(z[b]))
            y = e / (np.float32(2.0) + e)  # log(1 + e) = 2 artanh(y), y at most 1/3
            q = y * y
            p = np.float32(1.0 / 11.0) * q + np.float32(1.0 / 9.0)
            p = (p * q + np.float32(1.0 / 7.0)) * q + np.float32(0.2)
            p = (p * q + np.float32(1.0 / 3.0)) * q + one
            h[b] = max(z[b], zero) + np.float32(2.0) * y * p
    elif code == 4:
        for b in range(len(z)):
            e = _exp(np.float32(-2.0) * abs(z[b]))
            t = (one - e) / (one + e)
            h[b] = t if z[b] > zero else -t
            d[b] = one - t * t
    elif code == 5:
        for b in range(len(z)):
            s = one / (one + _exp(-z[b]))
            h[b] = s
            d[b] = s * (one - s)
    elif code == 6:
        _sine(z, h, d)
    elif code == 7:
        for b in range(len(z)):
            s = one / (one + _exp(-z[b]))
            h[b] = z[b] * s
            d[b] = s * (one + z[b] * (one - s))
    elif code == 8:
        _gelu(z, h, d)
    else:
        for b in range(len(z)):
            u = min(max(np.float32(0.4) * z[b], -one), one)
            w = u * u
            gate = half + u * (np.float32(0.9375) + w * (np.float32(0.1875) * w - np.float32(0.625)))
            h[b] = z[b] * gate
            d[b] = gate + np.float32(0.375) * z[b] * (one - w) * (one - w)


@njit(**OPTIONS | {"fastmath": OPTIONS["fastmath"] - {"reassoc"}})  # which would make one of pi's two parts
def _sine(z: Any, h: Any, d: Any) -> None:
    one = np.float32(1.0)
    for b in range(len(z)):
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


@njit(**OPTIONS)
def _gelu(z: Any, h: Any, d: Any) -> None:
    one, half, zero = np.float32(1.0), np.float32(0.5), np.float32(0.0)
    for b in range(len(z)):
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
