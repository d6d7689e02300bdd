"""The sign doctor against a suite of defects made by code: what they were before they were broken is known."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from engine.ground_truth.mesh import check_mesh, to_unit
from engine.ground_truth.sign_doctor import SHELL_HALF_THICKNESS, examine
from engine.ground_truth.signed_distance import SurfaceDistance
from tests.engine.defects import (
    DEFECTS,
    clean_shapes,
    doubled_shifted,
    four_holes,
    hole_in_one_piece,
    hole_turned_and_doubled,
    nested,
    with_a_sheet,
)
from tests.engine.shapes import mesh, winding_numbers

ROOT = Path(__file__).resolve().parents[2]
POINTS = np.random.default_rng(5).uniform(-1.0, 1.0, (20_000, 3))
SHAPES = clean_shapes(ROOT)


def kept(name, defect, seed=1):
    """Share of points in the box around the broken shape whose sign is that of the clean one."""
    clean = SHAPES[name]
    broken = to_unit(check_mesh(mesh(*defect(clean, seed))))
    matrix = broken.unit_from_object
    same = to_unit(check_mesh(mesh(clean.vertices, clean.faces)))
    places = (POINTS - matrix[:3, 3]) / broken.scale
    there = places * same.scale + same.unit_from_object[:3, 3]
    expected = SurfaceDistance(same, "normals").signed_distance(there) < 0.0
    found = examine(broken).truth.signed_distance(POINTS) < 0.0
    return float((expected == found).mean())


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
@pytest.mark.parametrize("name", list(SHAPES))
def test_defects_keep_the_signs_of_the_clean_shape(name, defect):
    assert kept(name, defect) >= 0.995  # what the project promises


def diagnosis_of(defect, name="torus", seed=1):
    return examine(to_unit(check_mesh(mesh(*defect(SHAPES[name], seed)))))


@pytest.mark.parametrize("defect", [hole_in_one_piece, doubled_shifted, hole_turned_and_doubled])
def test_the_chosen_sign_agrees_with_solid_angles_in_float64(defect):
    """The winding number of what was mended, summed triangle by triangle, against the tree or the normals."""
    clean = SHAPES["torus"]
    shape = to_unit(check_mesh(mesh(*defect(clean, 1))))
    truth = examine(shape).truth
    points = POINTS[:1500]
    numbers = winding_numbers(truth.mesh, points)
    if defect is not doubled_shifted:  # whose inner shell is no part of the surface any more
        assert np.abs(numbers - np.round(numbers)).max() < 1e-6  # closed: whole numbers everywhere
    distances = truth.signed_distance(points)
    clear = np.abs(distances) > 1e-4  # float32 coordinates
    assert np.array_equal((numbers > 0.5)[clear], (distances < 0.0)[clear]) and clear.mean() > 0.99


def test_a_gentle_hole_is_closed_by_carrying_the_surface_on_and_a_cut_pipe_flat():
    ball = diagnosis_of(hole_in_one_piece, "ball")
    assert (ball.findings["smooth_lids"], ball.findings["flat_lids"]) == (1, 0)
    lids = ball.truth.mesh.vertices[len(ball.truth.source.vertices) :]
    clean = SHAPES["ball"]
    there = (lids - ball.truth.mesh.unit_from_object[:3, 3]) / ball.truth.mesh.scale
    radii = np.linalg.norm(there, axis=1)
    assert np.abs(radii - np.linalg.norm(clean.vertices[0])).max() < 0.03  # a chord would miss it by 0.2
    pipe = trimesh.creation.cylinder(0.5, 2.0, 32)
    sides = np.abs(pipe.face_normals[:, 2]) < 0.5
    found = examine(to_unit(check_mesh(mesh(pipe.vertices, pipe.faces[sides]))))
    assert (found.findings["smooth_lids"], found.findings["flat_lids"]) == (0, 2)


def test_what_was_filled_is_kept_for_display():
    findings = diagnosis_of(four_holes, "ball").findings
    loops = findings["filled_loops_unit"]
    assert 1 <= len(loops) <= 4 and all(len(loop) % 3 == 0 and len(loop) <= 3 * 48 for loop in loops)
    rim = np.array(loops[0]).reshape(-1, 3)
    assert 0.1 < np.ptp(rim, axis=0).max() < 1.0  # of a hole of a fortieth of the area


def test_a_solid_inside_a_solid_leaves_no_wall():
    found = diagnosis_of(nested, "ball")
    assert found.findings["buried_faces"] > 100
    deep = found.truth.signed_distance(np.zeros((1, 3)))[0]
    assert deep == pytest.approx(-0.9, abs=0.01)  # to the outer ball alone


def test_a_sheet_beside_a_solid_becomes_a_shell_and_the_solid_stays_solid():
    found = diagnosis_of(with_a_sheet, "ball")
    assert found.truth.rule == "mixed" and found.findings["sheet_faces"] == 2
    assert any("thickness" in warning for warning in found.warnings)
    sheet = found.truth.source.triangles()[-2:].mean(axis=1)
    assert found.truth.signed_distance(sheet) == pytest.approx(-SHELL_HALF_THICKNESS, abs=2e-6)


def test_rims_torn_by_rounding_are_one_edge_again():
    clean = SHAPES["torus"]
    noise = 1e-6 * np.random.default_rng(0).standard_normal((3 * len(clean.faces), 3))
    shape = mesh(clean.triangles.reshape(-1, 3) + noise, np.arange(3 * len(clean.faces)).reshape(-1, 3))
    found = examine(to_unit(check_mesh(shape)))
    assert found.findings["open_edges"] == 0 and found.truth.rule == "normals"
