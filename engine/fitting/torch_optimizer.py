"""SOAP for the few small matrices of one network: Adam in the eigenbasis of Shampoo's preconditioner.

For a layer's gradient G (out, in + 1), running averages of G G^T and G^T G give two orthogonal bases Q_L and Q_R.
Adam runs on Q_L^T G Q_R, where the loss is nearly separable [Vyas 2024]. The bases follow by one step of orthogonal
iteration every few steps. Layers of one shape are stacked and done together.

[Vyas 2024] N. Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", arXiv 2409.11321.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .cpu_optimizer import KEPT, SoapOptions

FloatArray = npt.NDArray[np.floating[Any]]


class Soap:
    """Updates a stack of equally shaped matrices (K, out, in) in place."""

    def __init__(self, parameters: Tensor, mask: Tensor, options: SoapOptions) -> None:
        """Look after `parameters`; where `mask` is zero they are padding and stay as they are."""
        stack, rows, columns = parameters.shape
        self.parameters, self.options = parameters, options
        self._mask = mask
        self._mean = torch.zeros_like(parameters)  # of the gradient, in the layer's own basis
        self._square = torch.zeros_like(parameters)  # of the turned gradient
        self._left_product = parameters.new_zeros(stack, rows, rows)
        self._right_product = parameters.new_zeros(stack, columns, columns)
        self._left = torch.eye(rows, device=parameters.device).expand(stack, rows, rows).clone()
        self._right = torch.eye(columns, device=parameters.device).expand(stack, columns, columns).clone()
        self._scales = parameters.new_zeros(3)  # learning rate, corrections of both averages
        self._num_steps = 0

    def step(self, gradient: Tensor, learning_rate: float) -> None:
        """Move the parameters against `gradient`, of their shape."""
        self.prepare(learning_rate)
        self.gather(gradient)
        if self.due:
            self.turn()
        self.update(gradient)

    @property
    def due(self) -> bool:
        """Whether the bases are turned in this step, between `gather` and `update`."""
        return (self._num_steps - 1) % self.options.basis_interval == 0

    def prepare(self, learning_rate: float) -> None:
        """Begin a step: put its scales where `update` reads them, on the device."""
        self._num_steps += 1
        n, options = self._num_steps - 1, self.options  # the first gradient only sets the bases
        scales = [0.0, 1.0, 1.0]
        if n > 0:
            means = options.momentum, options.second_momentum
            scales = [learning_rate, *(1.0 / (1.0 - momentum**n) for momentum in means)]
        self._scales.copy_(torch.tensor(scales), non_blocking=True)

    def gather(self, gradient: Tensor) -> None:
        """Blend G G^T and G^T G into their averages; a graph may capture it."""
        share = 1.0 - self.options.shampoo_momentum
        self._left_product.lerp_(gradient @ gradient.mT, share)
        self._right_product.lerp_(gradient.mT @ gradient, share)

    def turn(self) -> None:
        """Let the bases follow."""
        if self._num_steps == 1:
            self._left.copy_(_eigenbasis(self._left_product))
            self._right.copy_(_eigenbasis(self._right_product))
            return
        left, rows = _turned(self._left_product, self._left)
        right, columns = _turned(self._right_product, self._right)
        self._left.copy_(left)
        self._right.copy_(right)
        stack = torch.arange(len(rows), device=rows.device)[:, None, None]
        self._square.copy_(self._square[stack, rows[:, :, None], columns[:, None, :]])

    def update(self, gradient: Tensor) -> None:
        """Move the parameters; a graph may capture it."""
        options, (rate, mean_scale, square_scale) = self.options, self._scales.unbind()
        begun = (rate > 0.0).to(gradient.dtype)
        self._mean.lerp_(gradient, (1.0 - options.momentum) * begun)
        turned = self._left.mT @ gradient @ self._right
        self._square.lerp_(turned * turned, (1.0 - options.second_momentum) * begun)
        mean = mean_scale * (self._left.mT @ self._mean @ self._right)
        size = (self._square * square_scale).sqrt_()
        update = self._left @ (mean / (size + options.epsilon)) @ self._right.mT
        self.parameters.sub_(rate * update * self._mask)

    def state(self) -> dict[str, FloatArray]:
        """Give copies of what it keeps between steps, the parameters apart."""
        kept = {name: getattr(self, f"_{name}").cpu().numpy().copy() for name in KEPT}
        return {**kept, "num_steps": np.array([self._num_steps], np.float64)}

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Go on from a `state`."""
        for name in KEPT:
            getattr(self, f"_{name}").copy_(torch.from_numpy(state[name]))
        self._num_steps = int(state["num_steps"][0])


def _eigenbasis(product: Tensor) -> Tensor:
    basis: Tensor = torch.linalg.eigh(product)[1].flip(-1)
    return basis


def _turned(product: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """Give the basis after one step of orthogonal iteration, and the order its columns were put into."""
    strength = (basis * (product @ basis)).sum(dim=-2)
    order = strength.argsort(dim=-1, descending=True)
    basis = torch.gather(basis, -1, order[:, None, :].expand_as(basis))
    turned: Tensor = torch.linalg.qr(product @ basis)[0]
    return turned, order
