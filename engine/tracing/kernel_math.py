"""Activations as straight-line float32 code that LLVM turns into vector instructions.

No call into a mathematics library stands in a loop: exponentials and trigonometric functions are polynomials after range
reduction, the others rational functions fitted to the least largest error. Errors against float64, tested: sine and
cosine 2e-7 for |x| < 100, exponential 2e-7 relative, tanh and the normal distribution 4e-7, log(1 + e) 3e-7, so every
activation and slope is right to 1e-6 of max(1, |x|).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba as nb
import numpy as np
from numba.core import types
from numba.extending import intrinsic

FAST = {"contract", "nsz", "arcp", "reassoc"}  # numbers that are not finite keep their meaning
_NAMES = (
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
CODES = {name: code for code, name in enumerate(_NAMES)}
PIECEWISE_SLOPES = {"none": 1.0, "relu": 0.0, "leaky_relu": 0.01}  # max(z, slope * z): done in the tile
f32 = np.float32
TO_WHOLE = f32(12582912.0)  # 1.5 * 2^23: added, it leaves whole numbers, in the last bits
_inline = nb.njit(inline="always", fastmath=FAST, error_model="numpy")
# What is written so that roundings cancel: "reassoc" would undo it.
_in_order: Any = nb.njit(forceinline=True, fastmath=FAST - {"reassoc"}, error_model="numpy")

WIDE = '"prefer-vector-width"="512"'


def _use_wide_vectors(typing_context: Any) -> tuple[Any, Callable[..., Any]]:
    """Let LLVM use the widest vectors that there are in the function that calls this.

    For most processors with AVX-512 it holds to half of them, which is right for scattered code: the proofs' kernels
    take 18 % longer with whole ones. These loops are arithmetic only.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        attributes = builder.function.attributes
        set.add(attributes, WIDE)  # llvmlite's own `add` knows attributes without values only
        return context.get_dummy_value()

    return types.void(), generate


use_wide_vectors: Any = intrinsic(_use_wide_vectors)

_Function = TypeVar("_Function", bound=Callable[..., Any])


def uncounted_fast(function: _Function) -> _Function:
    """Compile a function of float32 arrays that allocates nothing, so that no reference to a row is counted in it."""
    options: Any = {"cache": True, "nogil": True, "fastmath": FAST, "error_model": "numpy", "_nrt": False}
    compiled: Any = nb.njit(**options)(function)
    return compiled  # type: ignore[no-any-return]


@_in_order
def _sin_from(x: Any, turns: Any, half_turns: Any) -> Any:
    """sin(x - half_turns * pi), its sign changed if `turns` is odd."""
    odd = np.int32(np.int32(turns) << np.int32(31))  # the sign's bit
    r = x - half_turns * f32(3.140625)  # pi in two parts, so that the difference is exact
    r = r - half_turns * f32(9.6765358979e-4)
    r = np.int32(np.float32(r).view(np.int32) ^ odd).view(np.float32)
    u = r * r
    p = f32(-1.98087928e-4) + u * f32(2.60457914e-6)
    p = f32(8.33304727e-3) + u * p
    p = f32(-1.66666578e-1) + u * p
    return r + r * u * p


@_inline
def _sin(x: Any) -> Any:
    """Sine."""
    turns = np.floor(x * f32(0.318309886) + f32(0.5))
    return _sin_from(x, turns, turns)


@_inline
def _cos(x: Any) -> Any:
    """Cosine, reduced by itself: x + pi/2 would lose digits."""
    turns = np.floor(x * f32(0.318309886) + f32(1.0))
    return _sin_from(x, turns, turns - f32(0.5))


@_in_order
def _exp_of_minus(x: Any) -> Any:
    """exp(-x) for |x| <= 87: right to 2e-7, relative up to |x| = 20, and absolute beyond for x > 0."""
    shifted = TO_WHOLE - x * f32(1.44269504)
    twos = shifted - TO_WHOLE
    return _times_power_of_two(x + twos * f32(0.693147182), shifted)


@_in_order
def _times_power_of_two(r: Any, shifted: Any) -> Any:
    """exp(-r) for |r| <= log(2) / 2, its exponent raised by the last bits of `shifted`."""
    p = f32(4.18981596e-2) - r * f32(8.29027381e-3)
    p = f32(0.166676381) - r * p
    p = f32(0.499991478) - r * p
    p = f32(0.999999706) - r * p
    p = f32(1.0) - r * p
    exponent = np.int32(np.float32(shifted).view(np.int32) << np.int32(23))
    return np.int32(np.float32(p).view(np.int32) + exponent).view(np.float32)


@_in_order
def _exp(x: Any) -> Any:
    """Exponential, right to 2e-7 of itself between -87 and 87 and constant beyond."""
    x = min(max(x, f32(-87.0)), f32(87.0))
    shifted = x * f32(1.44269504) + TO_WHOLE
    twos = shifted - TO_WHOLE
    r = twos * f32(0.693359375) - x  # log(2) in two parts
    return _times_power_of_two(r - twos * f32(2.12194440e-4), shifted)


@_inline
def _positive_part(x: Any) -> Any:
    """max(x, 0) by its bits: of a comparison before a sum LLVM makes three instructions."""
    return np.int32(max(np.float32(x).view(np.int32), np.int32(0))).view(np.float32)


@_inline
def _tanh(x: Any) -> Any:
    c = min(max(x, f32(-8.6)), f32(8.6))
    u = c * c
    w = u * u
    p = f32(3.51803729e-3) + u * (f32(2.09913414e-5) + u * f32(1.39123549e-8))
    p = (f32(0.999999939) + u * f32(0.133996816)) + w * p
    q = f32(2.59616239e-2) + u * (f32(3.32288264e-4) + u * f32(7.99863761e-7))
    q = (f32(1.0) + u * f32(0.467329905)) + w * q
    return c * p / q


@_inline
def _sigmoid(x: Any) -> Any:
    return f32(1.0) / (f32(1.0) + _exp_of_minus(min(max(x, f32(-87.0)), f32(87.0))))


@_inline
def _log1p_unit(e: Any) -> Any:
    """log(1 + e) for e in [0, 1]."""
    p = f32(-5.5145055e-2) + e * f32(1.07644743e-2)
    p = f32(0.134674326) + e * p
    p = f32(-0.225897861) + e * p
    p = f32(0.328242146) + e * p
    p = f32(-0.499471774) + e * p
    p = f32(0.999981137) + e * p
    return e * p


@_inline
def _normal_cdf(x: Any) -> Any:
    """Standard normal distribution."""
    c = min(max(x, f32(-5.3)), f32(5.3))
    u = c * c
    w = u * u
    p = (f32(5.67305e-3) + u * f32(3.37232756e-4)) + w * f32(6.18444198e-6)
    p = (f32(0.398941928) + u * f32(5.16925683e-2)) + w * p
    q = (f32(3.86047894e-2) + u * f32(2.83939524e-3)) + w * (f32(1.20846370e-4) + u * f32(5.23752371e-7))
    q = (f32(1.0) + u * f32(0.296234379)) + w * q
    return f32(0.5) + c * p / q


@_inline
def _hard_gate(u: Any) -> Any:
    w = u * u
    return f32(0.5) + u * (f32(0.9375) + w * (f32(0.1875) * w - f32(0.625)))


@nb.njit(fastmath=FAST, nogil=True, cache=True, error_model="numpy")
def activate(code: int, panels: Any, start: int, count: int) -> None:
    """Apply an activation that is not piecewise linear (a tile does those) to part of an array in place."""
    use_wide_vectors()
    z = panels[start : start + count]
    if code == 3:
        for b in range(z.shape[0]):
            x = z[b]
            z[b] = _positive_part(x) + (_exp_of_minus(min(max(-x, f32(0.0)), f32(87.0))) - f32(1.0))
    elif code == 4:
        for b in range(z.shape[0]):
            x = z[b]
            z[b] = _positive_part(x) + _log1p_unit(_exp_of_minus(min(abs(x), f32(87.0))))
    elif code == 5:
        for b in range(z.shape[0]):
            z[b] = _tanh(z[b])
    elif code == 6:
        for b in range(z.shape[0]):
            z[b] = _sigmoid(z[b])
    elif code == 7:
        for b in range(z.shape[0]):
            z[b] = _sin(z[b])
    elif code == 8:
        for b in range(z.shape[0]):
            z[b] = z[b] * _sigmoid(z[b])
    elif code == 9:
        for b in range(z.shape[0]):
            z[b] = z[b] * _normal_cdf(z[b])
    elif code == 10:
        for b in range(z.shape[0]):
            z[b] = z[b] * _hard_gate(min(max(f32(0.4) * z[b], f32(-1.0)), f32(1.0)))


@nb.njit(fastmath=FAST, nogil=True, cache=True, error_model="numpy")
def slopes(code: int, panels: Any, start: int, count: int, tape: Any, at: int) -> None:
    """Write the activation's derivative at part of an array into part of another one."""
    use_wide_vectors()
    z, out, one = panels[start : start + count], tape[at : at + count], f32(1.0)
    if code == 0:
        out[:] = one
    elif code == 1 or code == 2:
        low = f32(0.0) if code == 1 else f32(0.01)
        for b in range(z.shape[0]):
            out[b] = one if z[b] > f32(0.0) else low
    elif code == 3:
        for b in range(z.shape[0]):
            out[b] = _exp_of_minus(min(max(-z[b], f32(0.0)), f32(87.0)))
    elif code == 4:
        for b in range(z.shape[0]):
            out[b] = _sigmoid(z[b])
    elif code == 5:
        for b in range(z.shape[0]):
            value = _tanh(z[b])
            out[b] = one - value * value
    elif code == 6:
        for b in range(z.shape[0]):
            share = _sigmoid(z[b])
            out[b] = share * (one - share)
    elif code == 7:
        for b in range(z.shape[0]):
            out[b] = _cos(z[b])
    elif code == 8:
        for b in range(z.shape[0]):
            share = _sigmoid(z[b])
            out[b] = share * (one + z[b] * (one - share))
    elif code == 9:
        for b in range(z.shape[0]):
            x = z[b]
            out[b] = _normal_cdf(x) + x * f32(0.398942280) * _exp(f32(-0.5) * x * x)
    elif code == 10:
        for b in range(z.shape[0]):
            u = min(max(f32(0.4) * z[b], f32(-1.0)), one)
            rest = one - u * u
            out[b] = _hard_gate(u) + f32(0.375) * z[b] * rest * rest
