"""Panoramic cameras and lenses, against what defines them."""

import dataclasses

import numpy as np
import pytest

from engine.errors import SceneError
from engine.protocol.scene import Camera, Panorama
from engine.rendering.camera import PixelCamera, look_at, orthographic, perspective
from engine.rendering.panorama import PanoramaCamera, make_camera

WIDTH, HEIGHT = 80, 40
EYE, TARGET = np.array([1.0, -3.0, 2.0]), np.array([0.5, 0.0, 0.5])
VIEW = look_at(EYE, TARGET)


def panorama(**settings):
    camera = Camera(view_from_world=VIEW, clip_from_view=VIEW, panorama=Panorama(**settings))
    return make_camera(camera, WIDTH, HEIGHT)


def view_directions(camera, x, y):
    rays = camera.rays(np.array(x, float), np.array(y, float))
    rotation = np.reshape(VIEW, (4, 4))[:3, :3]
    return rays.directions @ rotation.T, rays


def test_equirectangular_picture_turns_by_angles():
    camera = panorama()
    directions, rays = view_directions(camera, [40, 60, 20, 40, 40], [20, 20, 20, 30, 40])
    half = np.sqrt(0.5)
    expected = [(0, 0, -1), (1, 0, 0), (-1, 0, 0), (0, half, -half), (0, 1, 0)]
    assert directions == pytest.approx(np.array(expected), abs=1e-6)
    assert camera.view_z(rays.at(np.full(5, 2.0))) == pytest.approx(2.1)  # from the near distance, 0.1 m


@pytest.mark.parametrize("kind", ["FISHEYE_EQUIDISTANT", "FISHEYE_EQUISOLID"])
def test_fisheye_sees_its_angle_and_nothing_beyond(kind):
    lens, angle = 10.0, 1.0
    camera = panorama(kind=kind, fov=2.0 * angle, lens=lens, sensor=(36.0, 18.0))
    edge = 0.5 if kind == "FISHEYE_EQUIDISTANT" else 2.0 * lens * np.sin(angle / 2.0) / 36.0
    x = [40.0, (0.5 + 0.99 * edge) * WIDTH, (0.5 + 1.01 * edge) * WIDTH]
    directions, rays = view_directions(camera, x, [20.0] * 3)
    assert np.arccos(-directions[0, 2]) == pytest.approx(0.0, abs=1e-6)
    assert np.arccos(-directions[1, 2]) == pytest.approx(0.99 * angle, rel=0.01)
    assert rays.t_max[1] > 0.0 and rays.t_max[2] == 0.0


@pytest.mark.parametrize(
    "projection", [perspective(WIDTH, HEIGHT, 0.8, 0.1, 50.0), orthographic(WIDTH, HEIGHT, 4.0, 0.1, 50.0)]
)
def test_rays_through_a_lens_meet_in_focus_and_leave_the_lens(projection):
    focus, aperture = 3.0, 0.2
    camera = PixelCamera(
        Camera(view_from_world=VIEW, clip_from_view=projection, aperture=aperture, focus_distance=focus),
        WIDTH,
        HEIGHT,
    )
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, WIDTH, 50), rng.uniform(0, HEIGHT, 50)
    angle = rng.uniform(0, 2 * np.pi, 50)
    sharp, blurred = camera.rays(x, y), camera.rays(x, y, np.stack([np.cos(angle), np.sin(angle)], axis=1))

    def at_depth(rays, depth):
        near, rate = (
            camera.view_z(rays.origins),
            camera.view_z(rays.at(np.ones(50))) - camera.view_z(rays.origins),
        )
        return rays.at((depth - near) / rate)

    assert at_depth(blurred, focus) == pytest.approx(at_depth(sharp, focus), abs=1e-9)
    apart = np.linalg.norm(at_depth(blurred, 0.0) - at_depth(sharp, 0.0), axis=1)
    assert apart == pytest.approx(aperture, abs=1e-9)
    assert camera.view_z(blurred.origins) == pytest.approx(camera.view_z(sharp.origins), abs=1e-9)
    assert camera.view_z(blurred.at(blurred.t_max)) == pytest.approx(
        camera.view_z(sharp.at(sharp.t_max)), rel=1e-6
    )


def test_impossible_cameras_are_refused():
    good = Camera(view_from_world=VIEW, clip_from_view=perspective(WIDTH, HEIGHT, 0.8, 0.1, 50.0))
    with pytest.raises(SceneError, match="focus"):
        PixelCamera(dataclasses.replace(good, aperture=0.1, focus_distance=0.0), WIDTH, HEIGHT)
    with pytest.raises(SceneError, match="angles"):
        PanoramaCamera(good, Panorama(fov=float("nan")), WIDTH, HEIGHT)
