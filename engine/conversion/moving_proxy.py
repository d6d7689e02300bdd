"""The proxies of a moving shape: one at each of a few moments, so that what stands for it in Blender moves with it."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np

from ..errors import FitError
from ..network.moving_shapes import at_time
from ..protocol.weights import NeuralWeights, write_atomically
from .proxy import ProxyMesh, proxy_mesh

MOST_MOMENTS = 24
RESOLUTION = 40  # cells a side: there are many


def save_moving_proxy(weights: NeuralWeights, path: Path, count: int) -> None:
    """Write the proxy at time 0 as `ProxyMesh.save` does, and beside it those of up to `MOST_MOMENTS` moments.

    These are `moment_times` (K,), and all vertices (V, 3) and triangles (T, 3) one after the other; `moment_starts`
    (K + 1, 2) says where those of each begin.

    Args:
        weights: The moving shape.
        path: The .npz.
        count: Frames that it was made from.

    Raises:
        FitError: It is empty at time 0.
        OutputError: The file cannot be written.
    """
    first = proxy_mesh(weights)
    times, moments = [], []
    for time in np.linspace(0.0, 1.0, min(max(count, 2), MOST_MOMENTS)):
        with contextlib.suppress(FitError):  # empty for a while: the moment before stands for it
            moments.append(proxy_mesh(at_time(weights, float(time)), RESOLUTION))
            times.append(time)
    stream = io.BytesIO()
    np.savez(
        stream,
        vertices_unit=first.vertices_unit,
        triangles=first.triangles,
        moment_times=np.array(times, np.float32),
        moment_vertices=np.concatenate([moment.vertices_unit for moment in moments]),
        moment_triangles=np.concatenate([moment.triangles for moment in moments]),
        moment_starts=_starts(moments),
    )
    write_atomically(path, stream.getvalue())


def _starts(moments: list[ProxyMesh]) -> np.ndarray:
    counts = [(len(moment.vertices_unit), len(moment.triangles)) for moment in moments]
    return np.concatenate([[(0, 0)], np.cumsum(counts, axis=0)]).astype(np.int64)
