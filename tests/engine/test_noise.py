"""Adaptive sampling: pixels that have settled get no more samples, noisy ones get all, and the picture stays right."""

import numpy as np
import pytest

from engine.errors import SceneError
from engine.rendering.noise import LEAST_SAMPLES
from engine.rendering.renderer import ViewRequest, prepare_scene, render_rounds
from engine.rendering.shading import shade
from tests.engine.scene_builder import SceneBuilder, SphereCache, camera_at, placed

SIZE = (96, 64)
SAMPLES = 256
THRESHOLD = 0.05
AS_MANY = (
    64  # samples per pixel of a picture that has more in all than the adaptive one, which takes 47 on average
)
FLOOR = ((-9, -9, 0), (9, -9, 0), (9, 9, 0), (-9, 9, 0))
HALVES = ((0, 1, 2), (0, 2, 3))


@pytest.fixture
def prepared(tmp_path):
    builder = SceneBuilder(tmp_path)
    matt = builder.material(base_color=(0.7, 0.7, 0.7), roughness=1.0, specular=0.0)
    builder.mesh(FLOOR, HALVES, material=matt)
    builder.neural(placed(0.0, 0.0, 0.9), material=matt)
    builder.light(type="AREA", energy=200.0, size=1.5, world_from_light=placed(0.0, 0.0, 4.0))
    return prepare_scene(builder.scene(), SphereCache(builder.folder))


def drawn(prepared, samples=SAMPLES, **options):
    """Give the last picture, its number of rounds, and how often each pixel was shaded."""
    counts = np.zeros(SIZE[::-1], int)

    def counting(scene, surfaces, x, y, sample, seed):
        np.add.at(counts, (y, x), 1)
        return shade(scene, surfaces, x, y, sample, seed)

    camera = camera_at((0.0, -5.0, 4.0), (0, 0, 0.3), *SIZE, fov_y=0.5)
    request = ViewRequest(
        camera=camera, width=SIZE[0], height=SIZE[1], samples=samples, shader=counting, **options
    )
    pictures = list(render_rounds(prepared, request, lambda: False))
    assert [picture.complete for picture in pictures] == [False] * (len(pictures) - 1) + [True]
    return pictures[-1].planes["combined"][..., :3], len(pictures), counts


def test_settled_pixels_stop_and_noisy_ones_go_on(prepared):
    exact, _, all_counts = drawn(prepared, samples=4 * SAMPLES)
    full, _, counts_full = drawn(prepared)
    adaptive, _, counts = drawn(prepared, noise_threshold=THRESHOLD)
    assert (counts_full == SAMPLES).all() and (all_counts == 4 * SAMPLES).all()
    assert counts.min() >= LEAST_SAMPLES and counts.max() == SAMPLES
    assert counts.sum() < AS_MANY * counts.size
    assert np.abs(adaptive - exact).mean() < 0.02 * exact.mean()  # measured 0.015
    even, _, _ = drawn(prepared, samples=AS_MANY)
    errors = [np.abs(picture - exact).sum(axis=2) for picture in (adaptive, even)]
    noisy = counts == SAMPLES
    assert 0.02 < noisy.mean() < 0.2
    assert errors[0][noisy].mean() < 0.6 * errors[1][noisy].mean(), "samples went where the noise was"
    assert np.array_equal(adaptive[noisy], full[noisy])


def test_picture_that_settles_early_is_complete_early(prepared):
    _, rounds, counts = drawn(prepared, noise_threshold=10.0)
    assert rounds == 5 and (counts == LEAST_SAMPLES).all()  # 1, 2, 4, 8, 16


def test_impossible_thresholds_are_refused():
    with pytest.raises(SceneError, match="noise threshold"):
        ViewRequest(camera=camera_at((0, -5, 4), (0, 0, 0), 8, 8), width=8, height=8, noise_threshold=-1.0)
