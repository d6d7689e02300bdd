"""One step of training by torch: the reference of the CPU's trainer, and for any device that torch knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .cpu_optimizer import SoapOptions
from .losses import LossOptions
from .parameters import initial_parameters, parameter_mask
from .protocol.weights import Architecture
from .torch_network import EVALUATION_BATCH, evaluate, torch_step
from .torch_optimizer import Soap

FloatArray = npt.NDArray[np.floating[Any]]


class TorchTrainer:
    """Trains on a torch device; on CUDA all but the turns of the bases is captured once and replayed."""

    EAGER_STEPS = 4  # before the capture, so that every library has set itself up

    def __init__(
        self, architecture: Architecture, seed: int, loss: LossOptions, soap: SoapOptions, device: str
    ) -> None:
        """Begin with random parameters, equal on every device."""
        self._device, self._architecture = torch.device(device), architecture
        self._parameters = torch.from_numpy(initial_parameters(architecture, seed)).to(self._device)
        self._compute = torch_step(architecture, loss)
        mask = torch.from_numpy(parameter_mask(architecture)).to(self._device)
        self._optimizer = Soap(self._parameters, mask, soap)
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
