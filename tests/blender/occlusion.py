"""Compares a picture of a neural shape beside native geometry with one in which a dense mesh stands for it."""

import numpy as np

SPOT, CUBE = 1, 2  # pass indices of `scripts/spot_scene.py`
SCENE_SIZE = 2.7  # of spot and cube, their bounds' diagonal; the plane would make the test easier
DEPTH = 1e-3 * SCENE_SIZE
INSIDE = 0.995  # of the pixels inside either silhouette
AT_CURVE = 0.97  # of those near the curve where the two intersect
NEAR_PX = 3
TOUCHING = 0.05  # depth between neighbours, where shapes intersect and do not merely hide each other


def agreement(index, view_z, dense_index, dense_view_z):
    """Give how many pixels show the same object at the same depth, inside the silhouettes and at the curve."""
    same = (index == dense_index) & (np.abs(view_z - dense_view_z) < DEPTH)
    inside = np.isin(index, (SPOT, CUBE)) | np.isin(dense_index, (SPOT, CUBE))
    curve = near(intersection(dense_index, dense_view_z), NEAR_PX) & inside
    assert curve.sum() > 300, "the cube must cut the shape in view"
    return {"inside": same[inside].mean(), "curve": same[curve].mean(), "pixels": int(curve.sum())}


def intersection(index, view_z):
    """Mark pixels on either side of the curve where spot and cube intersect."""
    marked = np.zeros(index.shape, bool)
    for axis in (0, 1):
        n = index.shape[axis]
        first, second = (np.arange(n - 1), np.arange(1, n))
        pair = np.take(index, first, axis) + np.take(index, second, axis) == SPOT + CUBE
        pair &= np.take(index, first, axis) * np.take(index, second, axis) == SPOT * CUBE
        pair &= np.abs(np.diff(view_z, axis=axis)) < TOUCHING
        if axis == 0:
            marked[:-1] |= pair
            marked[1:] |= pair
        else:
            marked[:, :-1] |= pair
            marked[:, 1:] |= pair
    return marked


def near(marked, distance):
    """Mark pixels at most `distance` from a marked one."""
    height, width = marked.shape
    padded = np.pad(marked, distance)
    result = np.zeros_like(marked)
    for dy in range(-distance, distance + 1):
        for dx in range(-distance, distance + 1):
            if dx * dx + dy * dy <= distance * distance:
                result |= padded[distance + dy :, distance + dx :][:height, :width]
    return result
