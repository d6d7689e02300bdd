"""When a moving shape, a network of x, y, z and t, is: its frames go from t = 0 to t = 1, and it rests before and after.

The frames stand in the Mesh as an ID property. A moving shape without them, as one from a file, takes the scene's.
"""

from __future__ import annotations

import bpy

from .neural_object import FRAMES_KEY, architecture_of

MOVING_INPUTS = 4
MOST_FRAMES = 1000  # the engine's own limit


def is_moving(mesh: bpy.types.Mesh) -> bool:
    """Whether a mesh holds a network of x, y, z and t."""
    architecture = architecture_of(mesh)
    return architecture is not None and architecture.inputs == MOVING_INPUTS


def frames_of(mesh: bpy.types.Mesh, scene: bpy.types.Scene) -> tuple[int, int]:
    """Give the first and the last frame of a moving shape."""
    frames = mesh.get(FRAMES_KEY)
    if frames is not None and len(frames) == 2:
        return int(frames[0]), int(frames[1])
    return scene.frame_start, scene.frame_end


def time_of(mesh: bpy.types.Mesh, scene: bpy.types.Scene) -> float | None:
    """Give t of a moving shape at the scene's frame; None where a shape does not move."""
    if not is_moving(mesh):
        return None
    first, last = frames_of(mesh, scene)
    passed = scene.frame_current_final - first
    return min(max(passed / max(last - first, 1), 0.0), 1.0)


def even_frames(first: int, last: int, step: int) -> list[float]:
    """Give the times in frames at which a motion is read: evenly from the first to the last, about `step` apart."""
    if last <= first:
        return [first]
    count = max(1, round((last - first) / max(step, 1))) + 1
    return [first + (last - first) * k / (count - 1) for k in range(count)]
