"""Errors along rays, on shapes where they are known."""

import functools

import numpy as np
import pytest

from engine.ground_truth.sign_doctor import examine
from engine.measuring.field_errors import MeasureOptions
from engine.measuring.ray_errors import FAR, measure_rays, view_rays
from engine.tracing import certified_cache
from tests.engine.networks import octahedron
from tests.engine.shapes import mesh, unit


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(certified_cache, "cache_folder", lambda: tmp_path)


@functools.cache
def truth():
    """An octahedron in unit space: its corners lie at 0.9 on the axes."""
    corners = np.concatenate([np.eye(3), -np.eye(3)])
    faces = [[0, 1, 2], [1, 3, 2], [3, 4, 2], [4, 0, 2], [1, 0, 5], [3, 1, 5], [4, 3, 5], [0, 4, 5]]
    return examine(unit(mesh(corners, faces)), None).truth


def test_exact_network_has_no_error_along_rays():
    errors = measure_rays(octahedron(0.9), truth(), MeasureOptions(num_points=20_000))
    assert errors["bound_certified"] == 1.0
    assert errors["rays"] == 2000.0
    assert errors["missed_hits"] == errors["false_hits"] == 0.0
    assert errors["silhouette_iou"] > 0.9999
    assert errors["depth_rmse"] < 1e-4  # a pixel on the outline may show the other side


def test_smaller_network_shows_in_silhouette_and_depth():
    errors = measure_rays(octahedron(0.8), truth(), MeasureOptions(num_points=20_000))
    assert errors["missed_hits"] == errors["false_hits"] == 0.0
    assert errors["silhouette_iou"] == pytest.approx((0.8 / 0.9) ** 2, abs=0.01)  # areas, seen from any side
    assert errors["depth_median"] == pytest.approx(
        0.1, abs=0.04
    )  # 0.0577 along the normal to 0.1 along an axis


def test_views_look_at_the_middle_from_all_around():
    origins, directions = view_rays()
    assert np.allclose(np.linalg.norm(directions, axis=1), 1.0)
    assert np.abs(directions.mean(axis=0)).max() < 1e-12
    closest = origins + FAR * directions
    assert np.abs((closest * directions).sum(axis=1)).max() < 1e-9
    assert np.linalg.norm(closest, axis=1).max() < np.sqrt(2.0)
