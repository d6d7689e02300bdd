"""Loss and gradient of a small network on the CPU in one pass per block of points, without leaving the cache.

torch runs each layer over the whole batch and so streams every activation through memory, forward and back. Here
a block of points goes through all layers and back while everything about it stays in the second-level cache.

All layers have one padded shape: parameters are (depth + 1, rows, rows + 1) with `rows` a multiple of four, the
bias in the last column, zeros elsewhere. The batch is cut into a fixed number of pieces whose gradients are added
in order, so the result does not depend on the number of threads.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from .fused_kernels import ACTIVATION_CODES, block_gradients

FloatArray = npt.NDArray[np.floating[Any]]

NUM_PIECES = 8  # of a batch, whatever the number of threads
WIDEST = 64  # beyond it a block leaves the cache and torch is faster


class FusedStep:
    """The mean |f - d| of a batch and its gradient."""

    def __init__(self, shape: tuple[int, int, int], activation: str, threads: int | None = None) -> None:
        """Prepare for parameters of a shape (depth + 1, rows, rows + 1)."""
        self._code = ACTIVATION_CODES[activation]
        self._gradients = [np.zeros(shape, np.float32) for _ in range(NUM_PIECES)]
        self._pool = ThreadPoolExecutor(threads or os.cpu_count() or 1, thread_name_prefix="step")

    def __call__(
        self, parameters: FloatArray, points: FloatArray, distances: FloatArray
    ) -> tuple[float, FloatArray]:
        """Give the loss and its gradient, of the parameters' shape, at points (N, 3) with distances (N,)."""
        transposed = np.ascontiguousarray(parameters[:, :, :-1].transpose(0, 2, 1))
        cuts = np.linspace(0, len(points), NUM_PIECES + 1).astype(int)

        def piece(k: int) -> float:
            mine = slice(cuts[k], cuts[k + 1])
            gradient = self._gradients[k]
            gradient[:] = 0.0
            return float(
                block_gradients(parameters, transposed, points[mine], distances[mine], self._code, gradient)
            )

        losses = list(self._pool.map(piece, range(NUM_PIECES)))
        gradient = np.add.reduce(self._gradients)
        gradient /= len(points)
        return sum(losses) / len(points), gradient

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()
