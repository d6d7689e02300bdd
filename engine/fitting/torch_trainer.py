"""One step of training by torch: the reference of the CPU's trainer, and for any device that torch knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..network.parameters import parameter_mask
from ..protocol.weights import Architecture
from .adam import AdamOptions
from .losses import LossOptions
from .torch_adam import Adam
from .torch_network import EVALUATION_BATCH, evaluate, torch_step
from .torch_optimizer import Soap
from .trainers import OptimizerOptions

FloatArray = npt.NDArray[np.floating[Any]]


class TorchTrainer:
    """Trains on a torch device; on CUDA all but the turns of the bases is captured once and replayed."""

    EAGER_STEPS = 4  # before the capture, so that every library has set itself up

    def __init__(
        self,
        architecture: Architecture,
        start: FloatArray,
        loss: LossOptions,
        optimizer: OptimizerOptions,
        device: str,
        fourier: FloatArray | None = None,
    ) -> None:
        """Begin with a copy of parameters `start`; `fourier` (F, inputs) is of an encoding."""
        self._device, self._architecture = torch.device(device), architecture
        self._parameters = torch.from_numpy(start.copy()).to(self._device)
        self._fourier = None if fourier is None else torch.from_numpy(fourier).to(self._device)
        self._compute = torch_step(architecture, loss, self._fourier)
        mask = torch.from_numpy(parameter_mask(architecture)).to(self._device)
        self._optimizer = (
            Adam(self._parameters, mask, optimizer)
            if isinstance(optimizer, AdamOptions)
            else Soap(self._parameters, mask, optimizer)
        )
        self._loss = torch.zeros((), device=self._device)
        self._gradient = torch.zeros_like(self._parameters)
        self._samples = torch.zeros(0, architecture.inputs + 2, device=self._device)
        self._graphs: list[Any] = []  # gather, update
        self._num_steps = 0

    def step(self, samples: FloatArray, learning_rate: float) -> None:
        """Train on samples (N, inputs + 2), the same number each time."""
        if len(self._samples) != len(samples):
            self._samples = torch.zeros(samples.shape, device=self._device)
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
        """Give |f - d| (N,) at samples (N, inputs + 2); waits for the device."""
        inputs = self._architecture.inputs
        with torch.no_grad():
            batch = torch.from_numpy(samples).to(self._device)
            places = torch.split(batch[:, :inputs], EVALUATION_BATCH)
            network = self._parameters, self._architecture
            values = torch.cat([evaluate(*network, piece, self._fourier) for piece in places])
            array: FloatArray = (values - batch[:, inputs]).abs().cpu().numpy()
        return array

    def parameters(self) -> FloatArray:
        """Give a copy of the parameters; waits for the device."""
        array: FloatArray = self._parameters.cpu().numpy()
        return array

    def state(self) -> dict[str, FloatArray]:
        """Give copies of the parameters and of what the optimiser keeps; waits for the device."""
        return {"parameters": self.parameters().copy(), **self._optimizer.state()}

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Go on from a `state` of the same run."""
        self._parameters.copy_(torch.from_numpy(state["parameters"]))
        self._optimizer.restore(state)

    def close(self) -> None:
        """Nothing to end."""


def _captured(work: Callable[[], None]) -> Any:
    """Give a CUDA graph of `work`, which is recorded and not run."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph
