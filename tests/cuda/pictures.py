"""Scenes, and their pictures by the CPU renderer and by the kernels, run on the host; and how near these must be."""

from pathlib import Path

import numpy as np
import trimesh

import engine.rendering.scene
from engine.rendering.device_planes import DevicePlanes
from engine.rendering.renderer import SceneCache, ViewRequest, prepare_scene, render_picture
from engine.tracing.cpu import CpuTracer
from engine.tracing.cuda import CudaTracer
from tests import compare
from tests.cuda import fake_driver
from tests.engine.networks import octahedron
from tests.engine.scene_builder import camera_at, placed

SPOT = Path(__file__).resolve().parent.parent / "blender/data/spot.safetensors"
EYE, TARGET = (1.7, -2.6, 1.5), (0, 0, 0.1)
SIZE = (96, 64)
PLANES = (
    *("combined", "depth", "view_z", "normal", "position"),
    *("object_id", "pass_index", "material_index"),
)
EXACT = {"pass_index": 0.0, "material_index": 0.0}
LIGHTS = {
    "sun": {"type": "SUN", "energy": 2.0, "angle": 0.1},
    "point": {"type": "POINT", "energy": 150.0, "radius": 0.2, "world_from_light": placed(1.5, -2.0, 2.0)},
    "point of light": {"type": "POINT", "energy": 90.0, "world_from_light": placed(0.5, -2.5, 1.0)},
    "spot": {"type": "SPOT", "energy": 400.0, "spot_size": 0.9, "world_from_light": placed(0.2, -0.3, 3.0)},
    "area": {"type": "AREA", "energy": 100.0, "size": 1.5, "world_from_light": placed(0.4, -0.2, 2.5)},
    "ellipse": {
        "type": "AREA",
        "energy": 90.0,
        "shape": "ELLIPSE",
        "size": 1.0,
        "size_y": 2.0,
        "world_from_light": placed(0, 0, 2.5),
    },
    "narrow": {
        "type": "AREA",
        "energy": 40.0,
        "shape": "DISK",
        "size": 1.2,
        "spread": 0.8,
        "world_from_light": placed(0, 0, 2.5),
    },
    "without shadow": {
        "type": "POINT",
        "energy": 150.0,
        "cast_shadow": False,
        "world_from_light": placed(-1.5, -2.0, 2.0),
    },
}


def prepared(builder, scene, session, monkeypatch):
    """Prepare a scene for the CPU (no session) or for a device."""

    def make(weights, backend="auto", time=0.0):
        on_device = session is not None and backend == "auto"
        return CudaTracer(weights, session, time) if on_device else CpuTracer(weights, time=time)

    monkeypatch.setattr(engine.rendering.scene, "make_tracer", make)
    return prepare_scene(scene, SceneCache(builder.folder))


def both(
    builder,
    monkeypatch,
    session=None,
    world=(0.1, 0.12, 0.15),
    region=None,
    samples=1,
    camera=None,
    planes=PLANES,
    noise_threshold=0.0,
    denoise=False,
    **options,
):
    """Give the planes that the CPU draws of a scene and those that the kernels draw."""
    scene = builder.scene(world_color=world, **options)
    camera = camera or camera_at(EYE, TARGET, *SIZE, fov_y=0.75)
    request = ViewRequest(
        camera=camera,
        width=SIZE[0],
        height=SIZE[1],
        planes=planes,
        samples=samples,
        seed=3,
        region=region,
        noise_threshold=noise_threshold,
        denoise=denoise,
    )
    expected = render_picture(prepared(builder, scene, None, monkeypatch), request)
    on_device = prepared(builder, scene, session or fake_driver.session(), monkeypatch)
    actual = render_picture(on_device, request)
    assert isinstance(actual.planes, DevicePlanes) and actual.left_to_cpu == ""
    assert actual.samples == expected.samples
    return expected.planes, actual.planes


def check(expected, actual, flips=0.05):
    """Hits agree to 1e-6, so geometry agrees closely; a shadow's edge may fall on either side of a pixel's one sample."""
    ids = expected["object_id"], actual["object_id"]
    for name, tolerance in {"depth": 1e-5, "view_z": 1e-4, "position": 1e-4, **EXACT}.items():
        compare.difference(*ids, expected[name], actual[name], tolerance).check(tolerance, flips)
    inside = (expected["object_id"] > 0)[..., 0] & ~compare.silhouettes(*ids)
    turned = np.abs(expected["normal"] - actual["normal"]).max(axis=2)[inside]
    assert (turned > 1e-3).mean() < 5e-3  # a kink of a network or an edge of a mesh
    apart = np.abs(expected["combined"] - actual["combined"]).max(axis=2)
    assert np.quantile(apart[~compare.silhouettes(*ids)], 0.99) < 2e-3
    assert (apart > 2e-2).mean() < 1e-2
    assert expected["combined"][..., :3].std() > 0.01


def gem_on_a_floor(builder, **material):
    gem = builder.bytes(octahedron(0.6).to_bytes())
    builder.neural(placed(0, 0, 0.1), weights=gem, material=builder.material(**material))
    builder.trimesh(trimesh.creation.box((6.0, 6.0, 0.1)), world_from_object=placed(0, 0, -0.6))
    sphere = trimesh.creation.icosphere(subdivisions=2, radius=0.4)
    place = placed(-0.7, -0.8, -0.2)
    builder.trimesh(sphere, smooth=True, world_from_object=place, material=builder.material(**material))


def veils(builder):
    """Neural and native surfaces, some that let light through, one behind the other, over a floor."""
    spot = builder.bytes(octahedron(0.6).to_bytes())
    glass = builder.material(base_color=(0.2, 0.5, 0.9), alpha=0.3, emission=(0.05, 0.0, 0.0), pass_index=4)
    smoke = builder.material(base_color=(0.8, 0.3, 0.1), alpha=0.7, roughness=0.3, pass_index=6)
    builder.neural(placed(0.0, 0.0, 0.1), weights=spot, material=glass)
    builder.neural(placed(0.5, 0.7, 0.1), weights=spot, material=smoke)
    builder.neural(placed(-0.8, 0.5, 0.0, scale=(0.5, 0.4, 0.7)), weights=spot)
    builder.trimesh(trimesh.creation.box((6.0, 6.0, 0.1)), world_from_object=placed(0, 0, -0.65))
    sphere = trimesh.creation.icosphere(subdivisions=2, radius=0.4)
    builder.trimesh(sphere, smooth=True, world_from_object=placed(0.7, -0.9, -0.2), material=glass)
    builder.trimesh(sphere, world_from_object=placed(-0.7, -0.8, -0.2), material=smoke)
