"""Other ways to fit than ours, for `ablations`: optimisers on the fused step, and losses and networks that only torch has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.fitting.adam import AdamOptions, CpuAdam
from engine.fitting.fit import FitOptions, start_of
from engine.fitting.losses import LossOptions
from engine.fitting.torch_network import ACTIVATIONS, evaluate, sample_losses
from engine.fitting.torch_trainer import TorchTrainer
from engine.fitting.trainers import CpuTrainer
from engine.network.parameters import num_rows, parameter_mask
from engine.protocol.weights import Architecture

MUON_STEPS = 5  # of Newton and Schulz's iteration
ADAMS_SHARE = 0.1  # of the rate, for what Muon leaves to Adam
MUON = (3.4445, -4.7750, 2.0315)  # [Jordan 2024]: its polynomial, largest slope at zero


class Muon:
    """Hidden layers by orthogonalised momentum, first and last layer and biases by Adam [Jordan 2024]."""

    def __init__(self, parameters: np.ndarray, mask: np.ndarray, rate: float) -> None:
        self._parameters, self._rate = parameters, rate
        self._rows = parameters.shape[1]
        rest = mask.copy()
        rest[1:-1, :, : self._rows] = 0.0
        self._rest = CpuAdam(parameters, rest, AdamOptions())
        self._momentum = np.zeros_like(parameters[1:-1, :, : self._rows])

    def step(self, gradient: np.ndarray, learning_rate: float) -> None:
        """Move the parameters; the schedule's rate times its own for the hidden matrices."""
        hidden = gradient[1:-1, :, : self._rows]
        self._momentum += 0.05 * (hidden - self._momentum)
        x = 0.95 * self._momentum + 0.05 * hidden
        x = x / (np.linalg.norm(x, axis=(1, 2), keepdims=True) + 1e-12)
        for _ in range(MUON_STEPS):
            square = x @ x.transpose(0, 2, 1)
            x = MUON[0] * x + (MUON[1] * square + MUON[2] * square @ square) @ x
        self._rest.step(gradient, ADAMS_SHARE * learning_rate)
        self._parameters[1:-1, :, : self._rows] -= np.float32(learning_rate * self._rate) * x


class Averaged(CpuTrainer):
    """Ours, whose result is a running average of the parameters."""

    def __init__(self, options: FitOptions, decay: float) -> None:
        super().__init__(options.architecture, start_of(options), options.loss, options.soap)
        self._decay, self._average = decay, self._parameters.copy()

    def step(self, samples: np.ndarray, learning_rate: float) -> None:
        """Train, then take the new parameters into the average."""
        super().step(samples, learning_rate)
        self._average += (1.0 - self._decay) * (self._parameters - self._average)

    def parameters(self) -> np.ndarray:
        """Give the average."""
        return self._average


def with_adam(options: FitOptions) -> CpuTrainer:
    """Our trainer with Adam."""
    return CpuTrainer(options.architecture, start_of(options), options.loss, AdamOptions())


def with_muon(options: FitOptions, rate: float) -> CpuTrainer:
    """Our trainer with Muon; `rate` is of the hidden matrices, in the options' own."""
    trainer = CpuTrainer(options.architecture, start_of(options), options.loss, options.soap)
    trainer._optimizer = Muon(trainer.parameters(), parameter_mask(options.architecture), rate)
    return trainer


def with_loss(options: FitOptions, loss: Callable[[Tensor, Tensor], Tensor]) -> TorchTrainer:
    """The torch trainer with a loss of parameters and samples (N, 5)."""
    trainer = TorchTrainer(options.architecture, start_of(options), options.loss, options.soap, "cpu")

    def step(parameters: Tensor, samples: Tensor) -> tuple[Tensor, Tensor]:
        given = parameters.detach().requires_grad_(True)
        value = loss(given, samples)
        return value.detach(), torch.autograd.grad(value, given)[0]

    trainer._compute = step
    return trainer


def plain_loss(
    architecture: Architecture, options: LossOptions, eikonal: float = 0.0, curvature: float = 0.0
) -> Callable[[Tensor, Tensor], Tensor]:
    """Our loss plus weights times (|grad f| - 1)^2, and times what a certificate's bound grows with."""

    def loss(parameters: Tensor, samples: Tensor) -> Tensor:
        places = samples[:, :3].clone().requires_grad_(True)
        values = evaluate(parameters, architecture, places)
        total = (samples[:, 4] * sample_losses(values, samples[:, 3], options)).mean()
        if eikonal:
            gradient = torch.autograd.grad(values.sum(), places, create_graph=True)[0]
            total = total + eikonal * ((gradient.norm(dim=1) - 1.0) ** 2).mean()
        if curvature:
            total = total + curvature * steepness(parameters, architecture, samples[:256, :3])
        return total

    return loss


def steepness(parameters: Tensor, architecture: Architecture, places: Tensor) -> Tensor:
    """Mean over places of the sum over undecided units of |grad z|^2 / width: what second-order bounds grow with."""
    width, rows = architecture.width, parameters.shape[1]
    activation = ACTIVATIONS[architecture.activation]
    hidden, slopes = places, torch.eye(3).expand(len(places), 3, 3)
    total = torch.zeros(())
    for k, (out, fan_in) in enumerate(architecture.layer_shapes()[:-1]):
        matrix = parameters[k, :out, :fan_in]
        sums = functional.linear(hidden, matrix, parameters[k, :out, rows])
        slopes = torch.einsum("oi,nia->noa", matrix, slopes)
        undecided = (sums.detach().abs() < 2.5).float()
        total = total + (undecided * (slopes**2).sum(dim=2)).sum(dim=1).mean() / width
        hidden = activation(sums)
        slope = torch.autograd.grad(hidden.sum(), sums, create_graph=True)[0]
        slopes = slope[:, :, None] * slopes
    return total / architecture.depth


def skipping_loss(architecture: Architecture, options: LossOptions, at: int) -> tuple[Any, Any]:
    """Our loss for a network whose layer `at` sees the place again; and its value at (parameters, places)."""
    rows = num_rows(architecture)
    activation = ACTIVATIONS[architecture.activation]

    def value(parameters: Tensor, places: Tensor) -> Tensor:
        hidden = places
        for k, (out, fan_in) in enumerate(architecture.layer_shapes()):
            sums = functional.linear(hidden, parameters[k, :out, :fan_in], parameters[k, :out, rows])
            if k == at:  # behind the bias there is room for three columns
                sums = sums + places @ parameters[k, :out, rows + 1 : rows + 4].T
            hidden = activation(sums) if k < architecture.depth else sums
        return hidden[:, 0]

    def loss(parameters: Tensor, samples: Tensor) -> Tensor:
        values = value(parameters, samples[:, :3])
        return (samples[:, 4] * sample_losses(values, samples[:, 3], options)).mean()

    return loss, value
