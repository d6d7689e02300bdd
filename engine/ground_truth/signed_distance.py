"""Ground truth: the exact distance to the triangles times a sign, in unit space.

Inside is where the generalized winding number passes 0.5 [Jacobson 2013], which holes and flipped parts disturb
little. On a closed, consistently oriented surface without self-intersections the angle-weighted normal of the
nearest feature gives the same sign [Baerentzen 2005] at a fifth of the cost; `sign_doctor` decides. A surface
with no inside becomes a shell: the distance less half a thickness. What decides the sign and what the distance is
taken to may be two surfaces: a solid of overlapping parts is bounded by less than all of its faces.

One Warp launch runs on one thread on the CPU and leaves the interpreter's lock alone, so the points are cut into
pieces for a few host threads. Equal points give equal bits whatever the cut. On CUDA one host thread sends larger ones.

[Jacobson 2013] "Robust Inside-Outside Segmentation using Generalized Winding Numbers", ACM TOG 32(4), 2013.
[Baerentzen 2005] "Signed Distance Computation Using the Angle Weighted Pseudonormal", IEEE TVCG 11(3), 2005.
"""

from __future__ import annotations

import copy
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import warp as wp

from ..errors import DeviceError
from ..warp_start import start_warp
from . import distance_kernels  # sets the cache folder before Warp is imported
from .mesh import UnitMesh

FloatArray = npt.NDArray[np.floating[Any]]
SignRule = Literal["winding", "normals", "shell", "mixed"]

FAR = 16.0  # farther than anything in unit space
PIECE = 1 << 15  # points of one launch: about 0.1 s
CUDA_PIECE = 1 << 20  # the same on a GPU, whose memory it is to spare
WINDING_ACCURACY = 2.0  # Barnes-Hut opening; 3 gave the same signs at twice the cost
INSIDE_WINDING = 0.5
NORMAL_EPSILON = 1e-4  # a query point nearer than this uses the face normal


_chosen_device = "cpu"


def use_device(name: str) -> None:
    """Say where distances are computed from now on: "cpu", or a CUDA device as torch names it.

    Raises:
        DeviceError: Warp does not know it.
    """
    global _chosen_device
    start_warp()
    device = "cuda:0" if name == "cuda" else name
    if device != "cpu" and device not in {found.alias for found in wp.get_cuda_devices()}:
        raise DeviceError(
            f"Warp sees no device {name}. Use the device cpu, or run `python -m engine doctor`."
        )
    _chosen_device = device


class SurfaceDistance:
    """Distances to one surface; safe to call from several threads."""

    def __init__(
        self,
        mesh: UnitMesh,
        rule: SignRule = "winding",
        half_thickness: float = 0.0,
        threads: int | None = None,
        *,
        solid: UnitMesh | None = None,
        source: UnitMesh | None = None,
        device: str | None = None,
    ) -> None:
        """Build the search tree.

        Args:
            mesh: What the distance is taken to, in unit space.
            rule: What decides the sign.
            half_thickness: Of a shell, in unit space; only the rule "shell" uses it.
            threads: Host threads; all processors by default.
            solid: The faces whose winding number decides the sign, where they are others than those of `mesh`.
            source: The faces that the user gave, where `mesh` holds others too; errors are measured on them.
            device: Of Warp, "cpu" or "cuda:0"; what `use_device` chose by default.
        """
        start_warp()
        self._device = device or _chosen_device
        self._shared = self._device == "cpu"  # arrays are NumPy's own memory
        wp.load_module(distance_kernels, device=self._device)  # here, so that threads do not compile it twice
        self.mesh = mesh
        self.source = mesh if source is None else source
        self.rule: SignRule = rule
        self.half_thickness = half_thickness
        self.threads = threads or os.cpu_count() or 1
        self._tree = _tree(mesh, self._device)
        self._solid = self._tree if solid is None else _tree(solid, self._device)

    def ruled(self, rule: SignRule, source: UnitMesh) -> SurfaceDistance:
        """Give the same distance with another rule for the sign and other faces of the user's; trees are shared."""
        other = copy.copy(self)
        other.rule, other.source = rule, source
        return other

    def signed_distance(self, points: FloatArray, reach: FloatArray | None = None) -> FloatArray:
        """Give the signed distance (N,) float32 at points (N, 3), negative inside.

        Args:
            points: Positions in unit space.
            reach: Upper bounds (N,) of the distances where they are known; they make the search short.
        """
        if self.rule == "shell":
            return self.nearest(points, reach)[0] - np.float32(self.half_thickness)
        return self._in_pieces(self._signed_piece, points, reach)

    def nearest(
        self, points: FloatArray, reach: FloatArray | None = None
    ) -> tuple[FloatArray, npt.NDArray[np.int32]]:
        """Give the distance (N,) float32 without a sign, and the nearest face (N,), at points (N, 3)."""
        faces = np.zeros(len(points), np.int32)
        distances = self._in_pieces(self._nearest_piece(faces), points, reach)
        return distances, faces

    def distance_up_to(self, limit: float, points: FloatArray) -> FloatArray:
        """Give the distance (N,) float32 without a sign at points (N, 3), and `limit` where it is larger.

        Points far away cost a fiftieth of what `nearest` takes for them, points near the surface as much.
        """
        reach = np.full(len(points), limit, np.float32)
        faces = np.zeros(len(points), np.int32)
        found = self._in_pieces(self._nearest_piece(faces), points, reach, again=False)
        nearer: FloatArray = np.fmin(found, np.float32(limit))  # NaN where nothing is within reach
        return nearer

    def level(self, points: FloatArray) -> FloatArray:
        """Give what a perfect field has at points (N, 3) of the source: zero, or the middle of a shell."""
        return np.full(len(points), -self.half_thickness, np.float32)

    def _signed_piece(self, points: FloatArray, reach: FloatArray, out: FloatArray, start: int) -> None:
        place, bound, result = (
            self._given(points, wp.vec3),
            self._given(reach, float),
            self._given(out, float),
        )
        if self.rule == "normals":
            self._launch(
                distance_kernels.distance_by_normals, [self._tree.id, place, bound, NORMAL_EPSILON, result]
            )
        elif self._solid is not self._tree:
            limits = [WINDING_ACCURACY, INSIDE_WINDING]
            self._launch(
                distance_kernels.distance_and_solid,
                [self._tree.id, self._solid.id, place, bound, *limits, result],
            )
        else:
            limits = [WINDING_ACCURACY, INSIDE_WINDING]
            self._launch(distance_kernels.distance_by_winding, [self._tree.id, place, bound, *limits, result])
        self._fetch(result, out)

    def _nearest_piece(self, faces: npt.NDArray[np.int32]) -> Any:
        def run(points: FloatArray, reach: FloatArray, out: FloatArray, start: int) -> None:
            mine = faces[start : start + len(points)]
            found, result = self._given(mine, wp.int32), self._given(out, float)
            inputs = [self._tree.id, self._given(points, wp.vec3), self._given(reach, float), result, found]
            self._launch(distance_kernels.nearest_face, inputs)
            self._fetch(result, out)
            self._fetch(found, mine)

        return run

    def _given(self, array: npt.NDArray[Any], dtype: Any) -> Any:
        """Give an array of Warp: the same memory on the CPU, a copy elsewhere."""
        return wp.array(array, dtype=dtype, device=self._device, copy=not self._shared)

    def _launch(self, kernel: Any, inputs: list[Any]) -> None:
        """Run a kernel for each item of its last argument."""
        wp.launch(kernel, dim=len(inputs[-1]), inputs=inputs, device=self._device)

    def _fetch(self, array: Any, out: npt.NDArray[Any]) -> None:
        if not self._shared:
            out[:] = array.numpy()

    def _in_pieces(
        self, run: Any, points: FloatArray, reach: FloatArray | None, *, again: bool = True
    ) -> FloatArray:
        points = np.ascontiguousarray(points, np.float32)
        reach = np.full(len(points), FAR, np.float32) if reach is None else np.asarray(reach, np.float32)
        out = np.empty(len(points), np.float32)
        size = min(PIECE, max(1, -(-len(points) // self.threads))) if self._shared else CUDA_PIECE
        starts = range(0, len(points), size)

        def piece(start: int) -> None:
            end = min(start + size, len(points))
            run(points[start:end], np.ascontiguousarray(reach[start:end]), out[start:end], start)

        if self.threads == 1 or len(starts) == 1 or not self._shared:
            for start in starts:
                piece(start)
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(piece, starts))
        missed = np.flatnonzero(np.isnan(out)) if again else ()
        if len(missed) and reach.max() < FAR:  # rounding put the surface just out of reach
            out[missed] = (
                self.signed_distance(points[missed])
                if run == self._signed_piece
                else np.abs(self.nearest(points[missed])[0])
            )
        return out


def _tree(mesh: UnitMesh, device: str) -> wp.Mesh:
    corners: Any = wp.array(np.ascontiguousarray(mesh.vertices, np.float32), dtype=wp.vec3, device=device)
    numbers: Any = wp.array(
        np.ascontiguousarray(mesh.faces, np.int32).reshape(-1), dtype=wp.int32, device=device
    )
    return wp.Mesh(points=corners, indices=numbers, support_winding_number=True)
