"""The newest shape of each conversion of this session, put back where an undo or redo brings back an older one.

While a network trains its object changes without an undo step, so steps that the user makes meanwhile hold snapshots.
Going back to one of them would bring the rough shape back; the finished one replaces it here. A shape whose training
ended without its notice (undo, or a file saved while it trained) is marked unfinished.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable

import bpy
from bpy.app.handlers import persistent

from .neural_object import STATE_KEY, NeuralShape, is_busy, job_of, state_of, store_shape, weights_of

log = logging.getLogger(__name__)

_shapes: dict[str, NeuralShape] = {}  # by the job's UUID
_trainers: list[Callable[[str], bool]] = []  # who runs jobs, and can say whether one still does


def remember(shape: NeuralShape) -> None:
    """Keep a job's newest shape."""
    _shapes[shape.job] = shape


def forget(job: str) -> None:
    """Drop the shape of a cancelled job."""
    _shapes.pop(job, None)


def recall(job: str) -> NeuralShape | None:
    """Give a job's newest shape; None where it is not of this session."""
    return _shapes.get(job)


def ask_who_trains(is_training: Callable[[str], bool]) -> None:
    """Add who knows whether a job still runs."""
    _trainers.append(is_training)


def close(job: str) -> None:
    """Mark a job's shape unfinished: nobody trains it any more."""
    shape = _shapes.get(job)
    if shape is not None and shape.state == "training":
        _shapes[job] = dataclasses.replace(shape, state="unfinished")
    restore_shapes()


def restore_shapes() -> None:
    """Put the newest shape into every mesh that holds an older one of the same job."""
    for mesh in bpy.data.meshes:
        if mesh.library is not None or weights_of(mesh) is None or is_busy(mesh):
            continue
        shape = _shapes.get(job_of(mesh))
        if shape is not None and (shape.weights != weights_of(mesh) or shape.state != state_of(mesh)):
            store_shape(mesh, shape)
            log.info("put the newest shape back into %s", mesh.name)
        elif shape is None and state_of(mesh) == "training" and not _is_training(job_of(mesh)):
            mesh[STATE_KEY] = "unfinished"


def _is_training(job: str) -> bool:
    return any(is_training(job) for is_training in _trainers)


@persistent
def _restore(*_: object) -> None:
    restore_shapes()


@persistent
def _after_load(*_: object) -> None:
    _shapes.clear()
    restore_shapes()


def register() -> None:
    """Follow undo, redo, opened and saved files."""
    bpy.app.handlers.undo_post.append(_restore)
    bpy.app.handlers.redo_post.append(_restore)
    bpy.app.handlers.load_post.append(_after_load)
    bpy.app.handlers.save_pre.append(_restore)  # what waited for the end of Edit Mode


def unregister() -> None:
    """Stop following; forget all shapes."""
    bpy.app.handlers.undo_post.remove(_restore)
    bpy.app.handlers.redo_post.remove(_restore)
    bpy.app.handlers.load_post.remove(_after_load)
    bpy.app.handlers.save_pre.remove(_restore)
    _shapes.clear()
    _trainers.clear()
