"""Loss and gradient of a network on the CPU in one pass per block of points, without leaving the cache.

torch runs each layer over the whole batch and so streams every activation through memory, forward and back. Here
a block of points goes through all layers and back while everything about it stays in the second-level cache.

The batch is cut into a fixed number of pieces whose gradients are added in order, so the result does not depend on
the number of threads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from ..protocol.weights import Architecture
from .fused_activations import ACTIVATION_CODES
from .fused_kernels import BLOCK, LOSS_CODES, block_errors, block_gradients
from .losses import LossOptions

FloatArray = npt.NDArray[np.floating[Any]]

LARGEST_PIECE = 1024  # samples; small enough for many threads, large enough that a call costs nothing


class FusedStep:
    """The mean loss of a batch and its gradient."""

    def __init__(self, architecture: Architecture, loss: LossOptions, pool: ThreadPoolExecutor) -> None:
        """Prepare for parameters in the layout of `network.initial_parameters`."""
        squashed = architecture.output_activation == "tanh"
        codes = (ACTIVATION_CODES[architecture.activation], LOSS_CODES[loss.kind], squashed)
        self._codes = np.array(codes, np.int64)
        self._limits = np.array([loss.clamp, loss.tail_start, loss.tail_weight], np.float32)
        self._pool = pool
        self._gradients: list[FloatArray] = []

    def __call__(self, parameters: FloatArray, samples: FloatArray) -> tuple[float, FloatArray]:
        """Give the loss and its gradient, of the parameters' shape.

        Args:
            parameters: (depth + 1, rows, columns) float32.
            samples: (N, inputs + 2) float32: the encoded place, distance, weight.
        """
        layers, rows, _ = parameters.shape
        flat, transposed, biases = _laid_out(parameters)
        cuts = _cuts(len(samples))
        while len(self._gradients) < len(cuts) - 1:
            self._gradients.append(np.zeros_like(parameters))

        def piece(k: int) -> float:
            gradient = self._gradients[k]
            gradient[:] = 0.0
            mine = samples[cuts[k] : cuts[k + 1]]
            total = block_gradients(
                flat,
                transposed,
                biases,
                layers - 1,
                rows,
                mine,
                self._codes,
                self._limits,
                gradient.reshape(-1),
            )
            return float(total)

        losses = list(self._pool.map(piece, range(len(cuts) - 1)))
        gradient = np.add.reduce(self._gradients[: len(losses)])
        gradient /= len(samples)
        return sum(losses) / len(samples), gradient

    def errors(self, parameters: FloatArray, samples: FloatArray) -> FloatArray:
        """Give |f - d| (N,) float32 at samples (N, inputs + 2)."""
        flat, transposed, biases = _laid_out(parameters)
        errors = np.empty(len(samples), np.float32)
        cuts = _cuts(len(samples))

        def piece(k: int) -> None:
            mine = slice(cuts[k], cuts[k + 1])
            rows = parameters.shape[1]
            block_errors(flat, transposed, biases, rows, samples[mine], self._codes, errors[mine])

        list(self._pool.map(piece, range(len(cuts) - 1)))
        return errors


def _laid_out(parameters: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Give what the kernels read: all numbers flat, the transposed matrices flat, and the biases."""
    rows = parameters.shape[1]
    transposed = np.ascontiguousarray(parameters[:, :, :rows].transpose(0, 2, 1)).reshape(-1)
    return parameters.reshape(-1), transposed, np.ascontiguousarray(parameters[:, :, rows])


def _cuts(count: int) -> list[int]:
    """Cut a batch into pieces of whole blocks, as even as can be, two at the least."""
    blocks = -(-count // BLOCK)
    pieces = max(min(2, blocks), -(-count // LARGEST_PIECE))
    return [min(count, BLOCK * (blocks * k // pieces)) for k in range(pieces)] + [count]
