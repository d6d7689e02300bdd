"""SOAP for the few small matrices of one network: Adam in the eigenbasis of Shampoo's preconditioner.

For a layer's gradient G (out, in + 1), running averages of G G^T and G^T G give two orthogonal bases Q_L and Q_R.
Adam runs on Q_L^T G Q_R, where the loss is nearly separable [Vyas 2024]. The bases follow by one step of orthogonal
iteration every few steps. Layers of one shape are stacked and done together.

[Vyas 2024] N. Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", arXiv 2409.11321.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class SoapOptions:
    """Constants of the optimiser."""

    momentum: float = 0.95
    second_momentum: float = 0.95
    shampoo_momentum: float = 0.95
    basis_interval: int = 20  # steps between turns of the bases
    epsilon: float = 1e-8


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
        self._num_steps = 0

    def step(self, gradient: Tensor, learning_rate: float) -> None:
        """Move the parameters against `gradient`, of their shape."""
        options = self.options
        self._update_bases(gradient)
        if self._num_steps == 0:  # the first gradient only sets the bases
            self._num_steps = 1
            return
        self._mean.lerp_(gradient, 1.0 - options.momentum)
        turned = self._left.mT @ gradient @ self._right
        self._square.lerp_(turned * turned, 1.0 - options.second_momentum)
        mean = self._left.mT @ self._mean @ self._right
        mean /= 1.0 - options.momentum**self._num_steps
        size = (self._square / (1.0 - options.second_momentum**self._num_steps)).sqrt_()
        update = self._left @ (mean / (size + options.epsilon)) @ self._right.mT
        update *= self._mask
        self.parameters.sub_(update, alpha=learning_rate)
        self._num_steps += 1

    def _update_bases(self, gradient: Tensor) -> None:
        options = self.options
        share = 1.0 - options.shampoo_momentum
        self._left_product.lerp_(gradient @ gradient.mT, share)
        self._right_product.lerp_(gradient.mT @ gradient, share)
        if self._num_steps == 0:
            self._left = _eigenbasis(self._left_product)
            self._right = _eigenbasis(self._right_product)
        elif self._num_steps % options.basis_interval == 0:
            self._left, rows = _turned(self._left_product, self._left)
            self._right, columns = _turned(self._right_product, self._right)
            stack = torch.arange(len(rows), device=rows.device)[:, None, None]
            self._square = self._square[stack, rows[:, :, None], columns[:, None, :]]


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
