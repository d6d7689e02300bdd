"""Rays, `view_z` and `depth` of linear cameras against their projection by the matrices."""

import numpy as np
import pytest

from engine.errors import SceneError
from engine.protocol.scene import IDENTITY, Camera
from engine.rendering.camera import PixelCamera, look_at, orthographic, perspective
from tests.engine.scene_builder import camera_at

WIDTH, HEIGHT = 40, 30
EYE, TARGET = (3.0, -4.0, 2.0), (0.2, 0.1, -0.3)
NEAR, FAR = 0.1, 100.0
# Float64 through an inverse whose condition is about far / near = 1e3: 1e-16 * 1e3, with room.
EXACT = 1e-11

CAMERAS = {
    "perspective": camera_at(EYE, TARGET, WIDTH, HEIGHT, near=NEAR, far=FAR),
    "orthographic": camera_at(EYE, TARGET, WIDTH, HEIGHT, size_y=3.0, near=NEAR, far=FAR),
}


def shifted():
    """A perspective camera with lens shift."""
    clip_from_view = np.array(perspective(WIDTH, HEIGHT, 0.7, NEAR, FAR)).reshape(4, 4)
    clip_from_view[0, 2], clip_from_view[1, 2] = 0.4, -0.2
    return Camera(
        view_from_world=look_at(np.array(EYE), np.array(TARGET)), clip_from_view=tuple(clip_from_view.ravel())
    )


def infinite():
    """A perspective camera whose far plane is at infinity."""
    clip_from_view = np.array(perspective(WIDTH, HEIGHT, 0.7, NEAR, FAR)).reshape(4, 4)
    clip_from_view[2, 2:] = -1.0, -2.0 * NEAR
    return Camera(
        view_from_world=look_at(np.array(EYE), np.array(TARGET)), clip_from_view=tuple(clip_from_view.ravel())
    )


ALL = {**CAMERAS, "shifted": shifted(), "infinite": infinite()}


def positions():
    return np.random.default_rng(0).uniform((0, 0), (WIDTH, HEIGHT), (200, 2)).T


def project(camera, points):
    clip = np.array(camera.clip_from_view).reshape(4, 4) @ np.array(camera.view_from_world).reshape(4, 4)
    homogeneous = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ clip.T
    return homogeneous[:, :3] / homogeneous[:, 3:]


@pytest.mark.parametrize("name", ALL)
def test_every_point_of_a_ray_projects_to_its_pixel(name):
    x, y = positions()
    rays = PixelCamera(ALL[name], WIDTH, HEIGHT).rays(x, y)
    for t in (0.0, 1.0, 20.0):
        ndc = project(ALL[name], rays.at(np.full(len(rays), t)))
        assert np.allclose((ndc[:, 0] + 1) / 2 * WIDTH, x, atol=1e-9)
        assert np.allclose((ndc[:, 1] + 1) / 2 * HEIGHT, y, atol=1e-9)


@pytest.mark.parametrize("name", ALL)
def test_rays_start_on_the_near_plane_and_have_length_one(name):
    camera = PixelCamera(ALL[name], WIDTH, HEIGHT)
    rays = camera.rays(*positions())
    assert np.allclose(np.linalg.norm(rays.directions, axis=1), 1.0, atol=1e-14)
    assert np.allclose(camera.view_z(rays.origins), NEAR, atol=EXACT)
    assert np.allclose(camera.depth(rays.origins), 0.0, atol=EXACT)


@pytest.mark.parametrize("name", ["perspective", "orthographic", "shifted"])
def test_rays_end_on_the_far_plane(name):
    camera = PixelCamera(ALL[name], WIDTH, HEIGHT)
    rays = camera.rays(*positions())
    ends = rays.at(rays.t_max)
    assert np.allclose(camera.view_z(ends), FAR, rtol=1e-9)
    assert np.allclose(camera.depth(ends), 1.0, atol=EXACT)


def test_rays_to_a_far_plane_at_infinity_never_end():
    assert np.isinf(PixelCamera(ALL["infinite"], WIDTH, HEIGHT).rays(*positions()).t_max).all()


def test_view_z_is_the_distance_to_the_camera_plane_not_to_the_eye():
    camera = PixelCamera(CAMERAS["perspective"], WIDTH, HEIGHT)
    rays = camera.rays(*positions())
    points = rays.at(np.full(len(rays), 5.0))
    forward = (np.array(TARGET) - EYE) / np.linalg.norm(np.array(TARGET) - EYE)
    assert np.allclose(camera.view_z(points), (points - EYE) @ forward, atol=EXACT)


def test_depth_of_a_perspective_camera_is_its_closed_form():
    camera = PixelCamera(CAMERAS["perspective"], WIDTH, HEIGHT)
    points = camera.rays(*positions()).at(np.linspace(0.0, 90.0, 200))
    expected = FAR / (FAR - NEAR) * (1.0 - NEAR / camera.view_z(points))
    assert np.allclose(camera.depth(points), expected, atol=EXACT)


def test_depth_of_an_orthographic_camera_is_linear():
    camera = PixelCamera(CAMERAS["orthographic"], WIDTH, HEIGHT)
    points = camera.rays(*positions()).at(np.linspace(0.0, 90.0, 200))
    assert np.allclose(camera.depth(points), (camera.view_z(points) - NEAR) / (FAR - NEAR), atol=EXACT)


def test_orthographic_rays_are_parallel_and_a_picture_height_apart():
    rays = PixelCamera(CAMERAS["orthographic"], WIDTH, HEIGHT).rays(
        np.array([0.0, 0.0]), np.array([0.0, HEIGHT])
    )
    assert np.allclose(rays.directions[0], rays.directions[1], atol=1e-14)
    assert np.linalg.norm(rays.origins[1] - rays.origins[0]) == pytest.approx(3.0)


def test_a_camera_that_looks_straight_down_has_y_up():
    camera = Camera(
        view_from_world=look_at(np.array([0.0, 0.0, 5.0]), np.zeros(3)),
        clip_from_view=orthographic(WIDTH, HEIGHT, 3.0, NEAR, FAR),
    )
    rays = PixelCamera(camera, WIDTH, HEIGHT).rays(np.array([20.0, 40.0]), np.array([30.0, 15.0]))
    assert np.allclose(rays.origins, [[0.0, 1.5, 4.9], [2.0, 0.0, 4.9]])


@pytest.mark.parametrize(
    ("camera", "size"),
    [
        (Camera(view_from_world=IDENTITY, clip_from_view=(0.0,) * 16), (4, 4)),
        (Camera(view_from_world=(float("nan"),) * 16, clip_from_view=IDENTITY), (4, 4)),
        (Camera(view_from_world=IDENTITY[:15], clip_from_view=IDENTITY), (4, 4)),
        (CAMERAS["perspective"], (0, 4)),
        (CAMERAS["perspective"], (4, 1 << 20)),
    ],
    ids=["no inverse", "not a number", "15 numbers", "no pixels", "too many pixels"],
)
def test_a_camera_that_cannot_be_used_is_refused(camera, size):
    with pytest.raises(SceneError):
        PixelCamera(camera, *size)
