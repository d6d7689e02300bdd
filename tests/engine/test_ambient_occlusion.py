"""Ambient occlusion against closed forms: below a sphere, which is a network, and beside a wall, which is a mesh."""

import numpy as np
import pytest

from engine.errors import SceneError
from engine.rendering.renderer import ViewRequest, prepare_scene, render_picture
from tests.engine.scene_builder import SceneBuilder, SphereCache, camera_at, placed
from tests.engine.test_renderer import SIZE, draw

SAMPLES = 256
NOISE = 0.02  # of 256 samples of a low-discrepancy pattern; independent ones had 0.03
FLOOR = ((-60, -60, 0), (60, -60, 0), (60, 60, 0), (-60, 60, 0))
HALVES = ((0, 1, 2), (0, 2, 3))
RADIUS = 0.5


@pytest.fixture
def builder(tmp_path):
    return SceneBuilder(tmp_path)


def drawn(builder, camera, **options):
    scene = {"ambient_distance": 100.0, **options}
    planes = ("combined", "position", "object_id", "ambient_occlusion")
    return draw(builder, camera, samples=SAMPLES, planes=planes, scene=scene)


def under_a_sphere(builder, height=1.2, **options):
    """Look at a floor's lower side, which faces a sphere below it; give the picture and the closed form."""
    color = builder.material(base_color=(0.6, 0.3, 0.1), roughness=1.0, specular=0.0)
    floor = builder.mesh(FLOOR, HALVES, material=color)
    builder.neural(placed(0.0, 0.0, -height))
    camera = camera_at((4.0, 0.0, -1.5), (0.6, 0, 0), *SIZE, size_y=0.9)
    planes = drawn(builder, camera, **options)
    seen = planes["object_id"][..., 0] == floor
    away = np.linalg.norm(planes["position"][seen][:, :2], axis=1)
    covered = (
        RADIUS**2 * height / (height**2 + away**2) ** 1.5
    )  # of a sphere that is wholly in front of the floor
    return planes, seen, 1.0 - covered


def test_floor_under_a_neural_sphere_misses_its_form_factor(builder):
    planes, seen, expected = under_a_sphere(builder)
    share = planes["ambient_occlusion"][seen]
    assert seen.mean() > 0.3 and np.ptp(expected) > 0.1
    assert (share[:, 0] == share[:, 1]).all() and (share[:, 0] == share[:, 2]).all()
    assert np.abs(share[:, 0] - expected).max() < 2.5 * NOISE
    assert np.abs(share[:, 0] - expected).mean() < NOISE / 2.0


def test_what_is_farther_than_the_distance_does_not_count(builder):
    planes, seen, _ = under_a_sphere(builder, ambient_distance=1.2 - RADIUS - 0.05)
    assert (planes["ambient_occlusion"][seen] == 1.0).all()
    assert (planes["ambient_occlusion"][~seen & (planes["object_id"][..., 0] == 0)] == 0.0).all()


def test_its_light_is_factor_times_albedo_times_share(builder):
    planes, seen, _ = under_a_sphere(builder, ambient_factor=0.7)
    expected = 0.7 * np.array((0.6, 0.3, 0.1)) * planes["ambient_occlusion"][seen]
    inside = planes["combined"][seen][:, 3] == 1.0
    assert (
        np.abs(planes["combined"][seen][:, :3] - expected)[inside].mean() < 1e-3
    )  # samples on the sphere's edge


def test_without_a_factor_there_is_no_light(builder):
    planes, _, _ = under_a_sphere(builder)
    assert (planes["combined"][..., :3] == 0.0).all()


def test_floor_beside_a_wall_misses_its_form_factor(builder):
    height = 1.0
    floor = builder.mesh(FLOOR, HALVES)
    builder.mesh([(0, -60, 0), (0, 60, 0), (0, 60, height), (0, -60, height)], HALVES)
    camera = camera_at((1.01, 0.0, 4.0), (1.0, 0, 0), *SIZE, size_y=1.2)
    planes = drawn(builder, camera)
    away = planes["position"][..., 0]
    seen = (planes["object_id"][..., 0] == floor) & (away > 0.05)
    expected = 0.5 * (1.0 + away / np.hypot(away, height))[seen]
    assert seen.mean() > 0.8 and np.ptp(expected) > 0.2
    assert np.abs(planes["ambient_occlusion"][seen][:, 0] - expected).mean() < NOISE


def test_picture_of_several_tiles_holds_its_regions(builder):
    builder.mesh(FLOOR, HALVES)
    builder.neural(placed(0.0, 0.0, 0.7))
    size = (150, 70)  # tiles have 64 pixels a side
    camera = camera_at((3.0, 0.0, 2.0), (0, 0, 0), *size, size_y=2.0)
    prepared = prepare_scene(builder.scene(ambient_distance=5.0), SphereCache(builder.folder))

    def drawn_part(region):
        request = ViewRequest(
            camera=camera,
            width=size[0],
            height=size[1],
            region=region,
            planes=("ambient_occlusion",),
            samples=2,
        )
        return render_picture(prepared, request).planes["ambient_occlusion"]

    whole = drawn_part(None)
    assert set(np.unique(whole)) == {0.0, 0.5, 1.0}
    assert np.array_equal(drawn_part((40, 10, 140, 60)), whole[10:60, 40:140])


def test_impossible_numbers_are_refused(builder):
    with pytest.raises(SceneError, match="ambient occlusion"):
        under_a_sphere(builder, ambient_factor=np.nan)
