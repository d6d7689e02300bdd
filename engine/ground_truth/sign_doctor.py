"""Before training: what is wrong with a surface, what decides its inside, and what the user should hear of it.

Cracks are closed, faces that are there twice go, faces that contradict their neighbours are turned, and whole parts
that are inside out. Parts where hardly any of the surface has an inside on one side and an outside on the other (a
triangle, a sheet, a curtain, also one that hangs on a solid) become shells of a stated thickness. What is left is a
solid: its holes get lids, and where its parts overlap or hold each other, faces inside it go. A surface that is then
closed and on which normals and winding number agree takes the cheap rule "normals", any other one "winding".
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .buried import visible_surface
from .closing import LARGEST_LID, ClosedSurface, close_holes
from .findings import finding_texts
from .mending import close_cracks, drop_doubles, turn_contradictions, turn_parts
from .mesh import UnitMesh
from .sheeted_distance import SheetedDistance
from .signed_distance import SurfaceDistance
from .surface_sampler import SurfaceSampler
from .topology import Topology, topology

log = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

SHELL_HALF_THICKNESS = 0.01  # unit space: an 8 x 32 network holds it with errors of a tenth
TRIAL_POINTS = 20_000
TRIAL_SEED = 0xD0C
PROBE_OFFSET = 0.01  # how far from the surface its two sides are asked, in unit space
SMALLEST_INTERFACE = 0.7  # share of the surface that must part an inside from an outside
FEWEST_PROBES = 20  # of a part, to call it a sheet on a solid
UNDECIDED = 1e-5  # nearer to the surface than this the sign is rounding
BURIED_SHARE = 0.002  # of the surface with an inside on both sides, above which it is looked for


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Diagnosis:
    """A surface that is ready for sampling, and what was found and done."""

    truth: SurfaceDistance
    findings: dict[str, Any]
    warnings: tuple[str, ...]


def examine(mesh: UnitMesh, threads: int | None = None) -> Diagnosis:
    """Choose what decides the inside of a surface, and put right what can be."""
    mesh, num_joined = close_cracks(mesh)
    mesh, num_doubled = drop_doubles(mesh)
    surface = topology(mesh.faces)
    mesh, num_turned = turn_contradictions(mesh, surface)
    mesh, num_turned_parts = turn_parts(mesh, surface, threads)
    winding = SurfaceDistance(mesh, "winding", threads=threads)
    sides = _Sides.of(winding, surface)
    findings: dict[str, Any] = {
        "open_edges": surface.num_open_edges,
        "crowded_edges": surface.num_crowded_edges,
        "contradictory_edges": surface.num_contradictory_edges,
        "parts": surface.num_parts,
        "joined_vertices": num_joined,
        "doubled_faces": num_doubled,
        "turned_faces": num_turned,
        "turned_parts": num_turned_parts,
        "interface_share": sides.interface,
    }
    if _is_sheet(mesh, surface, sides):
        truth = SurfaceDistance(mesh, "shell", SHELL_HALF_THICKNESS, threads)
    else:
        truth, more = _solid(mesh, surface, sides, winding)
        findings |= more
    findings |= {"sign_rule": truth.rule, "shell_half_thickness_unit": truth.half_thickness}
    log.info("sign: %s, %d open edges, %d parts", truth.rule, surface.num_open_edges, surface.num_parts)
    return Diagnosis(truth=truth, findings=findings, warnings=finding_texts(findings, mesh.scale))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sides:
    """On which sides of the surface an inside was found, at sampled points."""

    probes: FloatArray  # (parts,) how many points fell on each part
    parting: FloatArray  # (parts,) how many of them part an inside from an outside
    buried_share: float  # of all points: an inside on both sides

    @property
    def interface(self) -> float:
        """Share of the surface with an inside on exactly one of its sides."""
        return float(self.parting.sum() / self.probes.sum())

    @classmethod
    def of(cls, winding: SurfaceDistance, surface: Topology) -> _Sides:
        points, faces = SurfaceSampler(winding.mesh).sample(TRIAL_POINTS, np.random.default_rng(TRIAL_SEED))
        corners = winding.mesh.triangles()[faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        front = winding.signed_distance(points + PROBE_OFFSET * normals) < 0.0
        back = winding.signed_distance(points - PROBE_OFFSET * normals) < 0.0
        parts = surface.part_of_face[faces]
        return cls(
            probes=np.bincount(parts, minlength=surface.num_parts).astype(np.float64),
            parting=np.bincount(parts, front != back, minlength=surface.num_parts).astype(np.float64),
            buried_share=float((front & back).mean()),
        )


def _is_sheet(mesh: UnitMesh, surface: Topology, sides: _Sides) -> bool:
    """Whether the whole of a surface is a sheet."""
    interface = sides.interface
    if interface < SMALLEST_INTERFACE and (not surface.closed or interface == 0.0):
        return not _solid_parts(mesh, surface, sides).any()
    every_face = np.zeros(len(mesh.faces), np.int64)
    return surface.num_open_edges > 0 and float(_lids(mesh, every_face)[0]) > LARGEST_LID


def _solid_parts(mesh: UnitMesh, surface: Topology, sides: _Sides) -> BoolArray:
    """Say which parts are seen to hold a volume, among those that were probed at all."""
    seen: BoolArray = sides.probes >= FEWEST_PROBES
    holds = sides.parting >= SMALLEST_INTERFACE * sides.probes
    return seen & holds & (_lids(mesh, surface.part_of_face) < LARGEST_LID)


def _sheet_parts(mesh: UnitMesh, surface: Topology, sides: _Sides) -> BoolArray:
    """Say which parts are sheets beside a solid."""
    seen: BoolArray = sides.probes >= FEWEST_PROBES
    flat = _lids(mesh, surface.part_of_face) > LARGEST_LID
    return seen & flat & (sides.parting < SMALLEST_INTERFACE * sides.probes)


def _lids(mesh: UnitMesh, part_of_face: npt.NDArray[Any]) -> FloatArray:
    """Give for each part how much of its area faces one way: 0 where it is closed, 1 where it is flat."""
    corners = mesh.triangles()
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.stack([np.bincount(part_of_face, normals[:, k]) for k in range(3)], axis=1)
    areas: FloatArray = np.linalg.norm(sums, axis=1) / np.bincount(
        part_of_face, np.linalg.norm(normals, axis=1)
    )
    return areas


def _solid(
    mesh: UnitMesh, surface: Topology, sides: _Sides, winding: SurfaceDistance
) -> tuple[SurfaceDistance, dict[str, Any]]:
    """Give the distance to what is no sheet, joined with the sheets, and what was done."""
    sheet = _sheet_parts(mesh, surface, sides)[surface.part_of_face]
    body = replace(mesh, faces=mesh.faces[~sheet]) if sheet.any() else mesh
    closed = close_holes(body, surface.part_of_face[~sheet])
    if closed.num_lid_faces or sheet.any():
        winding = SurfaceDistance(closed.mesh, "winding", threads=winding.threads)
    findings: dict[str, Any] = {
        "sheet_faces": int(sheet.sum()),
        "lid_faces": closed.num_lid_faces,
        "smooth_lids": closed.num_smooth,
        "flat_lids": closed.num_flat,
        "loops_left_open": closed.num_left_open,
        "buried_faces": 0,
        "filled_loops_unit": closed.shown_loops(),
    }
    truth = _with_rule(closed, body, winding)
    if truth.rule == "winding" and (sides.buried_share > BURIED_SHARE or closed.num_lid_faces):
        truth, findings["buried_faces"] = _without_buried(closed, body, winding)
    if sheet.any():
        sheets = replace(mesh, faces=mesh.faces[sheet])
        truth = SheetedDistance(truth, sheets, SHELL_HALF_THICKNESS)
    return truth, findings


def _with_rule(closed: ClosedSurface, body: UnitMesh, winding: SurfaceDistance) -> SurfaceDistance:
    """Give the cheap rule where it is right, else the winding number."""
    mesh, source = closed.mesh, body if closed.num_lid_faces else closed.mesh
    if topology(mesh.faces).closed:
        normals = winding.ruled("normals", source)
        rng = np.random.default_rng(TRIAL_SEED + 1)
        near = SurfaceSampler(mesh).sample(TRIAL_POINTS, rng)[0]
        sizes = 10.0 ** rng.uniform(-3.0, -1.0, (TRIAL_POINTS, 1))
        points = near + sizes * rng.standard_normal((TRIAL_POINTS, 3))
        one, other = normals.signed_distance(points), winding.signed_distance(points)
        if (((one < 0.0) == (other < 0.0)) | (np.abs(one) < UNDECIDED)).all():
            return normals
    return winding.ruled("winding", source)


def _without_buried(
    closed: ClosedSurface, body: UnitMesh, winding: SurfaceDistance
) -> tuple[SurfaceDistance, int]:
    """Give the distance to the faces that have an outside, and how many faces have none."""
    visible, origin, num_buried = visible_surface(closed.mesh, winding, closed.num_lid_faces)
    given = replace(visible, faces=visible.faces[origin < len(body.faces)])
    solid = closed.mesh
    truth = SurfaceDistance(visible, "winding", threads=winding.threads, solid=solid, source=given)
    return truth, num_buried
