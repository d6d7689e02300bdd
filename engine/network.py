"""The network as torch sees it while it is fitted, and as NumPy arrays for the weights file.

While it is fitted all layers are one array (depth + 1, rows, rows + PADDING), padded with zeros, whose column `rows`
holds the biases: one stack for the optimiser, and rows in multiples of the fused step's vectors.
Activations have no parameters: the sharpness of softplus and the frequency of sine are part of the first
weights, and training moves them from there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from .errors import OptionError
from .protocol.weights import Activation, Architecture, NeuralWeights

FloatArray = npt.NDArray[np.floating[Any]]

PADDING = 16  # numbers in a vector of the fused step
EVALUATION_BATCH = 8192  # stays in the second-level cache at 32 wide


def hard_gelu(z: Tensor) -> Tensor:
    """Give z times a smooth step from -2.5 to 2.5."""
    u = (0.4 * z).clamp(-1.0, 1.0)
    w = u * u
    return z * (0.5 + u * (0.9375 + w * (0.1875 * w - 0.625)))


ACTIVATIONS: dict[str, Any] = {
    "relu": torch.relu,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "softplus": functional.softplus,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "sine": torch.sin,
    "silu": functional.silu,
    "gelu": functional.gelu,
    "hard_gelu": hard_gelu,
}
# Standard deviation of a hidden weight times sqrt(fan in), and factor on the first layer: they keep the
# variance of what passes through, and set how sharp the first features are.
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
    "hard_gelu": (1.0, 5.0),
}


def num_rows(architecture: Architecture) -> int:
    """Give the padded width: a multiple of PADDING."""
    return PADDING * math.ceil(max(architecture.width, 1) / PADDING)


def initial_parameters(architecture: Architecture, seed: int) -> Tensor:
    """Give random parameters (depth + 1, rows, rows + PADDING), zero where padded; equal seeds give equal bits.

    Raises:
        OptionError: The architecture is none that can be fitted.
    """
    check_plain(architecture)
    generator = torch.Generator().manual_seed(seed)
    gain, first = GAINS[architecture.activation]
    rows = num_rows(architecture)
    parameters = torch.zeros(architecture.depth + 1, rows, rows + PADDING)
    for k, (out, fan_in) in enumerate(architecture.layer_shapes()):
        scale = gain * (first if k == 0 else 1.0) / fan_in**0.5
        if k == architecture.depth:
            scale /= 4.0 * first
        parameters[k, :out, :fan_in] = scale * torch.randn(out, fan_in, generator=generator)
        if k == 0:
            parameters[k, :out, rows] = 0.5 * scale * torch.randn(out, generator=generator)
    return parameters


def parameter_mask(architecture: Architecture) -> Tensor:
    """Give ones where a parameter is used and zeros where it is padding."""
    rows = num_rows(architecture)
    mask = torch.zeros(architecture.depth + 1, rows, rows + PADDING)
    for k, (out, fan_in) in enumerate(architecture.layer_shapes()):
        mask[k, :out, :fan_in] = 1.0
        mask[k, :out, rows] = 1.0
    return mask


def evaluate(parameters: Tensor, architecture: Architecture, points: Tensor) -> Tensor:
    """Give the network's value (N,) at points (N, 3)."""
    activation = ACTIVATIONS[architecture.activation]
    hidden, rows = points, parameters.shape[1]
    for k, (out, fan_in) in enumerate(architecture.layer_shapes()):
        hidden = functional.linear(hidden, parameters[k, :out, :fan_in], parameters[k, :out, rows])
        if k < architecture.depth:
            hidden = activation(hidden)
    value = hidden[:, 0]
    return torch.tanh(value) if architecture.output_activation == "tanh" else value


def split_parameters(
    parameters: FloatArray, architecture: Architecture
) -> tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]:
    """Give weights (out, in) and biases (out,) as float32 arrays."""
    array = parameters.astype(np.float32)
    shapes = list(enumerate(architecture.layer_shapes()))
    weights = tuple(array[k, :out, :fan_in].copy() for k, (out, fan_in) in shapes)
    return weights, tuple(array[k, :out, num_rows(architecture)].copy() for k, (out, _) in shapes)


def join_parameters(weights: NeuralWeights) -> Tensor:
    """Give a weights file's layers as parameters (depth + 1, rows, rows + PADDING)."""
    check_plain(weights.architecture)
    rows = num_rows(weights.architecture)
    parameters = torch.zeros(weights.architecture.depth + 1, rows, rows + PADDING)
    for k, (matrix, bias) in enumerate(zip(weights.weights, weights.biases)):
        out, fan_in = matrix.shape
        parameters[k, :out, :fan_in] = torch.from_numpy(matrix)
        parameters[k, :out, rows] = torch.from_numpy(bias)
    return parameters


def check_plain(architecture: Architecture) -> None:
    """Refuse a network that this version neither fits nor measures.

    Raises:
        OptionError: It has another input than x, y, z, or an encoding, or skips.
    """
    if architecture.inputs != 3 or architecture.encoding != "none" or architecture.skips:
        raise OptionError("Only networks of x, y, z without skips and encoding can be fitted and measured.")


class NetworkField:
    """A weights file as a function of unit-space points."""

    def __init__(self, weights: NeuralWeights) -> None:
        self._architecture = weights.architecture
        self._parameters = join_parameters(weights)

    def value(self, points: FloatArray) -> FloatArray:
        """Give f (N,) float32 at points (N, 3) in [-1, 1]^3."""
        with torch.no_grad():
            values = [self._evaluate(piece) for piece in _pieces(points)]
        result: FloatArray = torch.cat(values).numpy() if values else np.zeros(0, np.float32)
        return result

    def gradient(self, points: FloatArray) -> FloatArray:
        """Give the gradient (N, 3) float32 of f at points (N, 3)."""
        gradients = []
        for piece in _pieces(points):
            place = piece.clone().requires_grad_(True)
            gradients.append(torch.autograd.grad(self._evaluate(place).sum(), place)[0])
        result: FloatArray = torch.cat(gradients).numpy() if gradients else np.zeros((0, 3), np.float32)
        return result

    def _evaluate(self, points: Tensor) -> Tensor:
        return evaluate(self._parameters, self._architecture, points)


def _pieces(points: FloatArray) -> Sequence[Tensor]:
    whole = torch.from_numpy(np.ascontiguousarray(points, np.float32))
    return torch.split(whole, EVALUATION_BATCH)
