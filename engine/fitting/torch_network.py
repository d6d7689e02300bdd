"""The network and its loss as torch sees them: for devices other than the CPU, and the reference of the fused step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..protocol.weights import Architecture
from .losses import LossOptions

LossAndGradient = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

EVALUATION_BATCH = 8192  # stays in the second-level cache at 32 wide


def hard_gelu(z: Tensor) -> Tensor:
    """Give z times a smooth step from -2.5 to 2.5."""
    u = (0.4 * z).clamp(-1.0, 1.0)
    w = u * u
    return z * (0.5 + u * (0.9375 + w * (0.1875 * w - 0.625)))


ACTIVATIONS: dict[str, Any] = {
    "relu": torch.relu,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "softplus": functional.softplus,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "sine": torch.sin,
    "silu": functional.silu,
    "gelu": functional.gelu,
    "hard_gelu": hard_gelu,
}


def encode(points: Tensor, fourier: Tensor | None) -> Tensor:
    """Give what the first layer sees (N, inputs + 2 F) of points (N, inputs); see `parameters.encode`."""
    if fourier is None:
        return points
    phases = 2.0 * math.pi * (points @ fourier.T)
    return torch.cat([points, torch.sin(phases), torch.cos(phases)], dim=1)


def evaluate(
    parameters: Tensor, architecture: Architecture, points: Tensor, fourier: Tensor | None = None
) -> Tensor:
    """Give the network's value (N,) at points (N, inputs), with the matrix (F, inputs) of its encoding."""
    activation = ACTIVATIONS[architecture.activation]
    hidden, rows = encode(points, fourier), parameters.shape[1]
    for k, (out, fan_in) in enumerate(architecture.layer_shapes()):
        hidden = functional.linear(hidden, parameters[k, :out, :fan_in], parameters[k, :out, rows])
        if k < architecture.depth:
            hidden = activation(hidden)
    value = hidden[:, 0]
    return torch.tanh(value) if architecture.output_activation == "tanh" else value


def sample_losses(values: Tensor, distances: Tensor, options: LossOptions) -> Tensor:
    """Give the loss (N,) of each sample."""
    if options.kind == "clamped":
        bound = options.clamp
        return (values.clamp(-bound, bound) - distances.clamp(-bound, bound)).abs()
    errors = values - distances
    if options.kind == "l2":
        return errors * errors
    over = (errors.abs() - options.tail_start).clamp(min=0.0)
    return errors.abs() + 0.5 * options.tail_weight * over * over


def torch_step(
    architecture: Architecture, options: LossOptions, fourier: Tensor | None = None
) -> LossAndGradient:
    """Give a function of parameters and samples (N, inputs + 2: place, distance, weight) to the loss and its gradient."""
    inputs = architecture.inputs

    def step(parameters: Tensor, samples: Tensor) -> tuple[Tensor, Tensor]:
        given = parameters.detach().requires_grad_(True)
        values = evaluate(given, architecture, samples[:, :inputs], fourier)
        loss = (samples[:, inputs + 1] * sample_losses(values, samples[:, inputs], options)).mean()
        return loss.detach(), torch.autograd.grad(loss, given)[0]

    return step
