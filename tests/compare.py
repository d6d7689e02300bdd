"""Pictures compared with silhouettes in mind: tight off them, and by a budget of flipped pixels on them.

A pixel on a silhouette may show one object or the other after the smallest rounding, so there values say nothing;
everywhere else both pictures must show the same object with nearly the same value. Planes are (h, w) or (h, w, c).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

EIGHT = np.ones((3, 3), bool)  # a pixel and its neighbours


def near(mask, pixels):
    """Give the pixels (h, w) within so many steps, diagonal ones included, of a pixel of `mask`; 0: itself."""
    return ndimage.binary_dilation(mask, EIGHT, iterations=pixels) if pixels > 0 else mask.copy()


def silhouettes(ids, *others):
    """Give the pixels (h, w) beside one of another object, or of the background, in any of the pictures."""
    edges = np.zeros(_flat(ids).shape, bool)
    for picture in (ids, *others):
        flat = _flat(picture)
        edges |= ndimage.maximum_filter(flat, 3) != ndimage.minimum_filter(flat, 3)
    return edges


@dataclass(frozen=True)
class Difference:
    """How two pictures of one scene differ."""

    edge_pixels: int  # on silhouettes
    flips: int  # of them, those that show another object or another value
    strays: int  # pixels off the silhouettes that show another object
    largest: float  # absolute difference of values off the silhouettes, over all channels

    def check(self, tolerance, flip_budget):
        """Fail unless values off the silhouettes agree and at most a share `flip_budget` on them has flipped."""
        assert self.strays == 0, self
        assert self.largest <= tolerance, self
        assert self.flips <= flip_budget * self.edge_pixels, self


def difference(expected_ids, actual_ids, expected, actual, tolerance, band=0):
    """Compare a plane of two pictures.

    Args:
        expected_ids: Object of each pixel, 0 for the background.
        actual_ids: The same of the other picture.
        expected: The plane's values.
        actual: Those of the other picture.
        tolerance: Beyond it a value on a silhouette counts as flipped.
        band: Silhouettes are widened by so many pixels.
    """
    edges = near(silhouettes(expected_ids, actual_ids), band)
    other_object = _flat(expected_ids) != _flat(actual_ids)
    # Silhouettes of the other picture alone must not excuse an object that is elsewhere: those pixels are strays.
    excused = near(silhouettes(expected_ids), band + 1)
    apart = np.abs(np.asarray(expected, np.float64) - np.asarray(actual, np.float64))
    apart = apart.reshape(*edges.shape, -1).max(axis=2)
    apart[np.isnan(apart)] = np.inf  # not a number agrees with nothing
    off = ~edges & ~other_object
    return Difference(
        edge_pixels=int(edges.sum()),
        flips=int((edges & (other_object | (apart > tolerance))).sum()),
        strays=int((other_object & ~(edges & excused)).sum()),
        largest=float(apart[off].max(initial=0.0)),
    )


def same_share(expected_ids, actual_ids, where=None):
    """Give the share of pixels that show the same object, of those in `where` or inside either silhouette."""
    expected, actual = _flat(expected_ids), _flat(actual_ids)
    chosen = (expected > 0) | (actual > 0) if where is None else where
    assert chosen.any(), "there is nothing to compare"
    return float((expected == actual)[chosen].mean())


def _flat(ids):
    array = np.asarray(ids)
    return array[..., 0] if array.ndim == 3 else array
