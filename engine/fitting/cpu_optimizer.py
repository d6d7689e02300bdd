"""SOAP on the CPU: the layers of a network are updated side by side on a few threads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .soap_kernels import SoapState, gather_products, turn_bases, update_layers

FloatArray = npt.NDArray[np.floating[Any]]

KEPT = ("mean", "square", "left_product", "right_product", "left", "right")


@dataclass(frozen=True, slots=True, kw_only=True)
class SoapOptions:
    """Constants of the optimiser."""

    momentum: float = 0.95
    second_momentum: float = 0.95
    shampoo_momentum: float = 0.95
    basis_interval: int = 20  # steps between turns of the bases
    epsilon: float = 1e-8


class CpuSoap:
    """Updates a stack of padded matrices (K, rows, rows + LANES) in place; see `torch_optimizer.Soap`."""

    def __init__(
        self, parameters: FloatArray, mask: FloatArray, options: SoapOptions, pool: ThreadPoolExecutor
    ) -> None:
        """Look after `parameters`; where `mask` is zero they are padding and stay as they are."""
        layers, rows, columns = parameters.shape
        left, right = (layers, rows, rows), (layers, columns, columns)
        self.options = options
        self._pool = pool
        self._state = SoapState(
            parameters,
            mask,
            np.zeros_like(parameters),
            np.zeros_like(parameters),
            *(np.zeros(shape, np.float32) for shape in (left, right, left, right)),
        )
        parts = min(layers, os.cpu_count() or 1)
        self._parts = [(layers * k // parts, layers * (k + 1) // parts) for k in range(parts)]
        self._num_steps = 0

    def step(self, gradient: FloatArray, learning_rate: float) -> None:
        """Move the parameters against `gradient`, of their shape."""
        constants = self._constants(learning_rate)
        list(self._pool.map(lambda part: self._step_layers(part, gradient, constants), self._parts))
        self._num_steps += 1

    def state(self) -> dict[str, FloatArray]:
        """Give copies of what it keeps between steps, the parameters apart."""
        kept = {name: array.copy() for name, array in self._state._asdict().items() if name in KEPT}
        return {**kept, "num_steps": np.array([self._num_steps], np.float64)}

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Go on from a `state`."""
        for name in KEPT:
            getattr(self._state, name)[:] = state[name]
        self._num_steps = int(state["num_steps"][0])

    def _step_layers(
        self, part: tuple[int, int], gradient: FloatArray, constants: tuple[np.float32, ...]
    ) -> None:
        state = self._state
        gather_products(state, part, gradient, np.float32(1.0 - self.options.shampoo_momentum))
        if self._num_steps == 0:  # the first gradient only sets the bases
            rows = gradient.shape[1]
            for k in range(*part):
                state.left[k] = _eigenbasis(state.left_product[k])
                corner = slice(rows + 1)
                state.right[k, corner, corner] = _eigenbasis(state.right_product[k, corner, corner])
            return
        if self._num_steps % self.options.basis_interval == 0:
            turn_bases(state, part)
        update_layers(state, part, gradient, constants)

    def _constants(self, learning_rate: float) -> tuple[np.float32, ...]:
        options, n = self.options, max(1, self._num_steps)
        return (
            np.float32(options.momentum),
            np.float32(options.second_momentum),
            np.float32(1.0 / (1.0 - options.momentum**n)),
            np.float32(1.0 / (1.0 - options.second_momentum**n)),
            np.float32(options.epsilon),
            np.float32(learning_rate),
        )


def _eigenbasis(product: FloatArray) -> FloatArray:
    basis: FloatArray = np.linalg.eigh(product)[1][:, ::-1]
    return basis
