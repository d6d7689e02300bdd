"""The transform that a proxy's vertices tell."""

import numpy as np
import pytest
from neural_implicit.addon.proxy_fit import fit_proxy, transform


@pytest.fixture
def unit():
    points = np.random.default_rng(1).normal(size=(500, 3))
    return 0.9 * points / np.linalg.norm(points, axis=1, keepdims=True)


EXPECTED = np.array([[2.0, 0, 0, 5], [0, 2, 0, -1], [0, 0, 2, 3], [0, 0, 0, 1]])
SHEARED = np.array([[1.0, 0.5, 0, 7], [0, -3, 0.2, 0], [0.1, 0, 0.3, 2], [0, 0, 0, 1]])


def as_blender_stores(points):
    return points.astype(np.float32).astype(np.float64)


def test_untouched_proxy_keeps_its_transform_to_the_bit(unit):
    fit = fit_proxy(as_blender_stores(transform(EXPECTED, unit)), unit, EXPECTED)
    assert fit.object_from_unit is EXPECTED and fit.num_edited == 0


def test_applied_shear_and_mirror_are_found_again(unit):
    fit = fit_proxy(as_blender_stores(transform(SHEARED, unit)), unit, EXPECTED)
    np.testing.assert_allclose(fit.object_from_unit, SHEARED, atol=1e-6)  # float32 at coordinates below 10
    assert fit.num_edited == 0


def test_edited_and_joined_vertices_are_counted_and_do_not_tilt_the_transform(unit):
    vertices = as_blender_stores(transform(SHEARED, unit))
    vertices[:100] += [0.5, 1.0, 0.0]
    fit = fit_proxy(vertices, unit, EXPECTED)
    np.testing.assert_allclose(fit.object_from_unit, SHEARED, atol=1e-6)  # float32 at coordinates below 10
    assert fit.num_edited == 100


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_size_does_not_matter(unit, scale):
    expected = np.diag([scale, scale, scale, 1.0])
    fit = fit_proxy(as_blender_stores(transform(expected, unit)), unit, expected)
    assert fit.object_from_unit is expected and fit.num_edited == 0


def test_vertices_in_one_plane_count_as_edited(unit):
    flat = transform(np.diag([1.0, 1.0, 0.0, 1.0]), unit)
    assert fit_proxy(flat, unit, EXPECTED).num_edited == len(unit)
