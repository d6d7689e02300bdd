"""The frames of a motion: meshes of one folder in the order of their numbers, moved into one unit space.

All frames share one object space, and one enclosing ball around everything that is ever reached makes them fit in
[-1, 1]^3. The first frame is at time 0, the last one at time 1.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import MeshFileError, OptionError
from ..fitting.fit import FitOptions
from ..fitting.sample_sources import grid_samples, weighted
from ..fitting.samplers import draw_samples
from ..ground_truth.mesh import Mesh, UnitMesh, check_mesh, to_unit
from ..ground_truth.mesh_files import KINDS, load_mesh
from ..ground_truth.sign_doctor import Diagnosis, examine
from ..ground_truth.signed_distance import SurfaceDistance
from ..protocol.weights import Source
from ..transforms import transform_points

FloatArray = npt.NDArray[np.floating[Any]]

FEWEST_FRAMES, MOST_FRAMES = 2, 1000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """One mesh of the motion."""

    name: str
    time: float
    diagnosis: Diagnosis

    @property
    def truth(self) -> SurfaceDistance:
        """Its distances."""
        return self.diagnosis.truth


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Motion:
    """All frames in one unit space."""

    frames: tuple[Frame, ...]
    source: Source
    unit_from_object: FloatArray  # (4, 4)
    warnings: tuple[str, ...]


def frame_files(folder: Path) -> list[Path]:
    """Give the meshes of a folder as a person would order them: frame 9 comes before frame 10.

    Raises:
        MeshFileError: There are fewer than two, or more than a motion can have.
    """
    paths = [path for path in folder.iterdir() if path.suffix.lower() in KINDS and path.is_file()]
    if not FEWEST_FRAMES <= len(paths) <= MOST_FRAMES:
        raise MeshFileError(
            f"{folder} holds {len(paths)} meshes; a motion has {FEWEST_FRAMES} to {MOST_FRAMES}, one for each frame."
        )
    return sorted(paths, key=_natural)


def load_motion(folder: Path, threads: int | None, waiting: Callable[[], None]) -> Motion:
    """Read and examine all frames of a folder.

    Args:
        folder: Their meshes.
        threads: For distances; all processors by default.
        waiting: Called after each frame.

    Raises:
        MeshFileError: A file cannot be read, or there are too few.
        MeshError: A mesh has no surface.
    """
    meshes, paths = [], frame_files(folder)
    for path in paths:
        meshes.append(check_mesh(load_mesh(path)))
        waiting()
    everything = np.concatenate([mesh.vertices for mesh in meshes])
    matrix = to_unit(replace(meshes[0], name=folder.name, vertices=everything)).unit_from_object
    frames = []
    for number, mesh in enumerate(meshes):
        placed = UnitMesh(
            vertices=transform_points(matrix, mesh.vertices), faces=mesh.faces, unit_from_object=matrix
        )
        time = number / (len(meshes) - 1)
        frames.append(Frame(name=paths[number].stem, time=time, diagnosis=examine(placed, threads)))
        waiting()
    return Motion(
        frames=tuple(frames),
        source=_source(folder.name, meshes),
        unit_from_object=matrix,
        warnings=_warnings(frames),
    )


class MotionSource:
    """Samples of all frames: each has its share, at its time."""

    def __init__(self, motion: Motion) -> None:
        self._frames = motion.frames

    def samples(self, options: FitOptions, waiting: Callable[[], None]) -> FloatArray:
        """Give samples (N, 6): x, y, z, t, signed distance, weight.

        Raises:
            OptionError: Samples from a file are asked for.
        """
        training = options.training
        assert training is not None
        if training.queries is not None:
            raise OptionError("Points from a file have no time: leave out --queries for a moving shape.")
        count = len(self._frames)
        pieces = []
        for number, frame in enumerate(self._frames):
            share = options.num_samples * (number + 1) // count - options.num_samples * number // count
            drawn = training.sampler, options.sampling, share, options.seed + number
            pieces.append(_at(frame.time, draw_samples(frame.truth, *drawn, waiting)))
        return weighted(np.concatenate(pieces), training.loss_weight)

    def grid(self, resolution: int, waiting: Callable[[], None]) -> FloatArray:
        """Give samples on a grid of the first, the middle and the last frame."""
        chosen = {0, len(self._frames) // 2, len(self._frames) - 1}
        frames = [self._frames[number] for number in sorted(chosen)]
        return np.concatenate([_at(f.time, grid_samples(f.truth, resolution, waiting)) for f in frames])


def _at(time: float, samples: FloatArray) -> FloatArray:
    """Put a column with a time behind the place of samples (N, 5)."""
    return np.insert(samples, 3, np.float32(time), axis=1)


def _natural(path: Path) -> list[tuple[bool, int, str]]:
    parts = re.split(r"(\d+)", path.stem.lower())
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts if part]


def _source(name: str, meshes: Sequence[Mesh]) -> Source:
    digest = hashlib.sha256("".join(mesh.digest() for mesh in meshes).encode())
    return Source(
        name=name,
        sha256=digest.hexdigest(),
        num_vertices=sum(len(mesh.vertices) for mesh in meshes),
        num_faces=sum(len(mesh.faces) for mesh in meshes),
    )


def _warnings(frames: Sequence[Frame]) -> tuple[str, ...]:
    """Give what was found in the frames, each sentence once."""
    sentences = dict.fromkeys(text for frame in frames for text in frame.diagnosis.warnings)
    return tuple(sentences)
