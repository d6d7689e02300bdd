"""What a fit minimises, and its gradient by automatic differentiation: the reference of the fused step, and for CUDA."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from .errors import OptionError
from .network import evaluate
from .protocol.weights import Architecture

LossKind = Literal["l1", "l2", "clamped"]
LossAndGradient = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LossOptions:
    """The loss of one sample: |f - d|, its square, or |f - d| with both clamped; plus a share of large errors.

    The tail, tail_weight / 2 * max(|f - d| - tail_start, 0)^2, keeps the largest errors down, which a mean forgets.
    """

    kind: LossKind = "l1"
    clamp: float = 0.1  # unit space; of the kind "clamped"
    tail_start: float = 0.01  # unit space
    tail_weight: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(LossKind):
            raise OptionError(f"There is no loss {self.kind!r}. Use one of {', '.join(get_args(LossKind))}.")
        if not self.clamp > 0.0:
            raise OptionError(f"A loss is clamped at a positive distance, got {self.clamp}.")
        if self.tail_start < 0.0 or self.tail_weight < 0.0:
            raise OptionError("The tail of a loss starts at no negative error and has no negative weight.")


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


def torch_step(architecture: Architecture, options: LossOptions) -> LossAndGradient:
    """Give a function of parameters and samples (N, 5: x, y, z, distance, weight) to the loss and its gradient."""

    def step(parameters: Tensor, samples: Tensor) -> tuple[Tensor, Tensor]:
        given = parameters.detach().requires_grad_(True)
        values = evaluate(given, architecture, samples[:, :3])
        loss = (samples[:, 4] * sample_losses(values, samples[:, 3], options)).mean()
        return loss.detach(), torch.autograd.grad(loss, given)[0]

    return step
