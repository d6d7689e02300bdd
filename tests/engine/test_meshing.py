import numpy as np
import pytest
import trimesh

from engine.errors import FitError, OptionError
from engine.field import Field
from engine.meshing import zero_set
from engine.protocol.weights import Architecture
from engine.proxy import INSET, proxy_mesh
from tests.engine.networks import from_arrays, octahedron, trained


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
