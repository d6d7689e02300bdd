"""The suite is what its list says, to the last bit, and its closed shapes are closed."""

import numpy as np
import pytest

from engine.ground_truth.mesh import check_mesh, to_unit
from engine.ground_truth.sign_doctor import examine
from engine.ground_truth.topology import topology
from tests.shapes.families import FAMILIES, NAMES, entry, listed, shape

CLOSED = ("solids", "cad", "high-genus", "nested", "text", "curves", "plants", "relief", "assemblies")


def test_there_are_a_hundred_shapes_of_ten_families_or_more():
    assert len(NAMES) >= 100 and len(FAMILIES) >= 10
    assert len(NAMES) == sum(len(shapes) for shapes in FAMILIES.values())  # no name twice
    assert set(listed()) == set(NAMES)


@pytest.mark.parametrize("family", list(FAMILIES))
def test_shapes_have_the_hashes_of_the_list(family):
    expected = listed()
    for name in FAMILIES[family]:
        assert entry(name) == expected[name], name


@pytest.mark.parametrize("family", CLOSED)
def test_shapes_of_closed_families_are_closed_and_face_outward(family):
    for name in FAMILIES[family]:
        mesh = check_mesh(shape(name))
        assert topology(mesh.faces).num_open_edges == 0, name
        a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
        assert np.einsum("ij,ij->i", a, np.cross(b, c)).sum() > 0.0, name


@pytest.mark.parametrize(
    ("name", "rule"),
    [("sheet", "shell"), ("moebius", "shell"), ("curtain", "shell"), ("cup", "normals"), ("pipe", "normals")],
)
def test_open_shapes_get_the_inside_that_a_person_sees(name, rule):
    assert examine(to_unit(check_mesh(shape(name)))).truth.rule == rule


def test_a_cavity_is_outside_and_a_solid_in_a_solid_is_not():
    hollow = examine(to_unit(check_mesh(shape("onion")))).truth
    # beside the centre: right in it all vertices are equally near, and the sign of a normal there is chance
    places = np.array([[0.01, 0.02, 0.03], [0.36, 0.0, 0.0], [0.5, 0.0, 0.0], [0.7, 0.0, 0.0]])
    assert list(hollow.signed_distance(places) < 0.0) == [True, False, True, False]
    filled = examine(to_unit(check_mesh(shape("solid-in-solid")))).truth
    assert filled.signed_distance(places[:1])[0] == pytest.approx(-0.9 + np.linalg.norm(places[0]), abs=0.01)
