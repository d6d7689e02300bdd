"""Every kernel once, for NVIDIA's tools: `small` for compute-sanitizer, `large` for the profiler.

python -m tests.benchmarks._cuda_every_kernel small|large
"""

import dataclasses
import sys
import tempfile
from pathlib import Path

import numpy as np
import trimesh

from engine.cuda import launches
from engine.cuda.certification import DeviceBounder
from engine.cuda.choose import shared_session
from engine.cuda.layouts import WIDTHS
from engine.protocol.scene import Environment, Panorama, Texture
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
    *("object_id", "pass_index", "material_index", "ambient_occlusion"),
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


def scene(builder, shape):
    """Neural and native objects, a sun and the world's colour."""
    builder.neural(placed(0, 0, 0.2), weights=builder.bytes(shape))
    builder.trimesh(trimesh.creation.box((6.0, 6.0, 0.1)), world_from_object=placed(0, 0, -0.75))
    builder.light(type="SUN", world_from_light=placed(0.3, -0.2, 2.5))
    return {"world_color": (0.1, 0.1, 0.1)}


def everything(builder, shape):
    """All that a scene may hold: every kind of light, a picture on a mesh and around it, surfaces that let light through."""
    options, veil = scene(builder, shape), builder.material(alpha=0.4, roughness=0.3)
    for kind in ("POINT", "SPOT", "AREA"):
        builder.light(type=kind, world_from_light=placed(0.3, -0.2, 2.5))
    small = builder.bytes(octahedron(0.6).to_bytes())
    builder.neural(placed(0.8, 0.5, 0.0, scale=(0.5, 0.4, 0.7)), weights=small, material=veil)
    sphere = trimesh.creation.icosphere(subdivisions=2, radius=0.4)
    builder.trimesh(sphere, smooth=True, material=builder.material(holdout=True, alpha=0.7))
    pixels = np.random.default_rng(2).integers(0, 255, (6, 9, 3), np.uint8)
    for interpolation in ("LINEAR", "CLOSEST"):
        texture = Texture(picture=builder.blob(pixels), interpolation=interpolation)
        box, material = trimesh.creation.box((0.6, 0.6, 0.4)), builder.material(base_texture=texture)
        uvs = box.vertices[box.faces, :2]
        builder.mesh(box.vertices, box.faces, placed(-0.8, -0.5, -0.5), material, uvs=uvs)
    around = Environment(picture=builder.blob(pixels.astype(np.float32) / 255.0))
    return options | {"environment": around, "ambient_factor": 0.3}


def pictures(folder, build, shape, width, height, cameras, **options):
    """Draw a scene by several cameras; gives the planes of each picture."""
    builder = SceneBuilder(folder)
    prepared = prepare_scene(builder.scene(**build(builder, shape)), SceneCache(builder.folder))
    size = {"width": width, "height": height, "planes": PLANES}
    requests = [ViewRequest(camera=camera, **size, **options) for camera in cameras]
    return [render_picture(prepared, request).planes for request in requests]


def cameras_of_every_kind(width, height):
    """Sharp, through a lens, and panoramic."""
    linear = view(width, height)
    yield linear
    yield dataclasses.replace(linear, aperture=0.05, focus_distance=2.7)
    for kind in ("EQUIRECTANGULAR", "FISHEYE_EQUIDISTANT", "FISHEYE_EQUISOLID"):
        yield dataclasses.replace(linear, panorama=Panorama(kind=kind))


def large(session, folder):
    """What is to be fast, at its size: few launches, each of which the profiler repeats."""
    points = np.random.default_rng(0).uniform(-1, 1, (LARGE_POINTS, 3)).astype(np.float32)
    for width in (32, 64, 128):
        network = launches.DeviceNetwork(
            session, random_network(width=width, depth=8, activation="hard_gelu")
        )
        for half in (False, True):
            launches.evaluate(session, network, points, False, half)
    return pictures(folder, scene, SPOT.read_bytes(), 1920, 1080, [view(1920, 1080)], samples=1)


def small(session, folder):
    """Everything, at a size that the slowest of tools gets through in a minute."""
    evaluations_and_marches(session, 40)
    proof(session)
    size, gem = (24, 16), octahedron().to_bytes()
    found = pictures(folder, everything, gem, *size, cameras_of_every_kind(*size), samples=2)
    for threshold in (0.0, 0.01):  # opaque, and with pixels that settle, denoised
        settles = threshold > 0.0
        options = {"samples": 24 if settles else 1, "noise_threshold": threshold, "denoise": settles}
        found += pictures(folder, scene, gem, *size, [view(*size)], **options)
    return found


def main(arguments):
    session = shared_session()
    work = {"small": small, "large": large}[arguments[0]]
    with tempfile.TemporaryDirectory() as folder:
        planes = work(session, Path(folder))
    assert all(isinstance(found, DevicePlanes) for found in planes), "the CPU drew it"
    assert (planes[0]["object_id"] > 0).any()
    print("every kernel ran on", session.device.info.name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
