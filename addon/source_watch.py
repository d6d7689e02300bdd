"""Notices that a source has changed since it was converted, and marks its neural object out of date.

Blender says which objects' geometry it has evaluated again; those that were converted are read once they rest, and
the digest of their surface is held against the one of the conversion. Reading takes milliseconds and digesting happens on
another thread, so nothing waits.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent import futures

import bpy
from bpy.app.handlers import persistent

from .mesh_export import SourceArrays, SurfaceError, read_source
from .neural_object import DIGEST_KEY, FRAMES_KEY, OUTDATED_KEY, SOURCE_KEY, state_of, weights_of
from .redraw import redraw_panels, user_is_dragging

log = logging.getLogger(__name__)

REST_S = 0.5  # after the last change
_changed: set[int] = set()  # session_uids of objects to look at
_digests: dict[int, futures.Future[str]] = {}  # under way, by the object's session_uid
_reader = futures.ThreadPoolExecutor(1, thread_name_prefix="digest")


def source_of(mesh: bpy.types.Mesh) -> bpy.types.Object | None:
    """Give the object that a neural object's mesh was converted from, found by its name; None where there is none."""
    if not mesh.get(DIGEST_KEY):
        return None
    source = bpy.data.objects.get(str(mesh.get(SOURCE_KEY, "")))
    return None if source is None or source.data == mesh else source


def is_outdated(mesh: bpy.types.Mesh) -> bool:
    """Whether the source is known to have changed since it was converted."""
    return bool(mesh.get(OUTDATED_KEY, False))


def _made_from(source: bpy.types.Object) -> Iterator[bpy.types.Mesh]:
    for mesh in bpy.data.meshes:
        local = mesh.library is None and weights_of(mesh) is not None
        if local and FRAMES_KEY not in mesh and source_of(mesh) == source:
            yield mesh


def _look() -> float | None:
    """Read what has changed and rests, and take in what has been digested."""
    if user_is_dragging():
        return REST_S
    later = set()
    for source in [obj for obj in bpy.data.objects if obj.session_uid in _changed]:
        states = {state_of(mesh) for mesh in _made_from(source)}
        if "training" in states:  # on the surface as it was when it began
            later.add(source.session_uid)
        elif states and source.mode == "OBJECT" and source.visible_get():
            _digest(source)  # leaving Edit Mode, and showing it, evaluate it again
    _changed.clear()
    _changed.update(later)
    for uid in [uid for uid, digest in _digests.items() if digest.done()]:
        _compare(uid, _digests.pop(uid))
    return REST_S if _digests or _changed else None


def _digest(source: bpy.types.Object) -> None:
    try:
        read = read_source(source, bpy.context.evaluated_depsgraph_get())
    except SurfaceError as error:
        log.info("%s cannot be compared: %s", source.name, error)
        return
    _digests[source.session_uid] = _reader.submit(_digest_of, read)


def _digest_of(read: SourceArrays) -> str:
    try:
        return read.surface().digest
    except SurfaceError:
        return "not finite"


def _compare(uid: int, digest: futures.Future[str]) -> None:
    source = next((obj for obj in bpy.data.objects if obj.session_uid == uid), None)
    for mesh in _made_from(source) if source is not None else ():
        outdated = mesh[DIGEST_KEY] != digest.result()
        if outdated != is_outdated(mesh):
            mesh[OUTDATED_KEY] = outdated
            redraw_panels()


@persistent
def _after_update(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    changed = {
        update.id.original.session_uid
        for update in depsgraph.updates
        if update.is_updated_geometry and isinstance(update.id, bpy.types.Object)
    }
    _changed.update(changed)
    if changed and not bpy.app.background:
        if bpy.app.timers.is_registered(_look):
            bpy.app.timers.unregister(_look)
        bpy.app.timers.register(_look, first_interval=REST_S, persistent=True)


@persistent
def _after_load(*_: object) -> None:
    _changed.clear()
    _digests.clear()


def register() -> None:
    """Follow what Blender evaluates."""
    bpy.app.handlers.depsgraph_update_post.append(_after_update)
    bpy.app.handlers.load_post.append(_after_load)


def unregister() -> None:
    """Stop following."""
    bpy.app.handlers.depsgraph_update_post.remove(_after_update)
    bpy.app.handlers.load_post.remove(_after_load)
    if bpy.app.timers.is_registered(_look):
        bpy.app.timers.unregister(_look)
    _after_load()
