"""The neural spot that pictures are tested with, and a dense mesh of its zero set in its place.

`data/spot.safetensors` is `python -m engine convert examples/spot.obj --preset draft`.
"""

import numpy as np

from engine.conversion.proxy import proxy_mesh
from engine.meshing.marching_cubes import zero_set
from engine.protocol.weights import NeuralWeights
from tests.blender.harness.blenders import ROOT

WEIGHTS = ROOT / "tests/blender/data/spot.safetensors"
RESOLUTION = (
    256  # of the dense mesh; its faces are within (2 / 256)^2 / 8 / radius of the zero set: 1e-4 at 0.1
)


def neural_spot(folder, weights=WEIGHTS):
    """Give the arguments with which `scripts/spot_scene.py` builds the neural spot, or another shape in its place."""
    path = folder / "spot.proxy.npz"
    proxy_mesh(NeuralWeights.from_bytes(weights.read_bytes())).save(path)
    return {"weights": str(weights), "proxy": str(path)}


def dense_spot(folder, weights=WEIGHTS):
    """Give the arguments with which `scripts/spot_scene.py` builds the mesh instead."""
    weights = NeuralWeights.from_bytes(weights.read_bytes())
    surface = zero_set(weights, RESOLUTION)
    object_from_unit = np.linalg.inv(np.reshape(weights.unit_from_object, (4, 4)))
    vertices = surface.vertices_unit @ object_from_unit[:3, :3].T + object_from_unit[:3, 3]
    path = folder / "spot.dense.npz"
    np.savez(path, vertices=vertices.astype(np.float32), triangles=surface.triangles)
    return {"dense": str(path)}
