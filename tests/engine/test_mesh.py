"""Meshes in: what is refused and with which words, what is put right, and the move into unit space."""

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import MeshError, MeshFileError
from engine.ground_truth.enclosing_ball import enclosing_ball
from engine.ground_truth.mesh import UNIT_RADIUS, check_mesh, to_unit
from engine.ground_truth.mesh_files import load_mesh
from tests.engine.shapes import box, mesh, sphere, triangle


@pytest.mark.parametrize("kind", ["obj", "stl", "ply", "off", "glb", "3mf"])
def test_every_kind_of_file_gives_the_same_surface(tmp_path, kind):
    source = trimesh.creation.box((1.0, 2.0, 3.0))
    path = tmp_path / f"box.{kind}"
    source.export(path)
    loaded = check_mesh(load_mesh(path))
    assert len(loaded.faces) == 12 and len(loaded.vertices) == 8
    extent = np.sort(np.ptp(loaded.vertices, axis=0))
    assert extent == pytest.approx([1.0, 2.0, 3.0], rel=1e-6)  # stl and glb hold float32


def test_parts_of_a_scene_are_placed_before_they_are_joined(tmp_path):
    scene = trimesh.Scene()
    shift = trimesh.transformations.translation_matrix([5.0, 0.0, 0.0])
    scene.add_geometry(trimesh.creation.box((1, 1, 1)))
    scene.add_geometry(trimesh.creation.box((1, 1, 1)), transform=shift)
    scene.export(tmp_path / "two.glb")
    loaded = load_mesh(tmp_path / "two.glb")
    assert np.ptp(loaded.vertices[:, 0]) == pytest.approx(6.0)


def test_an_obj_keeps_its_vertices_where_its_uv_map_has_seams(tmp_path):
    corners = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 1 1 0\n"
    (tmp_path / "a.obj").write_text(corners + "vt 0 0\nvt 1 0\nvt 1 1\nf 1/1 2/2 3/3\nf 3/1 2/3 4/2\n")
    mesh = load_mesh(tmp_path / "a.obj")
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]
    assert mesh.faces.tolist() == [[0, 1, 2], [2, 1, 3]]


def test_npz_of_the_add_on_keeps_its_name(tmp_path):
    shape = sphere(1)
    np.savez(
        tmp_path / "a.npz", vertices=shape.vertices, triangles=shape.faces.astype(np.int32), name="Suzanne"
    )
    loaded = load_mesh(tmp_path / "a.npz")
    assert loaded.name == "Suzanne" and np.array_equal(loaded.vertices, shape.vertices)


@pytest.mark.parametrize("name", ["missing.obj", "missing.npz"])
def test_missing_file_is_named(tmp_path, name):
    with pytest.raises(MeshFileError, match="not there"):
        load_mesh(tmp_path / name)


@pytest.mark.parametrize("name", ["a.txt", "a", "a.blend"])
def test_unknown_kind_lists_the_known_ones(tmp_path, name):
    (tmp_path / name).write_bytes(b"something")
    with pytest.raises(MeshFileError, match=r"unknown kind.*obj, stl"):
        load_mesh(tmp_path / name)


@pytest.mark.parametrize("kind", ["obj", "stl", "ply", "off", "glb", "3mf", "npz"])
def test_empty_file_is_called_empty(tmp_path, kind):
    (tmp_path / f"a.{kind}").touch()
    with pytest.raises(MeshFileError, match="is empty"):
        load_mesh(tmp_path / f"a.{kind}")


@pytest.mark.parametrize("kind", ["stl", "ply", "off", "glb", "3mf", "npz"])
def test_truncated_file_is_refused(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    if kind == "npz":
        shape = sphere(2)
        np.savez(path, vertices=shape.vertices, triangles=shape.faces, name="a")
    else:
        trimesh.creation.icosphere(2).export(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MeshFileError, match="export the mesh again"):
        load_mesh(path)


def test_truncated_obj_whose_faces_name_missing_vertices_is_refused(tmp_path):
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nf 1 2 3\n")
    with pytest.raises(MeshFileError):
        load_mesh(tmp_path / "a.obj")


def test_npz_with_faces_out_of_range_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", vertices=np.zeros((2, 3)), triangles=np.array([[0, 1, 2]]), name="a")
    with pytest.raises(MeshFileError, match="vertices it does not hold"):
        load_mesh(tmp_path / "a.npz")


def test_loose_edges_are_no_surface(tmp_path):
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nl 1 2\n")
    with pytest.raises(MeshError, match="no faces"):
        check_mesh(load_mesh(tmp_path / "a.obj"))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_coordinates_in_use_must_be_finite(bad):
    shape = box()
    shape.vertices[3, 1] = bad
    with pytest.raises(MeshError, match=r"1 vertices in use.*not finite"):
        check_mesh(shape)


def test_loose_vertices_that_are_not_finite_are_left_out_with_a_warning():
    shape = box()
    loose = mesh(np.vstack([shape.vertices, [np.nan] * 3]), shape.faces)
    checked = check_mesh(loose)
    assert len(checked.vertices) == 8 and "left out" in checked.warnings[0]


def test_scale_of_zero_has_no_area_or_extent():
    shape = box()
    with pytest.raises(MeshError, match="no area"):
        check_mesh(mesh(shape.vertices * [1.0, 0.0, 0.0], shape.faces))
    with pytest.raises(MeshError, match="no extent"):
        check_mesh(mesh(shape.vertices * 0.0, shape.faces))


@pytest.mark.parametrize("size", [1e8, 1.0, 1e-8])
def test_size_does_not_matter_in_unit_space(size):
    moved = mesh(box().vertices * size + 3.0 * size, box().faces)
    unit = to_unit(check_mesh(moved))
    assert np.linalg.norm(unit.vertices, axis=1) == pytest.approx(np.full(8, UNIT_RADIUS), abs=1e-12)
    back = (unit.vertices - unit.unit_from_object[:3, 3]) / unit.scale
    assert back == pytest.approx(check_mesh(moved).vertices, rel=1e-12)  # float64 rounding, a few times


def test_coordinates_far_from_the_origin_keep_their_shape():
    far = mesh(box().vertices + 1e8, box().faces)
    unit = to_unit(check_mesh(far))
    # 1e8 leaves a spacing of 1.5e-8 between float64 numbers
    assert np.linalg.norm(unit.vertices, axis=1) == pytest.approx(np.full(8, UNIT_RADIUS), abs=1e-7)


@given(st.integers(0, 10_000), st.integers(1, 40))
def test_enclosing_ball_holds_all_points_and_is_the_smallest(seed, count):
    points = np.random.default_rng(seed).standard_normal((count, 3))
    centre, radius = enclosing_ball(points)
    distances = np.linalg.norm(points - centre, axis=1)
    assert distances.max() <= radius * (1.0 + 1e-9) + 1e-12
    # the smallest ball's centre is a mean of its touching points: no half space holds them all strictly
    touching = points[distances > radius * (1.0 - 1e-6)] - centre
    directions = np.random.default_rng(seed + 1).standard_normal((64, 3))
    if radius > 1e-9:
        assert ((touching @ directions.T).max(axis=0) >= -1e-6 * radius).all()


def test_equal_corners_of_a_soup_become_one_vertex():
    shape = sphere(2)
    soup = mesh(shape.vertices[shape.faces].reshape(-1, 3), np.arange(3 * len(shape.faces)).reshape(-1, 3))
    assert len(check_mesh(soup).vertices) == len(shape.vertices)


def test_one_triangle_passes_the_check():
    assert len(check_mesh(triangle()).faces) == 1
