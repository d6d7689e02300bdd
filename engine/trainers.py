"""One step of training behind one contract, on the CPU by Numba and elsewhere by torch.

A trainer owns the parameters. The CPU's runs whole batches through `fused_step` and `cpu_optimizer`; torch's is their
reference and runs on any device that torch knows.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from .cpu_optimizer import CpuSoap
from .fused_step import FusedStep
from .losses import LossOptions, torch_step
from .network import EVALUATION_BATCH, evaluate, initial_parameters, parameter_mask
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

    def errors(self, samples: FloatArray) -> FloatArray:
        """Give |f - d| (N,) at samples (N, 5)."""
        return self._step.errors(self._parameters, samples)

    def parameters(self) -> FloatArray:
        """Give the parameters, which change with the next step."""
        return self._parameters

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()


class TorchTrainer:
    """Trains on a torch device; on CUDA all but the turns of the bases is captured once and replayed."""

    EAGER_STEPS = 4  # before the capture, so that every library has set itself up

    def __init__(
        self, architecture: Architecture, seed: int, loss: LossOptions, soap: SoapOptions, device: str
    ) -> None:
        """Begin with random parameters, equal on every device."""
        self._device, self._architecture = torch.device(device), architecture
        self._parameters = initial_parameters(architecture, seed).to(self._device)
        self._compute = torch_step(architecture, loss)
        self._optimizer = Soap(self._parameters, parameter_mask(architecture).to(self._device), soap)
        self._loss = torch.zeros((), device=self._device)
        self._gradient = torch.zeros_like(self._parameters)
        self._samples = torch.zeros(0, 5, device=self._device)
        self._graphs: list[Any] = []  # gather, update
        self._num_steps = 0

    def step(self, samples: FloatArray, learning_rate: float) -> None:
        """Train on samples (N, 5), the same number each time."""
        if len(self._samples) != len(samples):
            self._samples = torch.zeros(len(samples), 5, device=self._device)
            self._graphs.clear()
        self._samples.copy_(torch.from_numpy(samples), non_blocking=True)
        self._optimizer.prepare(learning_rate)
        gather, update = self._gather, self._update
        if self._device.type == "cuda" and self._num_steps >= self.EAGER_STEPS:
            if not self._graphs:
                self._graphs = [_captured(gather), _captured(update)]
            gather, update = (graph.replay for graph in self._graphs)
        gather()
        if self._optimizer.due:
            self._optimizer.turn()
        update()
        self._num_steps += 1

    def _gather(self) -> None:
        loss, gradient = self._compute(self._parameters, self._samples)
        self._loss.copy_(loss)
        self._gradient.copy_(gradient)
        self._optimizer.gather(self._gradient)

    def _update(self) -> None:
        self._optimizer.update(self._gradient)

    def loss(self) -> float:
        """Give the loss of the latest step; waits for the device."""
        return float(self._loss)

    def errors(self, samples: FloatArray) -> FloatArray:
        """Give |f - d| (N,) at samples (N, 5); waits for the device."""
        with torch.no_grad():
            batch = torch.from_numpy(samples).to(self._device)
            pieces = torch.split(batch, EVALUATION_BATCH)
            values = torch.cat([evaluate(self._parameters, self._architecture, p[:, :3]) for p in pieces])
            array: FloatArray = (values - batch[:, 3]).abs().cpu().numpy()
        return array

    def parameters(self) -> FloatArray:
        """Give a copy of the parameters; waits for the device."""
        array: FloatArray = self._parameters.cpu().numpy()
        return array

    def close(self) -> None:
        """Nothing to end."""


def _captured(work: Callable[[], None]) -> Any:
    """Give a CUDA graph of `work`, which is recorded and not run."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph
