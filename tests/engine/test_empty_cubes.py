"""The largest empty cube ahead of a cell, and the field's sign there."""

import numpy as np

from engine.tracing.empty_cubes import MOST_AHEAD, cubes_ahead, octant_of, signs_of_empty


def test_cubes_are_the_largest_that_hold_no_reachable_cell():
    rng = np.random.default_rng(0)
    reachable = rng.random((9, 9, 9)) < 0.02
    found = cubes_ahead(reachable)
    for octant in range(8):
        toward = [-1 if octant & 4 else 1, -1 if octant & 2 else 1, -1 if octant & 1 else 1]
        for i, j, k in rng.integers(0, 9, (60, 3)):
            side = 0
            while side < 12:  # beyond the domain nothing is in the way
                cube = [
                    slice(max(x - side, 0), x + 1) if way < 0 else slice(x, x + side + 1)
                    for x, way in zip((i, j, k), toward)
                ]
                if reachable[tuple(cube)].any():
                    break
                side += 1
            assert found[octant, i, j, k] == (side if side < 12 else MOST_AHEAD)


def test_octants_count_axes_that_point_back():
    assert [octant_of(*way) for way in ((1.0, 1.0, 1.0), (-1.0, 1.0, 1.0), (1.0, -1.0, -0.1))] == [0, 4, 3]
    assert octant_of(0.0, -0.0, 0.0) == 0


def test_signs_are_those_of_the_field_in_each_piece_of_the_way():
    axis = (np.arange(16) + 0.5) / 8 - 1.0
    centres = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    radius = np.linalg.norm(centres, axis=-1)
    reachable = np.abs(radius - 0.6) <= 0.12
    negative = signs_of_empty(cubes_ahead(reachable), lambda points: np.linalg.norm(points, axis=1) - 0.6)
    assert np.array_equal(negative[~reachable], (radius < 0.6)[~reachable])
    assert not negative[reachable].any()
