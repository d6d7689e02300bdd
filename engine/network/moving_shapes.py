"""A moving shape, a network of x, y, z and t, at one time: a network of x, y, z with the same values.

What the input t adds to a first layer is constant then and goes to its bias. In a Fourier encoding t shifts each phase
by c, and sin(p + c), cos(p + c) are sums of sin p and cos p, so the layer's columns are turned by c.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from ..errors import OptionError
from ..protocol.weights import NeuralWeights


def at_time(weights: NeuralWeights, time: float) -> NeuralWeights:
    """Give a network's shape at a time; a network without time is returned as it is.

    Raises:
        OptionError: The time is not finite.
    """
    if weights.architecture.inputs == 3:
        return weights
    if not np.isfinite(time):
        raise OptionError(f"A time is a number, got {time}.")
    arch = weights.architecture
    matrices, biases = list(weights.weights), list(weights.biases)
    for k in (0, *arch.skips):
        before = 0 if k == 0 else arch.width
        encoded = matrices[k][:, before:].astype(np.float64)
        frozen, offset = _freeze(encoded, weights.fourier_matrix, time)
        matrices[k] = np.concatenate([matrices[k][:, :before], frozen.astype(np.float32)], axis=1)
        biases[k] = (biases[k] + offset).astype(np.float32)
    fourier = weights.fourier_matrix
    description = dataclasses.replace(weights.description, architecture=dataclasses.replace(arch, inputs=3))
    return NeuralWeights(
        description=description,
        weights=tuple(matrices),
        biases=tuple(biases),
        fourier_matrix=None if fourier is None else fourier[:, :3].copy(),
        float16=weights.float16,
    )


def _freeze(encoded: np.ndarray, fourier: np.ndarray | None, time: float) -> tuple[np.ndarray, np.ndarray]:
    """Give the columns (out, 3 + 2 F) of a layer that sees x, y, z only, and what its bias gains (out,)."""
    offset = encoded[:, 3] * time
    if fourier is None:
        return encoded[:, :3], offset
    features = len(fourier)
    sine, cosine = encoded[:, 4 : 4 + features], encoded[:, 4 + features :]
    shift = 2.0 * np.pi * fourier[:, 3].astype(np.float64) * time
    turned_sine = sine * np.cos(shift) - cosine * np.sin(shift)
    turned_cosine = sine * np.sin(shift) + cosine * np.cos(shift)
    return np.concatenate([encoded[:, :3], turned_sine, turned_cosine], axis=1), offset
