"""An environment's picture as a light: where it is looked up, and that its samples have the density they claim."""

import numpy as np
import pytest

from engine.errors import SceneError
from engine.rendering.environment import Environment


def even_directions(rows):
    """Give directions of equal solid angles, rows times rows of them."""
    middle = (np.arange(rows) + 0.5) / rows
    z, angle = (a.ravel() for a in np.meshgrid(2.0 * middle - 1.0, 2.0 * np.pi * middle))
    across = np.sqrt(1.0 - z * z)
    return np.stack([across * np.cos(angle), across * np.sin(angle), z], axis=1)


def picture_with_a_lamp():
    picture = np.full((64, 128, 3), 0.2, np.float32)
    picture[40:44, 90:94] = (80.0, 60.0, 40.0)
    return picture


def turned():
    matrix = np.eye(4)
    matrix[:3, :3] = np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))[0]
    return matrix


def test_picture_is_looked_up_as_blender_lays_it():
    picture = np.zeros((4, 8, 3), np.float32)
    picture[..., 0] = np.arange(8)
    picture[..., 1] = np.arange(4)[:, None]
    environment = Environment(picture, np.eye(4))
    along_x, along_minus_y, up = environment.radiance(np.array([(1.0, 0, 0), (0, -1.0, 0), (0, 0, 1.0)]))
    assert along_x[0] == pytest.approx(3.5) and along_x[1] == pytest.approx(1.5)  # the middle
    assert along_minus_y[0] == pytest.approx(5.5)  # three quarters from the left
    assert up[1] == 3.0


def test_samples_have_the_density_they_claim():
    environment = Environment(picture_with_a_lamp(), turned())
    square = np.random.default_rng(0).random((40_000, 2)).astype(np.float32)
    directions, density = environment.sample(square)
    assert density == pytest.approx(environment.density(directions), rel=1e-6)
    estimated = (environment.radiance(directions) / density[:, None]).mean(axis=0)
    exact = environment.radiance(even_directions(1000)).mean(axis=0) * 4.0 * np.pi
    # Within a cell the picture differs from the cell's mean: 40,000 samples have a spread of 0.5 %.
    assert estimated == pytest.approx(exact, rel=0.02)
    assert environment.density(even_directions(1000)).mean() * 4.0 * np.pi == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize("picture", [np.zeros((0, 4, 3)), np.zeros((4, 4)), np.full((4, 4, 3), np.nan)])
def test_what_is_no_picture_is_refused(picture):
    with pytest.raises(SceneError, match="environment texture"):
        Environment(picture.astype(np.float32), np.eye(4))
