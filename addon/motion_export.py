"""A source as files for the engine: its surface now, or at each frame of its motion, in its own space."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import bpy

from .mesh_export import SourceArrays, SourceSurface, SurfaceError, read_source
from .moving_object import MOST_FRAMES, even_frames


def source_writer(
    obj: bpy.types.Object, depsgraph: bpy.types.Depsgraph, frames: tuple[int, int, int] | None
) -> Callable[[Path], SourceSurface]:
    """Read an object, at all frames (first, last, step) of a motion if there are any, and give what writes it.

    What is given knows nothing of Blender, so any thread may call it with the file, or the folder of a motion.

    Raises:
        SurfaceError: The object has no surface, or there are too few or too many frames.
    """
    if frames is None:
        return functools.partial(_write, read_source(obj, depsgraph))
    return functools.partial(write_motion, read_motion(obj, depsgraph.scene, depsgraph, even_frames(*frames)))


def read_motion(
    obj: bpy.types.Object, scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph, frames: Sequence[float]
) -> list[SourceArrays]:
    """Go through the scene's frames, read an object at each, and go back to where the scene was.

    Raises:
        SurfaceError: There are too few or too many frames, or the object has no surface at one.
    """
    if not 2 <= len(frames) <= MOST_FRAMES:
        raise SurfaceError(
            f"A motion has 2 to {MOST_FRAMES} frames, not {len(frames)}. Choose another range or step of frames."
        )
    before = scene.frame_current, scene.frame_subframe
    try:
        return [_read_at(frame, obj, scene, depsgraph) for frame in frames]
    finally:
        scene.frame_set(before[0], subframe=before[1])


def write_motion(surfaces: Sequence[SourceArrays], folder: Path) -> SourceSurface:
    """Write a file for each frame; give the first one's surface.

    Raises:
        OSError: The disk is full.
        SurfaceError: Coordinates are not finite numbers.
    """
    folder.mkdir(exist_ok=True)
    cut = [arrays.surface() for arrays in surfaces]
    for number, surface in enumerate(cut):
        surface.save(folder / f"frame_{number:04d}.npz")
    return cut[0]


def _read_at(
    frame: float, obj: bpy.types.Object, scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph
) -> SourceArrays:
    whole = math.floor(frame)
    scene.frame_set(whole, subframe=frame - whole)
    return read_source(obj, depsgraph)


def _write(read: SourceArrays, path: Path) -> SourceSurface:
    surface = read.surface()
    surface.save(path)
    return surface
