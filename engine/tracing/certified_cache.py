"""Certified cells on disk, beside the compiled kernels, by the SHA-256 of the weights: proven once per machine.

A file is a header, the SHA-256 of the rest, and the rest compressed: the mask of cells in bits and the bounds in half
precision, to which they were rounded outward. One that cannot be read is as good as none. The folder is kept under
`MOST_BYTES` by letting go of what was not used for longest.
"""

from __future__ import annotations

import hashlib
import logging
import os
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..cache import cache_folder
from ..errors import OutputError
from ..protocol.weights import NeuralWeights, write_atomically
from .certified_cells import CertifiedCells, can_certify
from .packed_grid import PART_SIDE, UNKNOWN

log = logging.getLogger(__name__)

HEADER = b"neural implicit cells 5\n"  # another number when the mathematics or the layout changes
MOST_BYTES = 256 << 20
DIGEST_SIZE = 32


def load_cells(weights: NeuralWeights, time: float = 0.0) -> CertifiedCells | None:
    """Give what was proven about a network earlier, or None."""
    path = _path(weights, time)
    try:
        data = path.read_bytes()
    except OSError:
        return None
    cells = unpack(data)
    if cells is None:
        if data.startswith(HEADER):  # not of an earlier version
            log.warning("%s is damaged and is made anew", path.name)
        return None
    try:
        os.utime(path)
    except OSError:
        log.debug("cannot touch %s", path)
    return cells


def bound_in_use(weights: NeuralWeights) -> str:
    """Say what steps through a network rely on when it is opened now, and why, for people."""
    if not can_certify(weights):
        return "sampled (too large to certify)"
    cells = load_cells(weights)
    if cells is None:
        return "sampled (not certified yet)"
    return "certified" if cells.reachable.size else "sampled (provable bounds are too loose to be of use)"


def save_cells(weights: NeuralWeights, cells: CertifiedCells, time: float = 0.0) -> int:
    """Keep what was proven; give the bytes it takes, 0 where the folder cannot be written."""
    path = _path(weights, time)
    data = pack(cells)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)
        _make_room(path.parent)
    except (OSError, OutputError) as error:
        log.warning("the certified cells are not kept: %s", error)
        return 0
    return len(data)


def pack(cells: CertifiedCells) -> bytes:
    """Give a file's bytes."""
    open_parts, part_gradient = cells.open_parts, cells.part_gradient
    if open_parts is None or part_gradient is None:
        open_parts, part_gradient = np.zeros((0, 0), bool), np.zeros((0, 6), np.float32)
    linear = cells.part_linear
    if linear is None:
        linear = np.full((len(part_gradient), 4), np.inf, np.float32)
    half = 1.0 / (PART_SIDE * max(cells.reachable.shape[0], 1))
    counts = (cells.reachable.shape[0], len(cells.gradient), open_parts.shape[1], len(part_gradient))
    body = (
        np.array(counts, "<u4").tobytes()
        + np.array([cells.error, cells.sampled_error], "<f8").tobytes()
        + np.packbits(cells.reachable).tobytes()
        + _half(cells.gradient)
        + np.packbits(open_parts).tobytes()
        + _half(part_gradient)
        + _half(_scaled(linear, 1.0 / half))
    )
    body = zlib.compress(body, 1)
    return HEADER + hashlib.sha256(body).digest() + body


def unpack(data: bytes) -> CertifiedCells | None:
    """Read a file's bytes; None where they are not whole."""
    start = len(HEADER) + DIGEST_SIZE
    body = data[start:]
    if data[: len(HEADER)] != HEADER or hashlib.sha256(body).digest() != data[len(HEADER) : start]:
        return None
    body = zlib.decompress(body)
    side, count, parts_of_one, parts = (int(x) for x in np.frombuffer(body, "<u4", 4))
    error, sampled_error = (float(x) for x in np.frombuffer(body, "<f8", 2, 16))
    reachable, at = _bits(body, side**3, 32)
    gradient, at = _bounds(body, count, at)
    cells = CertifiedCells(reachable.reshape((side,) * 3), gradient, error, sampled_error)
    if not parts_of_one:
        return cells
    open_parts, at = _bits(body, count * parts_of_one, at)
    part_gradient, at = _bounds(body, parts, at)
    linear, _ = _bounds(body, parts, at, 4)
    linear = _scaled(linear, 1.0 / (PART_SIDE * side))
    linear[linear[:, 3] > 1.0, 3] = 2.0 * UNKNOWN  # infinity, before it was divided
    open_parts = open_parts.reshape(count, -1)
    return replace(cells, open_parts=open_parts, part_gradient=part_gradient, part_linear=linear)


def _scaled(linear: npt.NDArray[np.float32], factor: float) -> npt.NDArray[np.float32]:
    """Give (P, 4) with its last column, small numbers that would lose digits in half precision, multiplied."""
    scaled = linear.copy()
    with np.errstate(over="ignore"):
        scaled[:, 3] *= np.float32(factor)
    return scaled


def _half(bounds: npt.NDArray[np.float32]) -> bytes:
    with np.errstate(over="ignore"):
        half = bounds.astype("<f2")  # infinities stand for bounds past half precision
    return np.ascontiguousarray(half.T).tobytes()


def _bits(body: bytes, count: int, at: int) -> tuple[npt.NDArray[np.bool_], int]:
    """Read so many bits at an offset; gives the offset after them, too."""
    packed = np.frombuffer(body, np.uint8, -(-count // 8), at)
    return np.unpackbits(packed, count=count).astype(bool), at + len(packed)


def _bounds(body: bytes, count: int, at: int, columns: int = 6) -> tuple[npt.NDArray[np.float32], int]:
    """Read the bounds of so many cells at an offset; gives the offset after them, too."""
    half = np.frombuffer(body, "<f2", columns * count, at).reshape(columns, count)
    bounds = np.ascontiguousarray(half.T).astype(np.float32)
    return np.clip(bounds, -1e30, 1e30, out=bounds), at + 2 * columns * count


def _path(weights: NeuralWeights, time: float) -> Path:
    digest = hashlib.sha256(weights.to_bytes() + np.array([time], "<f8").tobytes())
    return cache_folder() / "certified" / f"{digest.hexdigest()}.cells"


def _make_room(folder: Path) -> None:
    files = [(path.stat().st_mtime, path.stat().st_size, path) for path in folder.glob("*.cells")]
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files)[:-1]:
        if total <= MOST_BYTES:
            return
        path.unlink(missing_ok=True)
        total -= size
