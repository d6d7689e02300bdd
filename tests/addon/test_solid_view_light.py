"""What the light of a 3D view is reduced to."""

import numpy as np
from neural_implicit.addon.solid_view.harmonics import environment_harmonics, harmonic_basis
from neural_implicit.addon.solid_view.prepared import FEWEST_KEPT, Preparation

from tests.blender.spot import WEIGHTS
from tests.engine.networks import random_network


def directions(height, width):
    """Give where each pixel of an equirectangular picture is seen."""
    level = np.pi * ((np.arange(height) + 0.5) / height - 0.5)
    turn = 2.0 * np.pi * ((np.arange(width) + 0.5) / width - 0.5)
    level, turn = np.meshgrid(level, turn, indexing="ij")
    return np.stack([-np.cos(turn) * np.cos(level), np.sin(turn) * np.cos(level), np.sin(level)], axis=-1)


def light_from(harmonics, normals):
    return harmonic_basis(normals) @ harmonics


NORMALS = np.random.default_rng(8).normal(size=(50, 3))
NORMALS /= np.linalg.norm(NORMALS, axis=1, keepdims=True)


def test_an_even_environment_lights_every_side_alike():
    light = light_from(environment_harmonics(np.ones((128, 256, 4), np.float32)), NORMALS)
    assert np.abs(light - 1.0).max() < 2e-3  # the sum over 64 rows


def test_light_that_grows_with_height_gives_two_thirds_of_it():
    height = directions(128, 256)[..., 2]
    picture = np.repeat(1.0 + height[..., None], 4, axis=2).astype(np.float32)
    light = light_from(environment_harmonics(picture), NORMALS)
    assert np.abs(light - (1.0 + 2.0 / 3.0 * NORMALS[:, 2:])).max() < 3e-3


def test_light_from_one_side_is_the_integral_over_the_hemisphere():
    towards = np.array([0.48, -0.6, 0.64])
    seen = directions(128, 256)
    picture = np.repeat(np.exp(3.0 * (seen @ towards - 1.0))[..., None], 4, axis=2).astype(np.float32)
    weight = np.cos(np.arcsin(seen[..., 2])) * (np.pi / 128) * (2.0 * np.pi / 256)
    facing = np.maximum(np.einsum("hwi,ni->nhw", seen, NORMALS), 0.0)
    exact = (facing * picture[..., 0] * weight).sum(axis=(1, 2)) / np.pi
    light = light_from(environment_harmonics(picture), NORMALS)[:, 0]
    assert np.abs(light - exact).max() < 0.03 * exact.max()  # what lies beyond nine harmonics


MANY = FEWEST_KEPT + 6


def wait_for(preparation, data, time=0.0, owner=1):
    preparation.get(data, time, owner)
    preparation._made[data, time].result(60.0)
    return preparation.get(data, time, owner)


def test_a_snapshot_is_drawn_until_the_next_is_prepared():
    preparation = Preparation()
    first, second = WEIGHTS.read_bytes(), random_network(1).to_bytes()
    assert preparation.get(first, 0.0, 1) is None
    shown = wait_for(preparation, first)
    assert shown.architecture.width == 32
    now = preparation.get(second, 0.0, 1)
    assert now is shown or now.architecture.width == 16  # never nothing
    assert wait_for(preparation, second).architecture.width == 16
    assert not preparation.pending
    preparation.clear()


def test_damaged_and_too_large_networks_are_not_drawn():
    preparation = Preparation()
    large = random_network(1, width=128, depth=1).to_bytes()
    preparation.get(b"damaged", 0.0, 1)
    assert preparation._made[b"damaged", 0.0].exception(60.0) is not None
    assert preparation.get(b"damaged", 0.0, 1) is None
    assert wait_for(preparation, large) is None
    preparation.clear()


def test_as_many_networks_are_kept_as_a_scene_has():
    preparation = Preparation()
    packed = [random_network(seed, width=4, depth=1).to_bytes() for seed in range(MANY)]
    preparation.expect(MANY)
    for owner, data in enumerate(packed):
        preparation.get(data, 0.0, owner)
    for data in packed:
        preparation._made[data, 0.0].result(60.0)
    submitted = preparation.num_submitted
    assert all(preparation.get(data, 0.0, owner) is not None for owner, data in enumerate(packed))
    assert preparation.num_submitted == submitted == MANY and not preparation.pending
    preparation.clear()
