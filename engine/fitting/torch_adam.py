"""Adam in torch, with the contract of `torch_optimizer.Soap`; see `adam`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .adam import AdamOptions, corrections

FloatArray = npt.NDArray[np.floating[Any]]


class Adam:
    """Updates a tensor in place; a CUDA graph may capture `gather` and `update`."""

    due = False  # there are no bases to turn

    def __init__(self, parameters: Tensor, mask: Tensor, options: AdamOptions) -> None:
        """Look after `parameters`; where `mask` is zero they are padding and stay as they are."""
        self._parameters, self._mask, self._options = parameters, mask, options
        self._mean, self._square = torch.zeros_like(parameters), torch.zeros_like(parameters)
        self._scales = parameters.new_zeros(2)  # learning rate with its correction, correction of the square
        self._num_steps = 0

    def prepare(self, learning_rate: float) -> None:
        """Begin a step: put its scales where `update` reads them, on the device."""
        self._num_steps += 1
        mean_scale, square_scale = corrections(self._options, self._num_steps)
        scales = torch.tensor([learning_rate * mean_scale, square_scale])
        self._scales.copy_(scales, non_blocking=True)

    def gather(self, gradient: Tensor) -> None:
        """Blend the gradient and its square into their averages."""
        slope = gradient * self._mask
        self._mean.lerp_(slope, 1.0 - self._options.momentum)
        self._square.lerp_(slope * slope, 1.0 - self._options.second_momentum)

    def turn(self) -> None:
        """Nothing to turn."""

    def update(self, gradient: Tensor) -> None:
        """Move the parameters."""
        size = (self._square * self._scales[1]).sqrt_() + self._options.epsilon
        self._parameters.sub_(self._scales[0] * self._mean / size)

    def state(self) -> dict[str, FloatArray]:
        """Give copies of what it keeps between steps, the parameters apart."""
        steps = np.array([self._num_steps], np.float64)
        mean, square = (x.cpu().numpy().copy() for x in (self._mean, self._square))
        return {"mean": mean, "square": square, "num_steps": steps}

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Go on from a `state`."""
        self._mean.copy_(torch.from_numpy(state["mean"]))
        self._square.copy_(torch.from_numpy(state["square"]))
        self._num_steps = int(state["num_steps"][0])
