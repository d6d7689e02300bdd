"""The loss of a batch, mean |f - d|, and its gradient: fused on the CPU where networks are small, else by torch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from . import fused_step
from .network import evaluate, num_rows
from .protocol.weights import Architecture

LossAndGradient = Callable[[Tensor, Tensor, Tensor], tuple[float | Tensor, Tensor]]


def make_step(architecture: Architecture, threads: int | None = None) -> LossAndGradient:
    """Give a function of parameters, points (N, 3) and distances (N,) to the loss and its gradient."""
    return fused(architecture, threads) if runs_fused(architecture) else torch_step(architecture)


def runs_fused(architecture: Architecture) -> bool:
    """Whether a network is small and plain enough for the fused step."""
    return architecture.width <= fused_step.WIDEST and architecture.output_activation == "none"


def fused(architecture: Architecture, threads: int | None = None) -> LossAndGradient:
    """Give the fused step, for tensors on the CPU."""
    rows = num_rows(architecture)
    run = fused_step.FusedStep((architecture.depth + 1, rows, rows + 1), architecture.activation, threads)

    def step(parameters: Tensor, points: Tensor, distances: Tensor) -> tuple[float, Tensor]:
        loss, gradient = run(parameters.numpy(), points.numpy(), distances.numpy())
        return loss, torch.from_numpy(gradient)

    return step


def torch_step(architecture: Architecture) -> LossAndGradient:
    """Give the same by automatic differentiation, on any device."""

    def step(parameters: Tensor, points: Tensor, distances: Tensor) -> tuple[Tensor, Tensor]:
        leaf = parameters.detach().requires_grad_(True)
        loss = (evaluate(leaf, architecture, points) - distances).abs().mean()
        return loss.detach(), torch.autograd.grad(loss, leaf)[0]

    return step
