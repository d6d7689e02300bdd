"""Shading normals of a trained network against those of a dense mesh of its zero set."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from engine.meshing.marching_cubes import zero_set
from engine.protocol.weights import NeuralWeights
from engine.rendering.renderer import ViewRequest, prepare_scene, render_picture
from engine.rendering.scene import SceneCache
from tests.engine.scene_builder import SceneBuilder, camera_at

SPOT = Path(__file__).resolve().parents[1] / "blender/data/spot.safetensors"
SIZE = (240, 180)
LARGEST_ANGLE_DEG = 5.0
SHARE = 0.999  # of the pixels inside both silhouettes: no hole, no acne, no floating bit


def planes(builder, eye):
    request = ViewRequest(
        camera=camera_at(eye, (0, 0, 0), *SIZE, fov_y=0.7),
        width=SIZE[0],
        height=SIZE[1],
        region=None,
        planes=("normal", "object_id"),
        samples=1,
        seed=0,
    )
    prepared = prepare_scene(builder.scene(), SceneCache(builder.folder))
    return render_picture(prepared, request).planes


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    weights = NeuralWeights.load(SPOT)
    neural, native = (SceneBuilder(tmp_path_factory.mktemp(name)) for name in ("neural", "native"))
    neural.neural(
        weights.unit_from_object, weights=neural.bytes(SPOT.read_bytes())
    )  # world space is unit space
    surface = zero_set(weights, 256)
    dense = trimesh.Trimesh(
        surface.vertices_unit, surface.triangles, vertex_normals=surface.normals, process=False
    )
    native.trimesh(dense, smooth=True)
    return neural, native


@pytest.mark.parametrize("eye", [(1.4, 0.9, -2.0), (-2.2, 0.3, 1.2), (0.2, 2.5, 0.4)])
def test_normals_are_those_of_a_dense_mesh(both, eye):
    one, two = (planes(builder, eye) for builder in both)
    inside = (one["object_id"][..., 0] > 0) & (two["object_id"][..., 0] > 0)
    either = (one["object_id"][..., 0] > 0) | (two["object_id"][..., 0] > 0)
    assert inside.sum() > 3000
    cosine = (one["normal"] * two["normal"]).sum(axis=2)[inside]
    angle = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    assert (angle < LARGEST_ANGLE_DEG).mean() >= SHARE
    assert inside.sum() >= 0.995 * either.sum()  # a pixel of the silhouette may flip
