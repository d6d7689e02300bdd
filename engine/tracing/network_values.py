"""A network's values by the fast kernels alone: no step grid, no torch."""

from __future__ import annotations

import numpy as np

from ..cache import use_cache_folder
from ..network.zero_set_box import FloatArray
from ..protocol.weights import NeuralWeights


class NetworkValues:
    """Values of a network of x, y and z; `at_time` makes one of a moving shape."""

    def __init__(self, weights: NeuralWeights) -> None:
        """Lay the network out."""
        use_cache_folder()
        from .network_kernel import pack_network

        self._network = pack_network(weights)

    def value(self, points: FloatArray) -> FloatArray:
        """Give f (N,) float32 at points (N, 3) in [-1, 1]^3; on all processors."""
        from .network_kernel import evaluate_points
        from .parallel import over_slices

        values = np.empty(len(points), np.float32)
        places = np.ascontiguousarray(points, np.float32)
        no_gradients = np.empty((0, 3), np.float32)
        over_slices(
            len(places), lambda part: evaluate_points(self._network, places[part], values[part], no_gradients)
        )
        return values

    def changes_sign(self, resolution: int = 48) -> bool:
        """Whether a grid of samples has both signs."""
        axis = np.linspace(-1.0, 1.0, resolution)
        values = self.value(np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3))
        return bool(values.min() < 0.0 < values.max())
