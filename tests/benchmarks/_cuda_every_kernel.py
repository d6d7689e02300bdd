"""Every kernel once, for NVIDIA's tools: `small` for compute-sanitizer, `large` for the profiler.

python -m tests.benchmarks._cuda_every_kernel small|large
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import trimesh

from engine.cuda import launches
from engine.cuda.certification import DeviceBounder
from engine.cuda.choose import shared_session
from engine.cuda.layouts import WIDTHS
from engine.protocol.weights import NeuralWeights
from engine.rendering.device_planes import DevicePlanes
from engine.rendering.renderer import SceneCache, ViewRequest, prepare_scene, render_picture
from engine.tracing.certified_network import certified_network
from engine.tracing.cuda import CudaTracer
from tests.benchmarks._cuda_parts import SPOT, view
from tests.engine.networks import octahedron, random_network
from tests.engine.scene_builder import SceneBuilder, placed
from tests.oracles import rays_towards_origin

PLANES = (
    *("combined", "depth", "view_z", "normal", "position"),
    *("object_id", "pass_index", "material_index"),
)
LARGE_POINTS = 1 << 22


def evaluations_and_marches(session, count):
    """All instances of the kernels, in both precisions, and any crossing as well as the first."""
    points = np.random.default_rng(0).uniform(-1.2, 1.2, (count, 3)).astype(np.float32)
    rays = (*rays_towards_origin(count), np.zeros(count), np.full(count, 1e9))
    for width in WIDTHS:
        weights = random_network(width=width, depth=3, activation="softplus", skips=(1,))
        for half in (False, True):
            tracer = CudaTracer(weights, session, grid_resolution=4, use_half=half)
            launches.evaluate(session, tracer.network, points, False, half)
            tracer.gradient(points)
            tracer.trace(*rays)
            tracer.occluded(*rays)


def proof(session):
    """A few blocks of cells, with bounds on slopes."""
    net = certified_network(NeuralWeights.load(SPOT))
    centres = np.random.default_rng(1).uniform(-0.5, 0.5, (200, 3)).astype(np.float32)
    first = np.array([0, 90, 90, 200], np.int64)
    out = [np.zeros(shape, np.float32) for shape in (200, 200, (200, 6), 200)]
    DeviceBounder(session, net)(centres[[0, 90, 199]], first, centres, 1 / 128, *out)
    assert np.isfinite(out[0]).all()


def picture(folder, shape, width, height):
    """Neural and native objects, every kind of light with shadows, the world, two samples, all planes."""
    builder = SceneBuilder(folder)
    builder.neural(placed(0, 0, 0.2), weights=builder.bytes(shape))
    builder.neural(
        placed(0.8, 0.5, 0.0, scale=(0.5, 0.4, 0.7)), weights=builder.bytes(octahedron(0.6).to_bytes())
    )
    builder.trimesh(trimesh.creation.box((6.0, 6.0, 0.1)), world_from_object=placed(0, 0, -0.75))
    builder.trimesh(trimesh.creation.icosphere(subdivisions=2, radius=0.4), smooth=True)
    for kind in ("SUN", "POINT", "SPOT", "AREA"):
        builder.light(type=kind, world_from_light=placed(0.3, -0.2, 2.5))
    prepared = prepare_scene(builder.scene(world_color=(0.1, 0.1, 0.1)), SceneCache(builder.folder))
    request = ViewRequest(camera=view(width, height), width=width, height=height, planes=PLANES, samples=2)
    return [render_picture(prepared, request).planes for _ in range(2)]


def main(arguments):
    session = shared_session()
    large = arguments[0] == "large"
    if large:
        for width in (32, 64, 128):
            network = launches.DeviceNetwork(
                session, random_network(width=width, depth=8, activation="hard_gelu")
            )
            points = np.random.default_rng(0).uniform(-1, 1, (LARGE_POINTS, 3)).astype(np.float32)
            for half in (False, True):
                launches.evaluate(session, network, points, False, half)
    else:
        evaluations_and_marches(session, 40)
        proof(session)
    with tempfile.TemporaryDirectory() as folder:
        planes = picture(
            Path(folder),
            SPOT.read_bytes() if large else octahedron().to_bytes(),
            *((1920, 1080) if large else (48, 32)),
        )
    assert all(isinstance(found, DevicePlanes) for found in planes), "the CPU drew it"
    assert (planes[0]["object_id"] > 0).any()
    print("every kernel ran on", session.device.info.name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
