"""The proxy of a moving shape follows the timeline: what is selected, outlined and drawn in Solid shading moves as well.

The engine gives a proxy for each of a few moments; they lie packed in the Mesh. On each new frame the nearest one takes
the mesh's place, but not while a render runs, whose thread must not change what the window draws.
"""

from __future__ import annotations

import functools
import io
import zipfile
from dataclasses import dataclass

import bpy
import numpy as np
from bpy.app.handlers import persistent

from .moving_object import time_of
from .neural_object import MOMENTS_KEY, is_busy, show_proxy

NAMES = ("moment_times", "moment_vertices", "moment_triangles", "moment_starts")
SHOWN_KEY = "neural_implicit_moment"  # which one the mesh is now


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """Proxies in unit space."""

    times: np.ndarray  # (K,)
    vertices: np.ndarray  # (V, 3), those of all moments
    triangles: np.ndarray  # (T, 3)
    starts: np.ndarray  # (K + 1, 2)

    def proxy(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Give the vertices and triangles of a moment."""
        (v, t), (v_end, t_end) = self.starts[number : number + 2]
        return self.vertices[v:v_end], self.triangles[t:t_end]


def packed_moments(arrays: dict[str, np.ndarray]) -> bytes | None:
    """Pack what the engine gives beside a proxy; None where the shape does not move."""
    if not all(name in arrays for name in NAMES):
        return None
    stream = io.BytesIO()
    np.savez_compressed(stream, **{name: arrays[name] for name in NAMES})
    return stream.getvalue()


@functools.lru_cache(maxsize=32)
def moments_of(packed: bytes) -> Moments | None:
    """Read packed moments; None where they are damaged."""
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as data:
            moments = Moments(**{name.removeprefix("moment_"): data[name] for name in NAMES})
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None
    return moments if _is_sound(moments) else None


def follow(scene: bpy.types.Scene) -> None:
    """Give every moving shape the proxy of the scene's frame."""
    for mesh in bpy.data.meshes:
        packed = mesh.get(MOMENTS_KEY)
        if not isinstance(packed, bytes) or mesh.library is not None or is_busy(mesh):
            continue
        moments, time = moments_of(packed), time_of(mesh, scene)
        if moments is None or time is None:
            continue
        number = int(np.abs(moments.times - time).argmin())
        if mesh.get(SHOWN_KEY, 0) != number:
            mesh[SHOWN_KEY] = number
            show_proxy(mesh, *moments.proxy(number))


def _is_sound(moments: Moments) -> bool:
    starts, count = moments.starts, len(moments.times)
    if (
        moments.vertices.ndim != 2
        or moments.triangles.ndim != 2
        or starts.shape != (count + 1, 2)
        or count == 0
    ):
        return False
    if starts.dtype.kind != "i" or moments.triangles.dtype.kind != "i" or (np.diff(starts, axis=0) < 0).any():
        return False
    if (starts[0] != 0).any() or tuple(starts[-1]) != (len(moments.vertices), len(moments.triangles)):
        return False
    if not np.isfinite(moments.vertices).all():
        return False
    meshes = [moments.proxy(k) for k in range(count)]
    return all(len(t) == 0 or (t.min() >= 0 and t.max() < len(v)) for v, t in meshes)


@persistent
def _frame_changed(scene: bpy.types.Scene, *_: object) -> None:
    if not bpy.app.is_job_running("RENDER"):
        follow(scene)


def register() -> None:
    """Follow the timeline."""
    bpy.app.handlers.frame_change_post.append(_frame_changed)


def unregister() -> None:
    """Leave proxies as they are."""
    bpy.app.handlers.frame_change_post.remove(_frame_changed)
