"""Adam [Kingma & Ba 2015], as the paper trains, for the CPU in NumPy; `torch_adam` has that of other devices.

[Kingma & Ba 2015] D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdamOptions:
    """Constants of the optimiser."""

    momentum: float = 0.9
    second_momentum: float = 0.999
    epsilon: float = 1e-7  # Keras' default


class CpuAdam:
    """Updates an array in place."""

    def __init__(self, parameters: FloatArray, mask: FloatArray, options: AdamOptions) -> None:
        """Look after `parameters`; where `mask` is zero they are padding and stay as they are."""
        self._parameters, self._mask, self._options = parameters, mask, options
        self._mean, self._square = np.zeros_like(parameters), np.zeros_like(parameters)
        self._num_steps = 0

    def step(self, gradient: FloatArray, learning_rate: float) -> None:
        """Move the parameters against `gradient`, of their shape."""
        self._num_steps += 1
        options, slope = self._options, gradient * self._mask
        mean_scale, square_scale = corrections(options, self._num_steps)
        self._mean += np.float32(1.0 - options.momentum) * (slope - self._mean)
        self._square += np.float32(1.0 - options.second_momentum) * (slope * slope - self._square)
        size = np.sqrt(self._square * np.float32(square_scale)) + np.float32(options.epsilon)
        self._parameters -= np.float32(learning_rate * mean_scale) * (self._mean / size)

    def state(self) -> dict[str, FloatArray]:
        """Give copies of what it keeps between steps, the parameters apart."""
        steps = np.array([self._num_steps], np.float64)
        return {"mean": self._mean.copy(), "square": self._square.copy(), "num_steps": steps}

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Go on from a `state`."""
        self._mean[:], self._square[:] = state["mean"], state["square"]
        self._num_steps = int(state["num_steps"][0])


def corrections(options: AdamOptions, num_steps: int) -> tuple[float, float]:
    """Give what makes up for averages that began at zero."""
    return 1.0 / (1.0 - options.momentum**num_steps), 1.0 / (1.0 - options.second_momentum**num_steps)
