"""The order in which a tile's pixels are drawn: along a Z-order curve, so that rays that follow each other are neighbours."""

from __future__ import annotations

import functools

import numpy as np

from ..transforms import Array


@functools.lru_cache(maxsize=64)
def pixel_order(width: int, height: int) -> tuple[Array, Array]:
    """Give the columns and rows (width * height,) int64 of a tile's pixels, read-only.

    Any 4^k of them that follow each other from a multiple of 4^k on are a square, where the tile is not cut [Morton 1966].

    [Morton 1966] G. M. Morton, "A computer oriented geodetic data base", IBM, 1966.
    """
    column, row = (a.ravel() for a in np.meshgrid(np.arange(width), np.arange(height)))
    order = np.argsort(_spread(column) | _spread(row) << 1, kind="stable")
    column, row = column[order], row[order]
    for array in (column, row):
        array.flags.writeable = False
    return column, row


def _spread(numbers: Array) -> Array:
    """Move the bits of numbers below 2^16 apart, with one between each two."""
    for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        numbers = (numbers | numbers << shift) & mask
    return numbers
