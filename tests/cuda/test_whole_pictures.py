"""All that a scene may hold, drawn by the kernels, run on the host, against the CPU renderer's pictures.

Ambient occlusion, lenses, textures, noise thresholds, panoramas, surroundings, and surfaces that let light through.
"""

import dataclasses

import numpy as np
import pytest
import trimesh

from engine.cuda.errors import DeviceMemoryError
from engine.protocol.scene import Camera, Environment, Panorama, Texture
from engine.rendering import (
    camera as cameras,
)
from engine.rendering import (
    device_noise,
    device_tile,
    neural_geometry,
    noise,
    renderer,
    shading,
    shadow_origins,
    surfaces,
    transmission,
    transparency,
)
from engine.rendering.device_planes import DevicePlanes
from engine.rendering.renderer import ViewRequest, render_picture, render_rounds
from tests import compare
from tests.cuda import fake_driver, host_twin
from tests.cuda.pictures import (
    EYE,
    LIGHTS,
    PLANES,
    SIZE,
    TARGET,
    both,
    check,
    gem_on_a_floor,
    prepared,
    veils,
)
from tests.engine.networks import octahedron
from tests.engine.scene_builder import camera_at, flat, placed

ALL_PLANES = (*PLANES, "ambient_occlusion")


def check_means(expected, actual, name="combined", most=2e-3):
    """Compare planes that are means, where one sample may fall on either side of an edge."""
    apart = np.abs(expected[name] - actual[name]).max(axis=2)
    inside = ~compare.silhouettes(expected["object_id"], actual["object_id"])
    assert np.quantile(apart[inside], 0.98) < most
    assert expected[name][..., :3].std() > 0.01


def test_constants_are_those_of_the_cpu_renderer():
    seen = np.zeros(13)
    host_twin.library().frame_constants(seen.ctypes.data_as(host_twin.ctypes.c_void_p))
    expected = [
        neural_geometry.SHADOW_BIAS,
        surfaces.BIAS_PIXELS,
        surfaces.MOST_BIAS,
        shadow_origins.LIFT_BELOW,
    ]
    expected += [shading.SHADOW_END, transparency.SOLID, renderer.LENS_DIMENSION, shading.BRIGHT_DIMENSION]
    expected += [shading.AMBIENT_DIMENSION, transmission.MAX_LAYERS, np.float32(transmission.NOTHING_LEFT)]
    assert seen.tolist() == [*expected, np.float32(noise.DARKEST), transmission.LEAST_COSINE]


# ---- ambient occlusion


@pytest.mark.parametrize("distance", [0.4, 50.0])
def test_ambient_occlusion_in_colours_and_as_a_plane(distance, builder, monkeypatch):
    gem_on_a_floor(builder, base_color=(0.9, 0.5, 0.2), roughness=0.4)
    builder.light(**LIGHTS["sun"])
    options = {"ambient_factor": 0.7, "ambient_distance": distance, "samples": 4, "planes": ALL_PLANES}
    expected, actual = both(builder, monkeypatch, world=(0.0, 0.0, 0.0), **options)
    check(expected, actual)
    check_means(expected, actual, "ambient_occlusion")
    share = actual["ambient_occlusion"]
    assert (share[..., :1] == share).all() and share.max() == 1.0
    assert set(np.unique(share * 4.0)) == {0.0, 1.0, 2.0, 3.0, 4.0}


def test_plane_of_ambient_occlusion_without_colour_and_in_a_region(builder, monkeypatch):
    gem_on_a_floor(builder)
    options = {"planes": ("object_id", "ambient_occlusion"), "samples": 2, "ambient_distance": 0.5}
    expected, actual = both(builder, monkeypatch, region=(10, 5, 70, 50), **options)
    check_means(expected, actual, "ambient_occlusion")
    assert list(actual) == ["object_id", "ambient_occlusion"]


# ---- lenses and panoramas


@pytest.mark.parametrize("size_y", [None, 2.6], ids=["perspective", "orthographic"])
def test_depth_of_field_blurs_colours_and_leaves_planes_sharp(size_y, builder, monkeypatch):
    gem_on_a_floor(builder)
    builder.light(**LIGHTS["sun"])
    sharp = camera_at(EYE, TARGET, *SIZE, fov_y=0.75, size_y=size_y)
    blurred = dataclasses.replace(sharp, aperture=0.2, focus_distance=3.0)
    expected, actual = both(builder, monkeypatch, camera=blurred, samples=4, planes=ALL_PLANES)
    check(expected, actual)
    check_means(expected, actual, "ambient_occlusion")
    _, without = both(builder, monkeypatch, camera=sharp, samples=4)
    for name in PLANES[1:]:
        assert np.array_equal(actual[name], without[name]), name
    assert np.abs(actual["combined"] - without["combined"]).max() > 0.1


PANORAMAS = {
    "equirectangular": Panorama(longitude=(-1.0, 1.5), latitude=(-0.9, 0.8), near=0.2, far=60.0),
    "fisheye": Panorama(kind="FISHEYE_EQUIDISTANT", fov=2.6),
    "equisolid": Panorama(kind="FISHEYE_EQUISOLID", fov=3.0, lens=9.0, sensor=(30.0, 20.0)),
}


@pytest.mark.parametrize("name", PANORAMAS)
def test_panorama_is_the_cpu_renderers(name, builder, monkeypatch):
    gem_on_a_floor(builder)
    builder.light(**LIGHTS["sun"])
    view = cameras.look_at(np.array([0.9, -1.4, 0.7]), np.array(TARGET, float))
    camera = Camera(view_from_world=view, clip_from_view=flat(np.eye(4)), panorama=PANORAMAS[name])
    expected, actual = both(builder, monkeypatch, camera=camera, samples=2)
    check(expected, actual)
    outside = (expected["combined"] == 0.0).all(axis=2)
    assert np.array_equal(outside, (actual["combined"] == 0.0).all(axis=2))
    assert outside.any() == (name != "equirectangular")


# ---- textures


def pixels(dtype, seed=3, shape=(5, 7, 3)):
    made = np.random.default_rng(seed).uniform(0.0, 1.0, shape)
    return np.round(255.0 * made).astype(np.uint8) if dtype == "uint8" else made.astype(np.float32)


@pytest.mark.parametrize("extension", ["REPEAT", "EXTEND", "CLIP", "MIRROR"])
@pytest.mark.parametrize(
    ("dtype", "interpolation"), [("uint8", "LINEAR"), ("uint8", "CLOSEST"), ("float32", "LINEAR")]
)
def test_textures_of_every_kind(extension, dtype, interpolation, builder, monkeypatch):
    """Two materials share a picture, one reads its bytes as they are; a network's has no coordinates."""
    picture = builder.blob(pixels(dtype))
    across = (1.7, 0.3, -0.4, -0.2, 2.2, 0.3)
    options = {"picture": picture, "interpolation": interpolation, "extension": extension}
    first = builder.material(base_texture=Texture(picture_from_uv=across, **options))
    second = builder.material(base_texture=Texture(is_srgb=False, **options), metallic=1.0, roughness=0.6)
    builder.neural(placed(0, 0, 0.2), weights=builder.bytes(octahedron(0.6).to_bytes()), material=second)
    box, sphere = (
        trimesh.creation.box((4.0, 4.0, 0.1)),
        trimesh.creation.icosphere(subdivisions=2, radius=0.5),
    )
    for mesh, place, material in (
        (box, placed(0, 0, -0.6), first),
        (sphere, placed(-0.9, -0.8, -0.1), second),
        (sphere, placed(0.9, -0.8, -0.1), first),
    ):
        uvs = (mesh.vertices @ np.array([[0.6, 0.1], [-0.2, 0.5], [0.3, 0.4]]))[mesh.faces]
        builder.mesh(mesh.vertices, mesh.faces, place, material, uvs=uvs)
    builder.light(**LIGHTS["point"])
    check(*both(builder, monkeypatch))


def test_pictures_of_textures_lie_on_the_device_once(builder, monkeypatch):
    picture = builder.blob(pixels("uint8", shape=(64, 64, 3)))
    for extension in ("REPEAT", "CLIP"):
        builder.material(base_texture=Texture(picture=picture, extension=extension))
    builder.neural(weights=builder.bytes(octahedron(0.6).to_bytes()), material=1)
    device = fake_driver.FakeDevice(fake_driver.info())
    both(builder, monkeypatch, fake_driver.session(device), planes=("object_id",))
    wanted = pixels("uint8", shape=(64, 64, 3)).tobytes()
    assert sum(wanted in block.tobytes() for block in device.memory.values()) == 1


# ---- the surroundings


@pytest.mark.parametrize("film_transparent", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 3), (12, 20, 3), (300, 400, 3)])
def test_picture_of_the_surroundings_shines(shape, film_transparent, builder, monkeypatch):
    made = pixels("float32", seed=8, shape=shape) ** 6
    made[-1, 0] = 30.0  # a small sun
    turned = np.eye(4)
    turned[:3, :3] = trimesh.transformations.rotation_matrix(0.7, (1.0, 2.0, 0.5))[:3, :3]
    surroundings = Environment(picture=builder.blob(made), environment_from_world=flat(turned))
    gem_on_a_floor(builder, base_color=(0.5, 0.7, 0.9), roughness=0.3, metallic=0.5)
    options = {"environment": surroundings, "film_transparent": film_transparent, "samples": 2}
    check(*both(builder, monkeypatch, world=(0.7, 0.6, 0.5), **options))


# ---- surfaces that let light through


@pytest.mark.parametrize("has_lens", [False, True])
def test_surfaces_that_let_light_through(has_lens, builder, monkeypatch):
    veils(builder)
    for name in ("sun", "without shadow"):
        builder.light(**LIGHTS[name])
    camera = camera_at(EYE, TARGET, *SIZE, fov_y=0.75)
    if has_lens:
        camera = dataclasses.replace(camera, aperture=0.05, focus_distance=3.0)
    options = {"ambient_factor": 0.4, "ambient_distance": 2.0, "samples": 2, "planes": ALL_PLANES}
    device = fake_driver.FakeDevice(fake_driver.info())
    expected, actual = both(builder, monkeypatch, fake_driver.session(device), camera=camera, **options)
    check(expected, actual)
    check_means(expected, actual, "ambient_occlusion")
    assert list(np.unique(expected["material_index"])) == [0, 6]  # what is hardly there has no id
    kernels = [name for name, *_ in device.launches]
    assert kernels.count("pass_surfaces") > 4 * kernels.count("begin_pixels")


@pytest.mark.parametrize("alpha", [1.0, 0.6])
@pytest.mark.parametrize("film_transparent", [False, True])
def test_holdout_cuts_a_hole(alpha, film_transparent, builder, monkeypatch):
    gem_on_a_floor(builder, holdout=True, alpha=alpha)
    builder.light(**LIGHTS["sun"])
    expected, actual = both(
        builder, monkeypatch, film_transparent=film_transparent, planes=ALL_PLANES, samples=2
    )
    check(expected, actual)
    check_means(expected, actual, "ambient_occlusion")
    assert (np.abs(expected["combined"][..., 3] - actual["combined"][..., 3]) < 1e-5).mean() > 0.99
    assert expected["combined"][..., 3].min() < 0.5


def test_more_veils_than_a_ray_goes_through(builder, monkeypatch):
    """Twenty of them: beyond the sixteenth it is dark, and without solid ones there is no depth."""
    thin = builder.material(alpha=0.1, base_color=(0.9, 0.2, 0.2))
    builder.neural(placed(0, 0, -0.4, scale=0.3), weights=builder.bytes(octahedron(0.6).to_bytes()))
    for k in range(20):
        veil = trimesh.creation.box((2.0, 1.2, 0.01))
        builder.trimesh(veil, world_from_object=placed(0, 0, 0.1 * k), material=thin)
    builder.light(**LIGHTS["sun"])
    camera = camera_at((0.3, -0.2, 5.0), (0, 0, 0), *SIZE, fov_y=0.6)
    expected, actual = both(builder, monkeypatch, camera=camera, planes=ALL_PLANES)
    assert np.abs(expected["combined"] - actual["combined"]).max() < 1e-4
    alpha = expected["combined"][..., 3]
    assert alpha.max() == 1.0 and abs(alpha.min() - (1.0 - 0.9**16)) < 1e-5
    for planes in (expected, actual):
        assert (planes["depth"] == 1.0).all() and (planes["ambient_occlusion"] == 0.0).all()


def test_all_of_it_at_once_in_tiles_on_the_host_and_on_the_device(builder, monkeypatch):
    veils(builder)
    picture = builder.blob(pixels("uint8"))
    floor = builder.material(base_texture=Texture(picture=picture), roughness=0.7)
    box = trimesh.creation.box((1.5, 1.5, 0.3))
    builder.mesh(box.vertices, box.faces, placed(1.0, 0.2, -0.4), floor, uvs=box.vertices[box.faces, :2])
    builder.light(**LIGHTS["area"])
    surroundings = Environment(
        picture=builder.blob(pixels("float32", shape=(6, 9, 3))), environment_from_world=flat(np.eye(4))
    )
    camera = dataclasses.replace(camera_at(EYE, TARGET, *SIZE, fov_y=0.75), aperture=0.03, focus_distance=3.0)
    options = {"ambient_factor": 0.3, "environment": surroundings, "world_color": (0.4, 0.4, 0.5)}
    scene = builder.scene(**options)
    size = {"width": SIZE[0], "height": SIZE[1]}
    request = ViewRequest(camera=camera, planes=ALL_PLANES, samples=3, seed=3, **size)
    expected = render_picture(prepared(builder, scene, None, monkeypatch), request)
    whole = render_picture(prepared(builder, scene, fake_driver.session(), monkeypatch), request)
    check(expected.planes, whole.planes)
    monkeypatch.setattr("engine.rendering.device_frame.LARGEST_TILE", 1000)
    tiles = render_picture(prepared(builder, scene, fake_driver.session(), monkeypatch), request)
    assert isinstance(tiles.planes, DevicePlanes)
    assert all(np.array_equal(whole.planes[name], tiles.planes[name]) for name in ALL_PLANES)
    monkeypatch.setattr("engine.rendering.device_frame.SUMS", {"color": 1 << 30})  # too large for the device
    on_host = render_picture(prepared(builder, scene, fake_driver.session(), monkeypatch), request)
    assert isinstance(on_host.planes, dict)
    for name in ALL_PLANES:
        assert np.abs(whole.planes[name] - on_host.planes[name]).max() < 1e-5, name


# ---- noise


def lit_softly(builder):
    gem_on_a_floor(builder, roughness=0.5)
    builder.light(**LIGHTS["area"])


def test_noise_is_watched_as_by_the_cpu():
    """The same means, round by round: the same pixels go on."""
    session, size, random = fake_driver.session(), (23, 31), np.random.default_rng(5)
    watch, on_device = noise.NoiseWatch(0.02, size), device_noise.DeviceNoise(session, 0.02, size)
    mean = random.uniform(0.0, 2.0, (*size, 4)).astype(np.float32)
    mean[:4] = 0.0
    counts = []
    for samples in (8, 16, 32, 64, 128):
        mean = mean + random.normal(0.0, 0.16 / samples, mean.shape).astype(np.float32) * mean.astype(bool)
        planes = np.zeros((device_tile.NUM_PLANES, *size), np.float32)
        planes[device_noise.SAMPLES_ROW] = samples
        sums = device_tile.DeviceSums(
            session.array(mean * np.float32(samples)), session.array(planes), size[0] * size[1]
        )
        watch.look(mean, samples)
        on_device.look(sums, samples)
        chosen = on_device.active
        numbers = np.arange(chosen.count)
        if chosen.chosen is not None:
            numbers = np.sort(session.download(chosen.chosen, (size[0] * size[1],), np.int32)[: chosen.count])
        assert np.array_equal(numbers, np.flatnonzero(watch.active))
        counts.append(len(numbers))
    assert counts[0] == size[0] * size[1] > counts[1] > counts[-1]


def test_noise_threshold_gives_settled_pixels_no_more_samples(builder, monkeypatch):
    lit_softly(builder)
    device = fake_driver.FakeDevice(fake_driver.info())
    options = {"world": (0.0, 0.0, 0.0), "samples": 64}
    session = fake_driver.session(device)
    expected, actual = both(builder, monkeypatch, session, noise_threshold=0.03, **options)
    check(expected, actual)
    drawn = [blocks for name, blocks, *_ in device.launches if name == "begin_pixels"]
    assert len(drawn) == 64 and drawn[-1] < 0.6 * drawn[0]
    _, all_samples = both(builder, monkeypatch, **options)
    assert not np.array_equal(actual["combined"], all_samples["combined"])
    check_means(all_samples, actual, most=3e-2)


def test_picture_whose_pixels_have_all_settled_is_complete(builder, monkeypatch):
    lit_softly(builder)
    device = fake_driver.FakeDevice(fake_driver.info())
    scene = prepared(builder, builder.scene(), fake_driver.session(device), monkeypatch)
    camera = camera_at(EYE, TARGET, *SIZE, fov_y=0.75)
    request = ViewRequest(camera=camera, width=SIZE[0], height=SIZE[1], samples=256, noise_threshold=9.0)
    pictures = list(render_rounds(scene, request, lambda: False))
    assert [picture.samples for picture in pictures] == [1, 2, 4, 8, 16]
    assert [picture.complete for picture in pictures] == [False] * 4 + [True]


def test_noise_threshold_in_tiles_is_the_same(builder, monkeypatch):
    lit_softly(builder)
    options = {"samples": 24, "noise_threshold": 0.05, "planes": ALL_PLANES}
    _, whole = both(builder, monkeypatch, **options)
    monkeypatch.setattr("engine.rendering.device_frame.LARGEST_TILE", 1000)
    _, tiles = both(builder, monkeypatch, **options)
    assert all(np.array_equal(whole[name], tiles[name]) for name in ALL_PLANES)


@pytest.mark.parametrize("at", ["begin", "look"])
def test_noise_that_memory_does_not_hold_leaves_the_picture_to_the_cpu(
    at,
    builder,
    monkeypatch,
    caplog,
):
    lit_softly(builder)
    scene = prepared(builder, builder.scene(), fake_driver.session(), monkeypatch)
    if at == "begin":
        monkeypatch.setattr("engine.rendering.device_frame.SUMS", {"color": 1 << 30})
    else:

        def fail(*_):
            raise DeviceMemoryError("the GPU's memory is full")

        monkeypatch.setattr(device_noise.DeviceNoise, "look", fail)
    camera = camera_at(EYE, TARGET, *SIZE, fov_y=0.75)
    request = ViewRequest(camera=camera, width=SIZE[0], height=SIZE[1], samples=2, noise_threshold=0.01)
    picture = render_picture(scene, request)
    assert picture.left_to_cpu.startswith("the GPU") and "the CPU draws this picture" in caplog.text
