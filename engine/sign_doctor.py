"""Before training: what is wrong with a surface, what decides its inside, and what the user should hear of it.

A closed, consistently oriented surface on which normals and winding number agree takes the cheap rule "normals";
any other one with an inside takes "winding". Faces that contradict their neighbours are turned first, and whole
parts that are inside out. Where hardly any of the surface has an inside on one side and an outside on the other
(a triangle, a sheet, a curtain), it becomes a shell of a stated thickness.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .mesh import UnitMesh
from .sampling import SurfaceSampler
from .signed_distance import SignRule, SurfaceDistance
from .topology import Topology, consistent_orientation, part_volumes, topology

log = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.floating[Any]]

SHELL_HALF_THICKNESS = 0.01  # unit space: an 8 x 32 network holds it with errors of a tenth
TRIAL_POINTS = 20_000
TRIAL_SEED = 0xD0C
PROBE_OFFSET = 0.01  # how far from the surface its two sides are asked, in unit space
SMALLEST_INTERFACE = 0.7  # share of the surface that must part an inside from an outside
LARGEST_LID = 0.6  # area of what would close the holes, over the surface's own; a hemisphere has 0.5
UNDECIDED = 1e-5  # nearer to the surface than this the sign is rounding
OUTWARD_STEP = 1e-3  # from a part's surface, to ask whether another part holds it
LEAST_VOLUME = 1e-4  # of a part, over its area to the power 1.5 (a ball: 0.094); flatter ones have no inside
MOST_TURNED_PARTS = 4096  # a soup of more parts is left to the winding number


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Diagnosis:
    """A surface that is ready for sampling, and what was found and done."""

    truth: SurfaceDistance
    findings: dict[str, int | float | str]
    warnings: tuple[str, ...]


def examine(mesh: UnitMesh, threads: int | None = None) -> Diagnosis:
    """Choose what decides the inside of a surface, and put right what can be."""
    surface = topology(mesh.faces)
    mesh, num_turned = _turn_contradictions(mesh, surface)
    mesh, num_turned_parts = _turn_parts(mesh, surface, threads)
    after = topology(mesh.faces) if num_turned else surface
    winding = SurfaceDistance(mesh, "winding", threads=threads)
    interface = _interface_share(winding)
    sheet = interface < SMALLEST_INTERFACE and (not surface.closed or interface == 0.0)
    sheet = sheet or (surface.num_open_edges > 0 and _lid(mesh) > LARGEST_LID)
    truth = _choose(mesh, winding, sheet, after.closed, threads)
    findings: dict[str, int | float | str] = {
        "sign_rule": truth.rule,
        "open_edges": surface.num_open_edges,
        "crowded_edges": surface.num_crowded_edges,
        "contradictory_edges": surface.num_contradictory_edges,
        "parts": surface.num_parts,
        "turned_faces": num_turned,
        "turned_parts": num_turned_parts,
        "interface_share": interface,
        "shell_half_thickness_unit": truth.half_thickness,
    }
    log.info("sign: %s, %d open edges, %d parts", truth.rule, surface.num_open_edges, surface.num_parts)
    return Diagnosis(truth=truth, findings=findings, warnings=_warnings(findings, mesh.scale))


def _turn_contradictions(mesh: UnitMesh, surface: Topology) -> tuple[UnitMesh, int]:
    if surface.num_contradictory_edges == 0:
        return mesh, 0
    return _turn(mesh, consistent_orientation(surface, len(mesh.faces)))


def _turn(mesh: UnitMesh, turned: npt.NDArray[np.bool_]) -> tuple[UnitMesh, int]:
    faces = mesh.faces.copy()
    faces[turned] = faces[turned][:, ::-1]
    return replace(mesh, faces=faces), int(turned.sum())


def _turn_parts(mesh: UnitMesh, surface: Topology, threads: int | None) -> tuple[UnitMesh, int]:
    """Turn parts that are inside out, but leave a cavity: a part that another one holds."""
    corners = mesh.triangles()
    sizes = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    areas = 0.5 * np.bincount(surface.part_of_face, sizes)
    inside_out = part_volumes(corners, surface.part_of_face) < -LEAST_VOLUME * areas**1.5
    if not inside_out.any() or surface.num_parts > MOST_TURNED_PARTS:
        return mesh, 0
    outward, _ = _turn(mesh, inside_out[surface.part_of_face])
    truth = SurfaceDistance(outward, "winding", threads=threads)
    corners = outward.triangles()
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    for part in np.flatnonzero(inside_out):
        face = int(np.argmax(np.where(surface.part_of_face == part, lengths, -1.0)))
        probe = corners[face].mean(axis=0) + OUTWARD_STEP * normals[face] / lengths[face]
        inside_out[part] = truth.signed_distance(probe[None])[0] > 0.0
    turned_mesh, _ = _turn(mesh, inside_out[surface.part_of_face])
    return turned_mesh, int(inside_out.sum())


def _interface_share(winding: SurfaceDistance) -> float:
    """Give the share of the surface with an inside on exactly one of its sides."""
    sampler = SurfaceSampler(winding.mesh)
    points, faces = sampler.sample(TRIAL_POINTS, np.random.default_rng(TRIAL_SEED))
    corners = winding.mesh.triangles()[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    front = winding.signed_distance(points + PROBE_OFFSET * normals) < 0.0
    back = winding.signed_distance(points - PROBE_OFFSET * normals) < 0.0
    return float((front != back).mean())


def _lid(mesh: UnitMesh) -> float:
    corners = mesh.triangles()
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return float(np.linalg.norm(normals.sum(axis=0)) / np.linalg.norm(normals, axis=1).sum())


def _choose(
    mesh: UnitMesh, winding: SurfaceDistance, sheet: bool, closed: bool, threads: int | None
) -> SurfaceDistance:
    rule: SignRule = "shell" if sheet else "normals"
    if sheet:
        return SurfaceDistance(mesh, rule, SHELL_HALF_THICKNESS, threads)
    if not closed:
        return winding
    normals = SurfaceDistance(mesh, rule, threads=threads)
    rng = np.random.default_rng(TRIAL_SEED + 1)
    near = SurfaceSampler(mesh).sample(TRIAL_POINTS, rng)[0]
    sizes = 10.0 ** rng.uniform(-3.0, -1.0, (TRIAL_POINTS, 1))
    points = near + sizes * rng.standard_normal((TRIAL_POINTS, 3))
    one, other = normals.signed_distance(points), winding.signed_distance(points)
    agree = ((one < 0.0) == (other < 0.0)) | (np.abs(one) < UNDECIDED)
    return normals if agree.all() else winding


def _warnings(findings: dict[str, Any], scale: float) -> tuple[str, ...]:
    texts = []
    if findings["turned_faces"]:
        texts.append(f"{findings['turned_faces']} faces pointed the wrong way and were turned over.")
    if findings["turned_parts"]:
        texts.append(f"{findings['turned_parts']} parts were inside out and were turned over.")
    if findings["sign_rule"] == "shell":
        thickness = 2.0 * findings["shell_half_thickness_unit"] / scale
        texts.append(
            f"The surface encloses no volume, so it was given a thickness of {thickness:.4g}. "
            "Close it, or add a Solidify modifier, to choose your own."
        )
    elif findings["open_edges"]:
        texts.append(
            f"The surface has {findings['open_edges']} open edges; its holes were closed by the winding number."
        )
    return tuple(texts)
