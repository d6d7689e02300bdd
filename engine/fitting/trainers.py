"""One step of training behind one contract, and the trainer of the CPU; `torch_trainer` has that of other devices.

A trainer owns the parameters. The CPU's runs whole batches through `fused_step` and `cpu_optimizer`, without torch.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..network.parameters import encode, parameter_mask
from ..protocol.weights import Architecture
from .adam import AdamOptions, CpuAdam
from .cpu_optimizer import CpuSoap, SoapOptions
from .fused_step import FusedStep
from .losses import LossOptions

FloatArray = npt.NDArray[np.floating[Any]]
OptimizerOptions = SoapOptions | AdamOptions

ENCODED_AT_ONCE = 1 << 16  # samples: 40 MB with 64 features


class Trainer(Protocol):
    """Trains one network."""

    def step(self, samples: FloatArray, learning_rate: float) -> None:
        """Train on samples (N, inputs + 2: place, distance, weight)."""
        ...

    def loss(self) -> float:
        """Give the loss of the latest step."""
        ...

    def errors(self, samples: FloatArray) -> FloatArray:
        """Give |f - d| (N,) at samples (N, inputs + 2), without training on them."""
        ...

    def parameters(self) -> FloatArray:
        """Give the parameters (depth + 1, rows, rows + PADDING) float32; they may change with the next step."""
        ...

    def state(self) -> dict[str, FloatArray]:
        """Give copies of all arrays from which `restore` goes on as if nothing had been."""
        ...

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Go on from a `state` of the same run."""
        ...

    def close(self) -> None:
        """End its threads."""
        ...


class CpuTrainer:
    """Trains on the processor's cores."""

    def __init__(
        self,
        architecture: Architecture,
        start: FloatArray,
        loss: LossOptions,
        optimizer: OptimizerOptions,
        threads: int | None = None,
        fourier: FloatArray | None = None,
    ) -> None:
        """Begin with a copy of parameters `start`; `fourier` (F, inputs) is of an encoding."""
        self._fourier, self._inputs = fourier, architecture.inputs
        self._pool = ThreadPoolExecutor(threads or os.cpu_count() or 1, thread_name_prefix="fit")
        self._parameters = start.copy()
        self._step = FusedStep(architecture, loss, self._pool)
        mask = parameter_mask(architecture)
        self._optimizer = (
            CpuAdam(self._parameters, mask, optimizer)
            if isinstance(optimizer, AdamOptions)
            else CpuSoap(self._parameters, mask, optimizer, self._pool)
        )
        self._loss = 0.0

    def step(self, samples: FloatArray, learning_rate: float) -> None:
        """Train on samples (N, inputs + 2)."""
        self._loss, gradient = self._step(self._parameters, self._encoded(samples))
        if not math.isfinite(self._loss):
            return  # whoever asks for the loss ends the fit
        self._optimizer.step(gradient, learning_rate)

    def loss(self) -> float:
        """Give the loss of the latest step."""
        return self._loss

    def errors(self, samples: FloatArray) -> FloatArray:
        """Give |f - d| (N,) at samples (N, inputs + 2)."""
        if self._fourier is None:
            return self._step.errors(self._parameters, samples)
        starts = range(0, len(samples), ENCODED_AT_ONCE)
        pieces = [self._encoded(samples[start : start + ENCODED_AT_ONCE]) for start in starts]
        return np.concatenate([self._step.errors(self._parameters, piece) for piece in pieces])

    def _encoded(self, samples: FloatArray) -> FloatArray:
        """Give samples (N, encoded size + 2) with what the first layer sees in place of the place."""
        if self._fourier is None:
            return samples
        places, rest = samples[:, : self._inputs], samples[:, self._inputs :]
        return np.concatenate([encode(places, self._fourier), rest], axis=1)

    def parameters(self) -> FloatArray:
        """Give the parameters, which change with the next step."""
        return self._parameters

    def state(self) -> dict[str, FloatArray]:
        """Give copies of the parameters and of what the optimiser keeps."""
        return {"parameters": self._parameters.copy(), **self._optimizer.state()}

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Go on from a `state` of the same run."""
        self._parameters[:] = state["parameters"]
        self._optimizer.restore(state)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()
