"""The rays of a view: every pixel's passes through what the view's matrices put there, with the depth that they give it."""

import numpy as np
import pytest
from neural_implicit.addon.solid_view.rays import WHOLE_VIEW, rays_of

BOX = np.array([[-0.5, -0.8, -0.9], [0.5, 0.8, 0.7]])


def perspective(near=0.01, far=1000.0, shift=(0.1, -0.2)):
    x, y = 2.4, 3.9
    return np.array(
        [
            [x, 0, shift[0], 0],
            [0, y, shift[1], 0],
            [0, 0, -(far + near) / (far - near), -2 * far * near / (far - near)],
            [0, 0, -1, 0],
        ]
    )


def orthographic(near=-1000.0, far=1000.0):
    return np.array(
        [
            [0.4, 0, 0, 0.1],
            [0, 0.7, 0, -0.2],
            [0, 0, -2 / (far - near), -(far + near) / (far - near)],
            [0, 0, 0, 1],
        ]
    )


def view_matrix(distance):
    rng = np.random.default_rng(4)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    view = np.eye(4)
    view[:3, :3], view[2, 3] = turn, -distance
    return view


WORLDS = {
    "plain": np.diag([1.2, 1.2, 1.2, 1.0]),
    "mirrored": np.array([[-1.2, 0.3, 0, 0.4], [0, 0.5, 0.1, -0.2], [0, 0, 2.0, 0.3], [0, 0, 0, 1.0]]),
}


def rays_of_one(view, window, world_from_unit, box):
    (rays,) = rays_of(view, window, world_from_unit[None], box[None])
    return rays


@pytest.mark.parametrize("window", [perspective(), orthographic()], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("world", WORLDS)
def test_points_lie_on_their_pixels_rays_at_their_depth(window, world):
    view, world_from_unit = view_matrix(6.0), WORLDS[world]
    rays = rays_of_one(view, window, world_from_unit, BOX)
    points = np.random.default_rng(6).uniform(-0.9, 0.9, (200, 3))
    clip = np.column_stack([points, np.ones(200)]) @ (window @ view @ world_from_unit).T
    x, y, z = (clip[:, :3] / clip[:, 3:]).T
    basis = np.column_stack([np.ones(200), x, y])
    origin, direction = basis @ rays.origin, basis @ rays.direction
    s = ((points - origin) * direction).sum(axis=1) / (direction**2).sum(axis=1)
    assert np.abs(origin + s[:, None] * direction - points).max() < 1e-9
    a, b, shift = rays.depth
    ndc = a + b / (s + shift) if rays.is_perspective else a + b * (s + shift)
    assert np.abs(ndc - z).max() < 1e-9
    assert (s > rays.limits[0]).all() and (s < rays.limits[1]).all()


@pytest.mark.parametrize("window", [perspective(), orthographic()], ids=["perspective", "orthographic"])
def test_limits_are_the_clipping_planes(window):
    rays = rays_of_one(view_matrix(6.0), window, np.eye(4), BOX)
    a, b, shift = rays.depth
    ends = [a + b / (s + shift) if rays.is_perspective else a + b * (s + shift) for s in rays.limits]
    assert np.allclose(ends, [-1.0, 1.0], atol=1e-9)


def test_rectangle_holds_the_box_and_is_the_view_where_the_camera_is_in_it():
    view, window = view_matrix(6.0), perspective()
    rays = rays_of_one(view, window, np.eye(4), BOX)
    points = np.random.default_rng(7).uniform(BOX[0], BOX[1], (500, 3))
    clip = np.column_stack([points, np.ones(500)]) @ (window @ view).T
    place = clip[:, :2] / clip[:, 3:]
    x0, y0, x1, y1 = rays.rectangle
    inside = np.abs(place).max(axis=1) < 1.0
    assert inside.any()
    assert (place[inside] >= (x0, y0)).all() and (place[inside] <= (x1, y1)).all()
    assert rays_of_one(view_matrix(0.3), window, np.eye(4), BOX).rectangle == WHOLE_VIEW


def test_normals_turn_as_surfaces_do():
    view, world = view_matrix(6.0), WORLDS["mirrored"]
    rays = rays_of_one(view, perspective(), world, BOX)
    normal, along = np.array([0.3, 0.5, -0.7]), np.array([0.7, 0.0, 0.3])  # perpendicular
    assert abs((rays.view_from_normal @ normal) @ ((view @ world)[:3, :3] @ along)) < 1e-9


def test_of_several_shapes_one_around_the_camera_each_has_its_own():
    view, window = view_matrix(6.0), perspective()
    around = np.linalg.inv(view) @ np.diag([2.0, 2.0, 2.0, 1.0])  # the camera is in its middle
    worlds = np.stack([*WORLDS.values(), around])
    boxes = np.stack([BOX, 0.5 * BOX, BOX])
    found = rays_of(view, window, worlds, boxes)
    assert found[2].rectangle == WHOLE_VIEW and found[0].rectangle != WHOLE_VIEW
    for rays, world, box in zip(found, worlds, boxes):
        alone = rays_of_one(view, window, world, box)
        assert np.allclose(rays.origin, alone.origin) and np.allclose(rays.direction, alone.direction)
        assert np.allclose(rays.rectangle, alone.rectangle) and np.allclose(rays.limits, alone.limits)
    assert rays_of(view, window, np.zeros((0, 4, 4)), np.zeros((0, 2, 3))) == []
