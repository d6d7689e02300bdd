"""What every tracing backend offers; the renderer and the tests know nothing else about it.

All positions are in the unit space of one network. Directions are *not* normalised: they keep the length that
the object's transform gave them, so a ray parameter `t` is the same in every space.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]


class Tracer(Protocol):
    """Sphere tracing of one network; safe to call from several threads at once."""

    @property
    def bound(self) -> str:
        """What its steps rely on: "sampled", "certified", or "given" by the caller."""
        ...

    def value(self, points: FloatArray) -> FloatArray:
        """Signed distance (N,) at points (N, 3); outside [-1, 1]^3 the nearest box point's plus the distance to it."""
        ...

    def gradient(self, points: FloatArray) -> FloatArray:
        """Gradient (N, 3) of the network at points (N, 3) in [-1, 1]^3."""
        ...

    def trace(
        self, origins: FloatArray, directions: FloatArray, t_min: FloatArray, t_max: FloatArray
    ) -> FloatArray:
        """First crossing of the zero set in [t_min, t_max], entering or leaving: t (N,), `inf` on a miss."""
        ...

    def occluded(
        self, origins: FloatArray, directions: FloatArray, t_min: FloatArray, t_max: FloatArray
    ) -> BoolArray:
        """Whether anything is hit in [t_min, t_max] (N,); may stop at any crossing."""
        ...
