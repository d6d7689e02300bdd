import itertools
from pathlib import Path

import numpy as np
import pytest
import trimesh
from click.testing import CliRunner

from engine.commands.mesh import command
from engine.conversion.proxy import INSET, proxy_mesh
from engine.errors import FitError, OptionError, OutputError
from engine.meshing.active_cells import active_cells, all_cells
from engine.meshing.cube_table import EDGES, FIRST_CENTRE, NUM_CASES, NUM_DECISIONS, cube_table
from engine.meshing.marching_cubes import extract, zero_set
from engine.network.field import Field
from engine.protocol.weights import Architecture, NeuralWeights
from engine.tracing.cpu import CpuTracer
from tests.engine.networks import from_arrays, octahedron, trained

SPOT = Path(__file__).parents[1] / "blender/data/spot.safetensors"


def as_trimesh(vertices, triangles):
    return trimesh.Trimesh(vertices, triangles, process=False)


def test_mesh_of_an_octahedron_has_its_volume_and_is_watertight():
    surface = zero_set(octahedron(0.7), 64)
    mesh = as_trimesh(surface.vertices_unit, surface.triangles)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(
        4.0 / 3.0 * 0.7**3, rel=0.01
    )  # edges and corners are cut off by a cell


@pytest.mark.parametrize(("activation", "resolution"), [("relu", 192), ("softplus", 96)])
def test_mesh_of_a_trained_network_lies_on_its_zero_set_and_faces_outward(activation, resolution):
    weights = trained(activation)
    surface = zero_set(weights, resolution)
    mesh = as_trimesh(surface.vertices_unit, surface.triangles)
    assert mesh.is_watertight
    assert np.abs(Field(weights).value(surface.vertices_unit)).mean() < 1e-5
    gradient = Field(weights).gradient(mesh.triangles_center)
    # cells across the edges of the ReLU network turn a few: 0.7 % of the faces at 96 cells a side, 0.3 % at 192
    assert ((mesh.face_normals * gradient).sum(axis=1) > 0.0).mean() > 0.99


def test_shape_that_leaves_the_box_is_closed_at_its_border():
    slab = from_arrays(Architecture(width=1, depth=1), [[[0, 0, 1.0]], [[1.0]]], [[1.0], [-1.0]])  # f = z
    surface = zero_set(slab, 16)
    assert as_trimesh(surface.vertices_unit, surface.triangles).is_watertight


def test_proxy_is_slightly_inside():
    weights = trained("relu")
    proxy = proxy_mesh(weights)
    values = Field(weights).value(proxy.vertices_unit)
    assert (values < 1e-3).mean() > 0.99
    assert values.min() > -3.0 * INSET  # the gradient is not 1 everywhere


def test_proxy_file_holds_its_arrays(tmp_path):
    proxy = proxy_mesh(octahedron())
    proxy.save(tmp_path / "proxy.npz")
    with np.load(tmp_path / "proxy.npz") as loaded:
        assert np.array_equal(loaded["vertices_unit"], proxy.vertices_unit)
        assert np.array_equal(loaded["triangles"], proxy.triangles)


def test_network_without_an_inside_has_no_mesh():
    empty = from_arrays(
        Architecture(width=4, depth=1), [np.zeros((4, 3)), np.zeros((1, 4))], [np.zeros(4), [0.5]]
    )
    with pytest.raises(FitError, match="no surface"):
        zero_set(empty, 32)


def test_resolution_out_of_range_is_an_error():
    with pytest.raises(OptionError, match="resolution"):
        zero_set(octahedron(), 4)


@pytest.mark.parametrize(("resolution", "grid"), [(96, 64), (100, 64), (128, 64), (128, 32), (40, 64)])
def test_mesh_is_that_of_the_full_grid_to_the_bit(resolution, grid):
    tracer = CpuTracer(NeuralWeights.load(SPOT), grid_resolution=grid)
    few, whole = extract(tracer, resolution), extract(tracer, resolution, all_cells(resolution))
    assert np.array_equal(few.triangles, whole.triangles)
    assert np.array_equal(few.vertices_unit, whole.vertices_unit)
    assert np.array_equal(few.normals, whole.normals)


def test_cells_looked_at_are_few_and_hold_the_surface():
    tracer = CpuTracer(NeuralWeights.load(SPOT))
    cells = active_cells(tracer, 256)
    assert len(cells) < 0.03 * 258**3  # 375,200 of 17 million; the surface itself passes 100,000
    assert (np.diff(cells) > 0).all()


def test_every_vertex_lies_on_an_edge_of_the_grid_and_on_the_zero_set():
    weights, resolution = NeuralWeights.load(SPOT), 64
    surface = zero_set(weights, resolution)
    grid = (surface.vertices_unit + 1.0) * 0.5 * resolution
    whole = (np.abs(grid - np.round(grid)) < 1e-9).sum(axis=1)
    assert (whole >= 2).all()  # so it is in its cell
    steepest = np.linalg.norm(Field(weights).gradient(surface.vertices_unit), axis=1).max()
    # crossings stay a ten-thousandth of an edge off its ends, which can be that far from the zero set
    assert (
        np.abs(Field(weights).value(surface.vertices_unit)).max()
        < 1e-4 * (2.0 / resolution) * steepest + 1e-6
    )


def test_normals_are_those_of_the_gradient():
    weights = NeuralWeights.load(SPOT)
    surface = zero_set(weights, 48)
    gradient = Field(weights).gradient(surface.vertices_unit)
    expected = gradient / np.linalg.norm(gradient, axis=1, keepdims=True)
    assert (surface.normals * expected).sum(axis=1).min() > 1.0 - 1e-5


@pytest.mark.parametrize("seed", range(6))
def test_mesh_of_noise_is_closed_and_two_faces_meet_at_each_edge(seed):
    """White noise at the corners has every case and every ambiguous face; it is closed at the border of the box."""
    from engine.meshing import cube_kernels as kernels

    side = 12
    values = np.random.default_rng(seed).normal(size=(side + 1,) * 3).astype(np.float32)
    values[[0, -1]] = values[:, [0, -1]] = values[:, :, [0, -1]] = 1.0
    table, cells = cube_table(), np.arange(side**3)
    corners, start = kernels.corners_of(cells, side)
    found = kernels.cases_of(cells, side, corners, start, values.ravel(), table.row, table.faces)
    triangles, ends = kernels.triangles_of(
        cells, side, corners, start, found, table.num_triangles, table.triangles, table.edges
    )
    directed = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    assert len(np.unique(directed, axis=0)) == len(directed)  # each edge once in a direction
    assert {tuple(e) for e in directed} == {tuple(e[::-1]) for e in directed}  # and once in the other
    used = ends[np.unique(triangles)]
    crossing = used[used[:, 0] >= 0]
    assert ((values.ravel()[crossing[:, 0]] < 0) != (values.ravel()[crossing[:, 1]] < 0)).all()
    assert (used[:, 0] < 0).any()  # a loop that needs a point in its middle is among them


def test_table_uses_each_crossed_edge_and_no_other():
    table = cube_table()
    for case, decision in itertools.product(range(NUM_CASES), range(NUM_DECISIONS)):
        row = table.row[case, decision]
        used = {
            e for e in table.triangles[row, : table.num_triangles[row]].ravel().tolist() if e < FIRST_CENTRE
        }
        crossed = {e for e, (axis, a) in enumerate(EDGES) if (case >> a & 1) != (case >> (a | 1 << axis) & 1)}
        assert used == crossed


def test_shape_all_around_the_border_is_closed_there():
    slab = from_arrays(Architecture(width=1, depth=1), [[[0, 0, 1.0]], [[1.0]]], [[1.0], [-1.0]])  # f = z
    for resolution in (16, 33):
        surface = zero_set(slab, resolution)
        mesh = as_trimesh(surface.vertices_unit, surface.triangles)
        # The lower half of the box; the crossing at z = 0 stays a ten-thousandth of a cell off a corner.
        assert mesh.is_watertight and mesh.volume == pytest.approx(4.0, rel=1e-4)


def test_hole_in_the_step_grid_is_found_through_its_neighbours():
    tracer = CpuTracer(NeuralWeights.load(SPOT))
    whole = extract(tracer, 64)
    cells = active_cells(tracer, 64)
    half = extract(tracer, 64, cells[: len(cells) // 2])
    assert np.array_equal(half.triangles, whole.triangles)


@pytest.mark.parametrize("kind", ["ply", "obj", "stl", "off", "glb", "npz"])
def test_mesh_files_are_in_object_units(tmp_path, kind):
    moved = np.diag([0.5, 0.5, 0.5, 1.0])
    moved[:3, 3] = (0.25, 0.0, 0.0)
    octahedron(0.7).with_description(unit_from_object=tuple(moved.ravel())).save(tmp_path / "a.safetensors")
    target = tmp_path / f"a.{kind}"
    result = CliRunner().invoke(
        command, [str(tmp_path / "a.safetensors"), "-o", str(target), "--resolution", "32"]
    )
    assert result.exit_code == 0, result.output
    if kind == "npz":
        with np.load(target) as arrays:
            vertices = arrays["vertices"]
    else:
        vertices = trimesh.load_mesh(target).vertices
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    # unit |x| < 0.7 is object -1.9 to 0.9; tips of the octahedron are cut off by up to a cell, 1/8 in object units
    assert low == pytest.approx([-1.9, -1.4, -1.4], abs=0.125) and high == pytest.approx(
        [0.9, 1.4, 1.4], abs=0.125
    )


def test_folder_of_weights_becomes_a_folder_of_meshes(tmp_path):
    source = tmp_path / "shapes"
    source.mkdir()
    for name in ("a", "b"):
        octahedron(0.5).save(source / f"{name}.safetensors")
    runner = CliRunner()
    arguments = [str(source), "-o", str(tmp_path / "out"), "--format", "ply", "--resolution", "16"]
    assert runner.invoke(command, arguments).exit_code == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.ply", "b.ply"]
    assert isinstance(
        runner.invoke(command, [str(source), "-o", str(tmp_path / "x.ply")]).exception, OptionError
    )
    bad = runner.invoke(command, [str(source / "a.safetensors"), "-o", str(tmp_path / "x.xyz")])
    assert isinstance(bad.exception, OutputError)


def test_moving_shape_is_meshed_at_its_time(tmp_path):
    # f = |x - t| + |y| + |z| - 0.4, with t as the fourth input
    first = np.array(
        [[1, 0, 0, -1], [-1, 0, 0, 1], [0, 1, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0], [0, 0, -1, 0]], float
    )
    weights = from_arrays(
        Architecture(inputs=4, width=6, depth=1), [first, np.ones((1, 6))], [np.zeros(6), [-0.4]]
    )
    weights.save(tmp_path / "moving.safetensors")
    for time in (0.0, 0.5):
        target = tmp_path / f"{time}.ply"
        arguments = [
            str(tmp_path / "moving.safetensors"),
            "-o",
            str(target),
            "--resolution",
            "32",
            "--time",
            str(time),
        ]
        assert CliRunner().invoke(command, arguments).exit_code == 0
        assert trimesh.load_mesh(target).centroid == pytest.approx([time, 0.0, 0.0], abs=0.02)
