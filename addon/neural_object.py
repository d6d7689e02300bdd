"""What makes a mesh a neural object: the weights and all that belongs to them, packed into the Mesh.

The weights file's bytes, the report and the job's UUID are ID properties of the Mesh, so they survive save, append,
duplicate and rename, and linked duplicates share them. The geometry is a coarse proxy; each of its vertices keeps its
unit position as an attribute, so that the transform is found again after Apply Transform (`proxy_fit.py`).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import bpy
import numpy as np

from ..engine.errors import WeightsFileError
from ..engine.protocol.weights import Architecture, Description, NeuralWeights
from .proxy_fit import FloatArray, ProxyFit, fit_proxy, transform

WEIGHTS_KEY = "neural_implicit_weights"
REPORT_KEY = "neural_implicit_report"
JOB_KEY = "neural_implicit_job"
SOURCE_KEY = "neural_implicit_source"
DIGEST_KEY = "neural_implicit_source_digest"
OUTDATED_KEY = "neural_implicit_outdated"  # the source has changed since
STATE_KEY = "neural_implicit_state"
FRAMES_KEY = "neural_implicit_frames"  # first and last frame of a moving shape
MOMENTS_KEY = "neural_implicit_moments"  # proxies of a moving shape, packed by `moving_proxy`
COUNTS_KEY = "neural_implicit_proxy"  # vertices and triangles the proxy was made with
UNIT_ATTRIBUTE = "neural_implicit_unit"

State = Literal["training", "finished", "unfinished"]

_applied_before_edit: dict[int, FloatArray] = {}  # by the mesh's session_uid


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NeuralShape:
    """Everything that a mesh of ours holds besides its transform."""

    job: str  # UUID of the conversion
    source_name: str
    state: State
    weights: bytes
    report: dict[str, Any]  # plain JSON values
    vertices_unit: np.ndarray  # (V, 3) float32, the proxy
    triangles: np.ndarray  # (T, 3) int32
    source_digest: str = ""  # of the source's surface; empty where it is not known
    frames: tuple[int, int] | None = None  # first and last of a moving shape
    moments: bytes | None = None  # its proxies


def weights_of(mesh: bpy.types.Mesh) -> bytes | None:
    """Give the weights file's bytes; None where the mesh is an ordinary one."""
    packed = mesh.get(WEIGHTS_KEY)
    return packed if isinstance(packed, bytes) else None


def is_neural(obj: bpy.types.Object | None) -> bool:
    """Whether an object is a neural object."""
    return obj is not None and obj.type == "MESH" and weights_of(obj.data) is not None


def job_of(mesh: bpy.types.Mesh) -> str:
    """Give the UUID of the conversion that made a mesh; empty where none did."""
    return str(mesh.get(JOB_KEY, ""))


def state_of(mesh: bpy.types.Mesh) -> State | None:
    """Give how far a neural object's conversion came; None where the mesh is an ordinary one."""
    return mesh.get(STATE_KEY)


def report_of(mesh: bpy.types.Mesh) -> dict[str, Any]:
    """Give the report of the conversion, plain JSON values; empty where there is none."""
    try:
        report = json.loads(mesh.get(REPORT_KEY, "{}"))
    except (TypeError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}


def architecture_of(mesh: bpy.types.Mesh) -> Architecture | None:
    """Give the network's shape; None where the mesh holds no sound weights."""
    description = _description(weights_of(mesh) or b"")
    return None if description is None else description.architecture


def meshes_of_job(job: str) -> Iterator[bpy.types.Mesh]:
    """Give every local mesh that a conversion made, copies included."""
    return (mesh for mesh in bpy.data.meshes if mesh.library is None and job and job_of(mesh) == job)


def is_busy(mesh: bpy.types.Mesh) -> bool:
    """Whether an object of this mesh is in Edit Mode, Sculpt Mode or the like, so that its geometry must stay."""
    return any(obj.mode != "OBJECT" for obj in bpy.data.objects if obj.data == mesh)


def applied_transform(mesh: bpy.types.Mesh) -> FloatArray:
    """Give the matrix (4, 4) from the object space the weights were fitted in to the mesh's present one.

    It is the identity until Apply Transform bakes an object's matrix into the proxy; then
    `world_from_object @ applied_transform(mesh)` belongs to the weights' `unit_from_object`.
    """
    if mesh.is_editmode:  # attributes cannot be read then
        return _applied_before_edit.get(mesh.session_uid, np.eye(4))
    fit = proxy_fit_of(mesh)
    unit_from_object = unit_from_object_of(mesh)
    applied = np.eye(4)
    if fit is not None and unit_from_object is not None:
        untouched = np.array_equal(fit.object_from_unit, np.linalg.inv(unit_from_object))
        applied = applied if untouched else fit.object_from_unit @ unit_from_object
    _applied_before_edit[mesh.session_uid] = applied
    return applied


def proxy_fit_of(mesh: bpy.types.Mesh) -> ProxyFit | None:
    """Fit the proxy's vertices to their unit positions; None where weights or attribute are gone."""
    unit_from_object = unit_from_object_of(mesh)
    attribute = mesh.attributes.get(UNIT_ATTRIBUTE)
    if unit_from_object is None or attribute is None or len(attribute.data) != len(mesh.vertices):
        return None
    vertices = _read(mesh.attributes["position"].data)
    return fit_proxy(vertices, _read(attribute.data), np.linalg.inv(unit_from_object))


def proxy_complaint(mesh: bpy.types.Mesh) -> str:
    """Say how the proxy was edited and what to do about it; empty where it was not."""
    if mesh.is_editmode:
        return ""
    remedy = "The shape drawn is still that of the weights. Undo the edit, or convert the edited mesh anew."
    counts = [len(mesh.vertices), len(mesh.polygons)]
    if list(mesh.get(COUNTS_KEY, counts)) != counts:
        return f"The proxy was edited: it has {counts[0]} vertices and {counts[1]} faces now. {remedy}"
    fit = proxy_fit_of(mesh)
    if fit is None:
        return f"The proxy has lost its attribute {UNIT_ATTRIBUTE}, so an applied transform goes unseen. {remedy}"
    if fit.num_edited:
        return f"The proxy was edited: {fit.num_edited} of its {counts[0]} vertices were moved. {remedy}"
    return ""


def store_shape(mesh: bpy.types.Mesh, shape: NeuralShape) -> None:
    """Put a shape into a mesh in place of what it held; materials and an applied transform stay.

    Raises:
        WeightsFileError: The weights are damaged; the mesh is as it was.
    """
    NeuralWeights.from_bytes(shape.weights)
    applied = applied_transform(mesh)
    mesh.pop(WEIGHTS_KEY, None)  # Blender (4.3 to 5.2) cuts bytes at the first zero when they replace others
    mesh[WEIGHTS_KEY] = shape.weights
    mesh[REPORT_KEY] = json.dumps(shape.report)
    mesh[JOB_KEY] = shape.job
    mesh[SOURCE_KEY] = shape.source_name
    mesh[DIGEST_KEY] = shape.source_digest
    mesh[STATE_KEY] = shape.state
    for key in (OUTDATED_KEY, FRAMES_KEY):
        mesh.pop(key, None)
    if shape.frames is not None:
        mesh[FRAMES_KEY] = list(shape.frames)
    mesh.pop(MOMENTS_KEY, None)
    if shape.moments is not None:
        mesh[MOMENTS_KEY] = shape.moments
    _place_proxy(mesh, applied, shape.vertices_unit, shape.triangles)


def shape_of(mesh: bpy.types.Mesh) -> NeuralShape | None:
    """Give what a neural object's mesh holds; None where weights or proxy are gone."""
    packed, attribute = weights_of(mesh), mesh.attributes.get(UNIT_ATTRIBUTE)
    if packed is None or attribute is None or len(attribute.data) != len(mesh.vertices):
        return None
    mesh.calc_loop_triangles()
    triangles = np.empty(3 * len(mesh.loop_triangles), np.int32)
    mesh.loop_triangles.foreach_get("vertices", triangles)
    frames = mesh.get(FRAMES_KEY)
    return NeuralShape(
        job=job_of(mesh),
        source_name=str(mesh.get(SOURCE_KEY, "")),
        source_digest=str(mesh.get(DIGEST_KEY, "")),
        state=state_of(mesh) or "unfinished",
        weights=packed,
        report=report_of(mesh),
        vertices_unit=_read(attribute.data).astype(np.float32),
        triangles=triangles.reshape(-1, 3),
        frames=None if frames is None else (frames[0], frames[1]),
        moments=mesh.get(MOMENTS_KEY),
    )


def show_proxy(mesh: bpy.types.Mesh, vertices_unit: np.ndarray, triangles: np.ndarray) -> None:
    """Put another proxy, (V, 3) in unit space and (T, 3), in the place of a neural object's; the weights stay."""
    _place_proxy(mesh, applied_transform(mesh), vertices_unit, triangles)


def _place_proxy(
    mesh: bpy.types.Mesh, applied: FloatArray, vertices_unit: np.ndarray, triangles: np.ndarray
) -> None:
    unit_from_object = unit_from_object_of(mesh)
    if unit_from_object is not None and mesh.shape_keys is None:  # they cannot follow new geometry
        object_from_unit = applied @ np.linalg.inv(unit_from_object)
        vertices = transform(object_from_unit, np.asarray(vertices_unit, np.float64))
        _store_proxy(mesh, vertices, vertices_unit, triangles)
    mesh.update_tag()


def _store_proxy(
    mesh: bpy.types.Mesh, vertices: FloatArray, vertices_unit: np.ndarray, triangles: np.ndarray
) -> None:
    num_vertices, num_triangles, smooth = len(vertices), len(triangles), _is_smooth(mesh)
    mesh.clear_geometry()
    mesh.vertices.add(num_vertices)
    mesh.loops.add(3 * num_triangles)
    mesh.polygons.add(num_triangles)
    mesh.attributes["position"].data.foreach_set("vector", vertices.astype(np.float32).ravel())
    mesh.loops.foreach_set("vertex_index", np.ascontiguousarray(triangles, np.int32).ravel())
    mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * num_triangles, 3, dtype=np.int32))
    mesh.polygons.foreach_set("use_smooth", np.full(num_triangles, smooth))
    attribute = mesh.attributes.new(UNIT_ATTRIBUTE, "FLOAT_VECTOR", "POINT")
    attribute.data.foreach_set("vector", np.ascontiguousarray(vertices_unit, np.float32).ravel())
    mesh[COUNTS_KEY] = [num_vertices, num_triangles]
    mesh.update(calc_edges=True)


def _is_smooth(mesh: bpy.types.Mesh) -> bool:
    return len(mesh.polygons) == 0 or mesh.polygons[0].use_smooth


def _read(data: Any) -> FloatArray:
    values = np.empty(3 * len(data), np.float32)
    data.foreach_get("vector", values)
    return values.reshape(-1, 3).astype(np.float64)


def unit_from_object_of(mesh: bpy.types.Mesh) -> FloatArray | None:
    """Give the matrix (4, 4) that the weights' description holds; None where the mesh holds no sound weights."""
    description = _description(weights_of(mesh) or b"")
    return None if description is None else np.array(description.unit_from_object, np.float64).reshape(4, 4)


@functools.lru_cache(maxsize=512)
def _description(packed: bytes) -> Description | None:
    try:
        return NeuralWeights.from_bytes(packed).description
    except WeightsFileError:
        return None
