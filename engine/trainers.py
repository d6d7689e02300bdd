"""One step of training behind one contract, on the CPU by Numba and elsewhere by torch.

A trainer owns the parameters. The CPU's runs whole batches through `fused_step` and `cpu_optimizer`; torch's is their
reference and runs on any device that torch knows.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from .cpu_optimizer import CpuSoap
from .fused_step import FusedStep
from .losses import LossOptions, torch_step
from .network import initial_parameters, parameter_mask
from .optimizer import Soap, SoapOptions
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
        self._parameters = initial_parameters(architecture, seed).numpy()
        self._step = FusedStep(architecture, loss, self._pool)
        mask = parameter_mask(architecture).numpy()
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

    def parameters(self) -> FloatArray:
        """Give the parameters, which change with the next step."""
        return self._parameters

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()


class TorchTrainer:
    """Trains on a torch device."""

    def __init__(
        self, architecture: Architecture, seed: int, loss: LossOptions, soap: SoapOptions, device: str
    ) -> None:
        """Begin with random parameters, equal on every device."""
        self._device = torch.device(device)
        self._parameters = initial_parameters(architecture, seed).to(self._device)
        self._gradient = torch_step(architecture, loss)
        self._optimizer = Soap(self._parameters, parameter_mask(architecture).to(self._device), soap)
        self._loss = torch.zeros((), device=self._device)

    def step(self, samples: FloatArray, learning_rate: float) -> None:
        """Train on samples (N, 5)."""
        batch = torch.from_numpy(samples).to(self._device, non_blocking=True)
        self._loss, gradient = self._gradient(self._parameters, batch)
        self._optimizer.step(gradient, learning_rate)

    def loss(self) -> float:
        """Give the loss of the latest step; waits for the device."""
        return float(self._loss)

    def parameters(self) -> FloatArray:
        """Give a copy of the parameters; waits for the device."""
        array: FloatArray = self._parameters.cpu().numpy()
        return array

    def close(self) -> None:
        """Nothing to end."""
