"""The comparison of pictures itself: what it forgives, and what it does not."""

import numpy as np
import pytest

from tests import compare


def disk(radius, x=20.0, y=16.0):
    rows, columns = np.mgrid[:32, :40]
    return (np.hypot(columns - x, rows - y) < radius).astype(float)


def test_a_picture_agrees_with_itself():
    ids = disk(9.0)
    found = compare.difference(ids, ids, ids, ids, tolerance=0.0)
    assert (found.flips, found.strays, found.largest) == (0, 0, 0.0)
    found.check(tolerance=0.0, flip_budget=0.0)


def test_flips_on_the_silhouette_are_counted_against_the_budget():
    one, other = disk(9.0), disk(9.3)
    found = compare.difference(one, other, one, other, tolerance=0.0)
    assert found.flips == (one != other).sum() > 0
    found.check(tolerance=0.0, flip_budget=found.flips / found.edge_pixels)
    with pytest.raises(AssertionError, match="flips"):
        found.check(tolerance=0.0, flip_budget=0.9 * found.flips / found.edge_pixels)


def test_a_value_inside_is_never_forgiven():
    ids = disk(9.0)
    values = ids.copy()
    values[16, 20] += 0.01
    found = compare.difference(ids, ids, ids, values, tolerance=0.005)
    assert (found.flips, found.largest) == (0, pytest.approx(0.01))
    with pytest.raises(AssertionError):
        found.check(tolerance=0.005, flip_budget=1.0)


def test_a_shape_that_is_elsewhere_or_wider_strays():
    one = disk(9.0)
    for other in (disk(9.0, x=25.0), disk(13.0), np.maximum(one, disk(1.5, 2.0, 2.0))):
        found = compare.difference(one, other, one, other, tolerance=0.0)
        assert found.strays > 0
        with pytest.raises(AssertionError):
            found.check(tolerance=1.0, flip_budget=1.0)


def test_not_a_number_agrees_with_nothing():
    ids = disk(9.0)
    values = np.where(ids > 0, 1.0, np.nan)
    values[16, 20] = np.nan
    assert compare.difference(ids, ids, ids, values, tolerance=1.0).largest == np.inf


def test_the_share_of_the_same_object_is_over_either_silhouette():
    one, other = np.zeros((4, 4)), np.zeros((4, 4))
    one[0, :3] = 1
    other[0, 1:] = 1
    assert compare.same_share(one, other) == 0.5
    assert compare.same_share(one, other, np.ones((4, 4), bool)) == 14 / 16


def test_near_grows_by_steps_in_all_eight_directions():
    dot = np.zeros((7, 7), bool)
    dot[3, 3] = True
    assert [compare.near(dot, n).sum() for n in range(3)] == [1, 9, 25]
