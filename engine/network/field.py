"""The signed distance field of a weights file in NumPy: the reference that every backend is tested against.

Positions are in unit space. Inside [-1, 1]^3 the field is the network's value; outside it is the value at the
nearest point of that box plus the distance to it, which is continuous and adds no zero (DESIGN: conventions).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..protocol.weights import NeuralWeights
from .activations import SLOPES, VALUES

FloatArray = npt.NDArray[np.floating[Any]]


class Field:
    """Value and exact gradient of a network, in float64."""

    def __init__(self, weights: NeuralWeights, time: float = 0.0) -> None:
        """Hold a network; `time` is the fourth input of one that has four."""
        self.weights = weights
        self._time = time
        self._matrices = [w.astype(np.float64) for w in weights.weights]
        self._biases = [b.astype(np.float64) for b in weights.biases]

    def value(self, points: FloatArray) -> FloatArray:
        """Signed distance (N,) at points (N, 3), anywhere."""
        points = np.asarray(points, np.float64)
        nearest = np.clip(points, -1.0, 1.0)
        outside: FloatArray = np.linalg.norm(points - nearest, axis=1)
        inner, _ = self._evaluate(nearest, with_gradient=False)
        return inner + outside

    def gradient(self, points: FloatArray) -> FloatArray:
        """Gradient (N, 3) of the network at points (N, 3) in [-1, 1]^3."""
        gradient = self._evaluate(np.asarray(points, np.float64), with_gradient=True)[1]
        assert gradient is not None
        return gradient

    def _evaluate(self, points: FloatArray, with_gradient: bool) -> tuple[FloatArray, FloatArray | None]:
        architecture = self.weights.architecture
        first, tangents = self._encode(points, with_gradient)
        first_tangents = tangents
        hidden = first
        last = len(self._matrices) - 1
        for k, (matrix, bias) in enumerate(zip(self._matrices, self._biases)):
            if k in architecture.skips:
                hidden = np.concatenate([hidden, first], axis=1)
                if tangents is not None and first_tangents is not None:
                    tangents = np.concatenate([tangents, first_tangents], axis=2)
            name = architecture.activation if k < last else architecture.output_activation
            before = hidden @ matrix.T + bias
            hidden = VALUES[name](before)
            if tangents is not None:
                tangents = (tangents @ matrix.T) * SLOPES[name](before)[:, None, :]
        return hidden[:, 0], None if tangents is None else tangents[:, :, 0]

    def _encode(self, points: FloatArray, with_gradient: bool) -> tuple[FloatArray, FloatArray | None]:
        inputs = self.weights.architecture.inputs
        if inputs == 4:
            points = np.concatenate([points, np.full((len(points), 1), self._time)], axis=1)
        tangents = None
        if with_gradient:
            tangents = np.broadcast_to(np.eye(3, inputs), (len(points), 3, inputs))
        matrix = self.weights.fourier_matrix
        if matrix is None:
            return points, tangents
        turns = 2.0 * np.pi * matrix.astype(np.float64)
        phase = points @ turns.T
        encoded = np.concatenate([points, np.sin(phase), np.cos(phase)], axis=1)
        if tangents is not None:
            inner = tangents @ turns.T
            parts = [tangents, inner * np.cos(phase)[:, None], -inner * np.sin(phase)[:, None]]
            tangents = np.concatenate(parts, axis=2)
        return encoded, tangents
