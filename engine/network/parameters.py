"""A network's numbers while it is fitted, and as the arrays of a weights file.

While it is fitted all layers are one array (depth + 1, rows, rows + PADDING), padded with zeros, whose column `rows`
holds the biases: one stack for the optimiser, and rows in multiples of the fused step's vectors.
Activations have no parameters: the sharpness of softplus and the frequency of sine are part of the first
weights, and training moves them from there. A Fourier encoding's matrix is random and stays as it is.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import OptionError
from ..protocol.weights import Activation, Architecture, NeuralWeights

FloatArray = npt.NDArray[np.floating[Any]]

PADDING = 16  # numbers in a vector of the fused step
# Standard deviation of a hidden weight times sqrt(fan in), and factor on the first layer: they keep the
# variance of what passes through, and set how sharp the first features are. For hard_gelu a factor of 5 learns faster
# at first, but such a network bends so sharply inside that bounds on it are worth nothing.
GAINS: dict[Activation, tuple[float, float]] = {
    "relu": (1.4142, 1.0),
    "leaky_relu": (1.4142, 1.0),
    "elu": (1.2, 1.0),
    "softplus": (1.4142, 8.0),
    "tanh": (1.5, 1.5),
    "sigmoid": (4.0, 4.0),
    "sine": (1.4142, 3.0),
    "silu": (1.7, 3.0),
    "gelu": (1.0, 10.0),
    "hard_gelu": (1.0, 1.0),
}


def num_rows(architecture: Architecture) -> int:
    """Give the padded width, a multiple of PADDING: of the widest layer, or of an encoding that is wider."""
    return PADDING * math.ceil(max(architecture.width, architecture.encoded_size, 1) / PADDING)


def fourier_matrix(architecture: Architecture, scale: float, seed: int) -> FloatArray | None:
    """Give a random matrix (F, inputs) float32, normal with `scale` cycles in a unit of length; None without encoding."""
    if architecture.encoding == "none":
        return None
    rng = np.random.default_rng([seed, 5 << 20])
    size = architecture.fourier_features, architecture.inputs
    return (scale * rng.standard_normal(size)).astype(np.float32)


def encode(points: FloatArray, fourier: FloatArray | None) -> FloatArray:
    """Give what the first layer sees (N, inputs + 2 F) of points (N, inputs), float32 where there is an encoding."""
    if fourier is None:
        return points
    places = np.asarray(points, np.float32)
    phases = np.float32(2.0 * math.pi) * (places @ fourier.T)
    return np.concatenate([places, np.sin(phases), np.cos(phases)], axis=1)


def initial_parameters(
    architecture: Architecture, seed: int, first_factor: float | None = None
) -> FloatArray:
    """Give random parameters (depth + 1, rows, rows + PADDING) float32, zero where padded; equal seeds give equal bits.

    Args:
        architecture: The network.
        seed: Of the random numbers.
        first_factor: On the first layer, instead of the activation's own in `GAINS`.

    Raises:
        OptionError: The architecture is none that can be fitted.
    """
    check_plain(architecture)
    rng = np.random.default_rng(seed)
    gain, usual = GAINS[architecture.activation]
    first = usual if first_factor is None else first_factor
    if architecture.encoding != "none":
        first = 1.0  # the encoding's waves are sharp enough
    rows = num_rows(architecture)
    parameters = _zeros(architecture)
    for k, (out, fan_in) in enumerate(architecture.layer_shapes()):
        scale = gain * (first if k == 0 else 1.0) / fan_in**0.5
        if k == architecture.depth:
            scale /= 4.0 * first
        parameters[k, :out, :fan_in] = scale * rng.standard_normal((out, fan_in))
        if k == 0:
            parameters[k, :out, rows] = 0.5 * scale * rng.standard_normal(out)
    return parameters


def parameter_mask(architecture: Architecture) -> FloatArray:
    """Give ones where a parameter is used and zeros where it is padding."""
    mask = _zeros(architecture)
    for k, (out, fan_in) in enumerate(architecture.layer_shapes()):
        mask[k, :out, :fan_in] = 1.0
        mask[k, :out, num_rows(architecture)] = 1.0
    return mask


def split_parameters(
    parameters: FloatArray, architecture: Architecture
) -> tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]:
    """Give weights (out, in) and biases (out,) as float32 arrays."""
    array = parameters.astype(np.float32)
    shapes = list(enumerate(architecture.layer_shapes()))
    weights = tuple(array[k, :out, :fan_in].copy() for k, (out, fan_in) in shapes)
    return weights, tuple(array[k, :out, num_rows(architecture)].copy() for k, (out, _) in shapes)


def join_parameters(weights: NeuralWeights) -> FloatArray:
    """Give a weights file's layers as parameters (depth + 1, rows, rows + PADDING)."""
    check_plain(weights.architecture)
    parameters = _zeros(weights.architecture)
    for k, (matrix, bias) in enumerate(zip(weights.weights, weights.biases)):
        out, fan_in = matrix.shape
        parameters[k, :out, :fan_in] = matrix
        parameters[k, :out, num_rows(weights.architecture)] = bias
    return parameters


def check_plain(architecture: Architecture) -> None:
    """Refuse a network that this version does not fit.

    Raises:
        OptionError: It has skips.
    """
    if architecture.skips:
        raise OptionError("Only networks without skips can be fitted.")


def _zeros(architecture: Architecture) -> FloatArray:
    rows = num_rows(architecture)
    return np.zeros((architecture.depth + 1, rows, rows + PADDING), np.float32)
