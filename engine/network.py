"""The network as torch sees it while it is fitted, and as NumPy arrays for the weights file.

Each layer is one matrix (out, in + 1) whose last column is the bias, which is how the optimiser sees it too.
Activations have no parameters: the sharpness of softplus and the frequency of sine are part of the first
weights, and training moves them from there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from .errors import OptionError
from .protocol.weights import Activation, Architecture, NeuralWeights

FloatArray = npt.NDArray[np.floating[Any]]

EVALUATION_BATCH = 8192  # stays in the second-level cache at 32 wide
BOX_RESOLUTION = 48
BOX_MARGIN = 1.5  # cells: a gradient of up to 1.7 cannot hide a crossing between grid points
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
    "gelu": (1.5, 2.0),
}


def initial_layers(architecture: Architecture, seed: int) -> list[Tensor]:
    """Give random matrices (out, in + 1) per layer; equal seeds give equal bits.

    Raises:
        OptionError: The architecture is none that can be fitted.
    """
    if architecture.inputs != 3 or architecture.encoding != "none" or architecture.skips:
        raise OptionError("Only plain networks of x, y, z can be fitted: no skips, no encoding.")
    generator = torch.Generator().manual_seed(seed)
    gain, first = GAINS[architecture.activation]
    layers = []
    for k, (out, fan_in) in enumerate(architecture.layer_shapes()):
        scale = gain * (first if k == 0 else 1.0) / fan_in**0.5
        matrix = torch.zeros(out, fan_in + 1)
        matrix[:, :-1] = scale * torch.randn(out, fan_in, generator=generator)
        if k == 0:
            matrix[:, -1] = scale * 0.5 * torch.randn(out, generator=generator)
        layers.append(matrix)
    layers[-1] /= 4.0 * first
    return layers


def evaluate_layers(layers: list[Tensor], points: Tensor, activation: Any) -> Tensor:
    """Give the network's value (N,) at points (N, 3)."""
    hidden = points
    for matrix in layers[:-1]:
        hidden = activation(functional.linear(hidden, matrix[:, :-1], matrix[:, -1]))
    return functional.linear(hidden, layers[-1][:, :-1], layers[-1][:, -1])[:, 0]


def split_layers(layers: list[Tensor]) -> tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]:
    """Give weights (out, in) and biases (out,) as float32 arrays."""
    arrays = [matrix.detach().cpu().numpy().astype(np.float32) for matrix in layers]
    return tuple(a[:, :-1].copy() for a in arrays), tuple(a[:, -1].copy() for a in arrays)


def join_layers(weights: NeuralWeights) -> list[Tensor]:
    """Give the matrices (out, in + 1) of a weights file."""
    pairs = zip(weights.weights, weights.biases)
    return [torch.from_numpy(np.concatenate([w, b[:, None]], axis=1)) for w, b in pairs]


class NetworkField:
    """A weights file as a function of unit-space points."""

    def __init__(self, weights: NeuralWeights) -> None:
        architecture = weights.architecture
        if architecture.inputs != 3 or architecture.encoding != "none" or architecture.skips:
            raise OptionError("Only plain networks of x, y, z can be measured.")
        self._layers = join_layers(weights)
        self._activation = ACTIVATIONS[architecture.activation]
        self._tanh = architecture.output_activation == "tanh"

    def value(self, points: FloatArray) -> FloatArray:
        """Give f (N,) float32 at points (N, 3) in [-1, 1]^3."""
        with torch.no_grad():
            pieces = torch.from_numpy(np.ascontiguousarray(points, np.float32)).split(EVALUATION_BATCH)
            values = [self._evaluate(piece) for piece in pieces]
        result: FloatArray = torch.cat(values).numpy() if values else np.zeros(0, np.float32)
        return result

    def gradient(self, points: FloatArray) -> FloatArray:
        """Give the gradient (N, 3) float32 of f at points (N, 3)."""
        gradients = []
        for piece in torch.from_numpy(np.ascontiguousarray(points, np.float32)).split(EVALUATION_BATCH):
            place = piece.clone().requires_grad_(True)
            gradients.append(torch.autograd.grad(self._evaluate(place).sum(), place)[0])
        result: FloatArray = torch.cat(gradients).numpy() if gradients else np.zeros((0, 3), np.float32)
        return result

    def _evaluate(self, points: Tensor) -> Tensor:
        value = evaluate_layers(self._layers, points, self._activation)
        return torch.tanh(value) if self._tanh else value


def zero_set_box(field: NetworkField, resolution: int = BOX_RESOLUTION) -> FloatArray:
    """Give a box (2, 3), low then high, around the zero set, by sampling a grid with a margin of a cell.

    A network without a zero set gives the whole of [-1, 1]^3.
    """
    axis = np.linspace(-1.0, 1.0, resolution)
    cell = axis[1] - axis[0]
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    near = points[field.value(points) < BOX_MARGIN * cell]
    if len(near) == 0:
        return np.array([[-1.0] * 3, [1.0] * 3])
    return np.clip(np.stack([near.min(axis=0) - cell, near.max(axis=0) + cell]), -1.0, 1.0)
