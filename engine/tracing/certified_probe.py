"""Whether a network is worth certifying: looks at some places, before minutes of work.

Bounds on networks wider than the default's can be thousands of times the gradients there, and steps by them so short that
sampled bounds serve better; or they are tight in small pieces alone, and there are too many of these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .certified_parts import CORNERS, Look, Seen

IntArray = npt.NDArray[np.integer[Any]]
FloatArray = npt.NDArray[np.floating[Any]]

LOOSEST = 16.0  # a bound so many times the gradients seen costs more steps than it saves
MOST_LOOSE = 0.5  # of the places
FLATTEST = 1.0  # as of a distance: in a kink the gradient that is seen may be zero
NUM_PLACES = 300
SIDE = 64  # cells a side among which places are chosen
PIECES = 512  # a side: as small as what most bounds are made of in the end
RUN, EACH = 512, 40  # cells that follow each other, and of how many such runs one is looked at


def share_of_loose(seen: Seen, bounds: Callable[[IntArray, int], FloatArray]) -> float:
    """Give the share of places at the surface where bounds on the gradient are LOOSEST times what is seen; 0: no surface.

    Args:
        seen: See there.
        bounds: Gives the gradient's (N, 6) in cells (N, 3) of so many a side.
    """
    axis = np.arange(SIDE)
    cells = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    values, steepness = seen(cells, SIDE)
    near = np.flatnonzero(np.abs(values) <= steepness / SIDE)
    if not len(near):
        return 0.0
    chosen = np.random.default_rng(0).choice(near, min(NUM_PLACES, len(near)), replace=False)
    # the eighth of a cell nearest to the surface, and again: pieces share a parent there
    places, side = cells[np.sort(chosen)], SIDE
    while side < PIECES // 2:
        side *= 2
        eighths = 2 * places[:, None] + CORNERS
        sizes = np.abs(seen(eighths.reshape(-1, 3), side)[0]).reshape(-1, 8)
        places = eighths[np.arange(len(places)), sizes.argmin(axis=1)]
    pieces = (2 * places[:, None] + CORNERS).reshape(-1, 3)
    found = bounds(pieces, PIECES)
    with np.errstate(over="ignore"):
        proven = np.linalg.norm(
            np.maximum(np.abs(found[:, :3]), np.abs(found[:, 3:])).astype(np.float64), axis=1
        )
    usual = np.maximum(seen(pieces, PIECES)[1], FLATTEST)
    loose: float = float(((proven / usual).reshape(-1, 8).min(axis=1) > LOOSEST).mean())
    return loose


def too_many_loose(seen: Seen, look: Look, cells: IntArray, side: int, most: int) -> bool:
    """Whether more than `most` of cells (N, 3) along a Z-order curve would stay undecided, with loose bounds.

    Args:
        seen: See there.
        look: See there.
        cells: Of so many a side; of few, none is looked at.
        side: Cells a side.
        most: So many undecided cells can be looked into; bounds on more stay as loose as they are.
    """
    if len(cells) <= max(most, RUN * EACH):
        return False
    some = cells[np.arange(len(cells)) // RUN % EACH == EACH // 2]
    values, radii, bounds, _ = look(some, side, True)
    undecided = ~(np.abs(values) > radii)
    if undecided.mean() * len(cells) <= most:
        return False
    with np.errstate(over="ignore"):
        steepest = np.maximum(np.abs(bounds[:, :3]), np.abs(bounds[:, 3:])).astype(np.float64)
    usual = np.maximum(seen(some, side)[1], FLATTEST)
    loose = np.linalg.norm(steepest, axis=1) > LOOSEST * usual
    return bool(loose[undecided].mean() > MOST_LOOSE)
