"""Ground truth against closed forms, a float64 winding number, and the doctor's choice of a sign."""

import numpy as np
import pytest
import trimesh

from engine.errors import DeviceError
from engine.ground_truth.sign_doctor import SHELL_HALF_THICKNESS, examine
from engine.ground_truth.signed_distance import SurfaceDistance, use_device
from tests.engine.shapes import box, from_trimesh, mesh, sheet, sphere, triangle, unit, winding_numbers

ROUNDING = 2e-6  # float32 coordinates up to 1, a handful of operations


def box_distance(points, half):
    q = np.abs(points) - half
    return np.linalg.norm(np.maximum(q, 0.0), axis=1) + np.minimum(q.max(axis=1), 0.0)


@pytest.mark.parametrize("rule", ["winding", "normals"])
def test_signed_distance_of_cube_matches_closed_form(rule):
    cube = unit(box())
    points = np.random.default_rng(1).uniform(-1.0, 1.0, (100_000, 3))
    expected = box_distance(points, cube.vertices.max())
    assert SurfaceDistance(cube, rule).signed_distance(points) == pytest.approx(expected, abs=ROUNDING)


def test_known_reach_and_number_of_threads_change_nothing():
    cube = unit(box())
    points = np.random.default_rng(2).uniform(-1.0, 1.0, (100_000, 3))
    plain = SurfaceDistance(cube, threads=1).signed_distance(points)
    assert np.array_equal(plain, SurfaceDistance(cube, threads=3).signed_distance(points))
    assert np.array_equal(plain, SurfaceDistance(cube).signed_distance(points, np.abs(plain) + 1e-4))


@pytest.mark.parametrize("rule", ["winding", "normals"])
def test_copies_of_the_arrays_as_on_a_gpu_change_nothing(rule):
    cube = unit(box())
    points = np.random.default_rng(2).uniform(-1.0, 1.0, (100_000, 3))
    truth, copying = SurfaceDistance(cube, rule), SurfaceDistance(cube, rule)
    copying._shared = False
    assert np.array_equal(truth.signed_distance(points), copying.signed_distance(points))
    for one, other in zip(truth.nearest(points), copying.nearest(points)):
        assert np.array_equal(one, other)


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(DeviceError, match="no device cuda:7"):
        use_device("cuda:7")
    use_device("cpu")


def test_distance_up_to_a_limit_is_the_distance_or_the_limit():
    truth = examine(unit(sphere())).truth
    points = np.random.default_rng(6).uniform(-1.0, 1.0, (5000, 3)).astype(np.float32)
    exact, limited = truth.nearest(points)[0], truth.distance_up_to(0.1, points)
    assert 0.05 < (exact < 0.1).mean() < 0.95
    assert np.array_equal(limited, np.minimum(exact, np.float32(0.1)))


def test_a_reach_that_is_too_short_is_searched_again():
    cube = unit(box())
    points = np.random.default_rng(3).uniform(-1.0, 1.0, (1000, 3))
    truth = SurfaceDistance(cube)
    assert np.array_equal(truth.signed_distance(points, np.full(1000, 1e-3)), truth.signed_distance(points))


def defects():
    ball, small = trimesh.creation.icosphere(3), trimesh.creation.icosphere(2, radius=0.5)
    turned = ball.faces.copy()
    chosen = np.random.default_rng(4).random(len(turned)) < 0.3
    turned[chosen] = turned[chosen][:, ::-1]
    pins = trimesh.creation.icosahedron().vertices  # twelve, 1 % of the area each
    middle = ball.triangles_center
    other = ball.copy()
    other.apply_translation([0.9, 0.0, 0.0])
    return {
        "holes of 10 %": mesh(ball.vertices, ball.faces[(middle @ pins.T).max(axis=1) < 0.98]),
        "30 % turned": mesh(ball.vertices, turned),
        "inside out": mesh(ball.vertices, ball.faces[:, ::-1]),
        "twice": mesh(ball.vertices, np.vstack([ball.faces, ball.faces])),
        "nested": from_trimesh(trimesh.util.concatenate([ball, small])),
        "overlapping": from_trimesh(trimesh.util.concatenate([ball, other])),
        "soup": mesh(ball.triangles.reshape(-1, 3), np.arange(3 * len(ball.faces)).reshape(-1, 3)),
    }


@pytest.mark.parametrize("name", list(defects()))
def test_defects_keep_the_signs_of_the_clean_shape(name):
    shape = unit(defects()[name])
    points = np.random.default_rng(5).uniform(-1.0, 1.0, (20_000, 3))
    signs = examine(shape).truth.signed_distance(points) < 0.0
    place = (points - shape.unit_from_object[:3, 3]) / shape.scale
    clean = np.linalg.norm(place, axis=1) < 1.0
    if name == "overlapping":
        clean |= np.linalg.norm(place - [0.9, 0.0, 0.0], axis=1) < 1.0
    assert (signs == clean).mean() > 0.995  # what the project promises; facets and lids take 0.3 % of the box


@pytest.mark.parametrize("name", ["holes of 10 %", "nested", "overlapping"])
def test_winding_sign_agrees_with_solid_angles_in_float64(name):
    shape = unit(defects()[name])
    points = np.random.default_rng(6).uniform(-1.0, 1.0, (2000, 3))
    numbers = winding_numbers(shape, points)
    clear = np.abs(numbers - 0.5) > 0.02  # the tree's approximation of far triangles
    signs = SurfaceDistance(shape, "winding").signed_distance(points) < 0.0
    assert np.array_equal(signs[clear], numbers[clear] > 0.5) and clear.mean() > 0.95


def test_a_cavity_stays_hollow():
    ball, hole = trimesh.creation.icosphere(3), trimesh.creation.icosphere(3, radius=0.5)
    shape = unit(
        mesh(np.vstack([ball.vertices, hole.vertices]), np.vstack([ball.faces, hole.faces[:, ::-1] + 642]))
    )
    diagnosis = examine(shape)
    assert diagnosis.truth.signed_distance(np.zeros((1, 3)))[0] > 0.4
    assert diagnosis.findings["turned_parts"] == 0


def test_a_clean_shape_takes_the_cheap_sign_without_a_warning():
    diagnosis = examine(unit(sphere()))
    assert diagnosis.truth.rule == "normals" and diagnosis.warnings == ()


@pytest.mark.parametrize("shape", [triangle(), sheet()], ids=["triangle", "sheet"])
def test_a_surface_without_an_inside_becomes_a_shell_and_says_so(shape):
    diagnosis = examine(unit(shape))
    assert diagnosis.truth.rule == "shell" and "thickness" in diagnosis.warnings[0]
    middle = diagnosis.truth.mesh.triangles().mean(axis=1)
    assert diagnosis.truth.signed_distance(middle) == pytest.approx(-SHELL_HALF_THICKNESS, abs=ROUNDING)


def test_open_edges_are_reported():
    diagnosis = examine(unit(defects()["holes of 10 %"]))
    assert "open edges" in diagnosis.warnings[0] and "12 holes" in diagnosis.warnings[0]
    assert diagnosis.findings["lid_faces"] > 0 and len(diagnosis.findings["filled_loops_unit"]) == 12
