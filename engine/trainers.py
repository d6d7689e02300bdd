"""One step of training behind one contract, and the trainer of the CPU; `torch_trainer` has that of other devices.

A trainer owns the parameters. The CPU's runs whole batches through `fused_step` and `cpu_optimizer`, without torch.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .cpu_optimizer import CpuSoap, SoapOptions
from .fused_step import FusedStep
from .losses import LossOptions
from .parameters import initial_parameters, parameter_mask
from .protocol.weights import Architecture

FloatArray = npt.NDArray[np.floating[Any]]


class Trainer(Protocol):
    """Trains one network."""

    def step(self, samples: FloatArray, learning_rate: float) -> None:
        """Train on samples (N, 5: x, y, z, distance, weight)."""
        ...

    def loss(self) -> float:
        """Give the loss of the latest step."""
        ...

    def errors(self, samples: FloatArray) -> FloatArray:
        """Give |f - d| (N,) at samples (N, 5), without training on them."""
        ...

    def parameters(self) -> FloatArray:
        """Give the parameters (depth + 1, rows, rows + PADDING) float32; they may change with the next step."""
        ...

    def close(self) -> None:
        """End its threads."""
        ...


class CpuTrainer:
    """Trains on the processor's cores."""

    def __init__(
        self,
        architecture: Architecture,
        seed: int,
        loss: LossOptions,
        soap: SoapOptions,
        threads: int | None = None,
    ) -> None:
        """Begin with random parameters."""
        self._pool = ThreadPoolExecutor(threads or os.cpu_count() or 1, thread_name_prefix="fit")
        self._parameters = initial_parameters(architecture, seed)
        self._step = FusedStep(architecture, loss, self._pool)
        mask = parameter_mask(architecture)
        self._optimizer = CpuSoap(self._parameters, mask, soap, self._pool)
        self._loss = 0.0

    def step(self, samples: FloatArray, learning_rate: float) -> None:
        """Train on samples (N, 5)."""
        self._loss, gradient = self._step(self._parameters, samples)
        if not math.isfinite(self._loss):
            return  # whoever asks for the loss ends the fit
        self._optimizer.step(gradient, learning_rate)

    def loss(self) -> float:
        """Give the loss of the latest step."""
        return self._loss

    def errors(self, samples: FloatArray) -> FloatArray:
        """Give |f - d| (N,) at samples (N, 5)."""
        return self._step.errors(self._parameters, samples)

    def parameters(self) -> FloatArray:
        """Give the parameters, which change with the next step."""
        return self._parameters

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()
