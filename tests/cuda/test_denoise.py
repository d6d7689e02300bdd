"""Pictures that the kernels draw and denoise, run on the host, against the CPU renderer's denoised ones."""

import dataclasses

import numpy as np
import pytest
import trimesh

from engine.cuda.errors import DeviceMemoryError
from engine.protocol.scene import Panorama, Texture
from engine.rendering import denoise, denoise_kernel, device_denoise, device_frame
from engine.rendering.denoise import PASSES, Denoiser
from engine.rendering.device_pictures import device_picture
from engine.rendering.device_planes import DevicePlanes
from engine.rendering.renderer import RenderCancelled, ViewRequest, render_picture, render_rounds
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
from tests.engine.scene_builder import camera_at, placed

KERNELS = {"note_samples", "begin_filter", "filter_lights"}
SAMPLES = 8
CLOSE = 1e-4  # between two backends' light: rays' hits agree to 1e-6, and shading and the filter round as float32 does
SAME = 2e-6  # of the brightest, where both filters read the same numbers: two dozen float32 operations in five passes


def camera(**options):
    return dataclasses.replace(camera_at(EYE, TARGET, *SIZE, fov_y=0.75), **options)


def request(**options):
    size = {"width": SIZE[0], "height": SIZE[1]}
    given = {"camera": camera(), "planes": PLANES, "samples": SAMPLES, "seed": 3, "denoise": True}
    return ViewRequest(**size, **(given | options))


def lit_softly(builder):
    """A gem and a ball over a floor, under a large lamp: wide penumbras."""
    gem_on_a_floor(builder, base_color=(0.8, 0.5, 0.3), roughness=0.4)
    builder.light(**LIGHTS["area"] | {"size": 2.5})


def many_lights(builder):
    gem_on_a_floor(builder, base_color=(0.9, 0.8, 0.7), roughness=0.2, metallic=0.3)
    for light in LIGHTS.values():
        builder.light(**light)


def textured(builder):
    lit_softly(builder)
    board = np.indices((24, 24)).sum(axis=0) % 2
    pixels = np.repeat(np.where(board, 200, 60).astype(np.uint8)[..., None], 3, axis=2)
    texture = Texture(picture=builder.blob(pixels), interpolation="CLOSEST")
    box = trimesh.creation.box((3.0, 3.0, 0.1))
    uvs = box.vertices[box.faces, :2] / 3.0 + 0.5
    material = builder.material(base_texture=texture, roughness=0.9)
    builder.mesh(box.vertices, box.faces, placed(0.3, -0.4, -0.55), material, uvs=uvs)


def seen_through(builder):
    veils(builder)
    builder.light(**LIGHTS["area"])


def held_out(builder):
    seen_through(builder)
    sphere = trimesh.creation.icosphere(subdivisions=2, radius=0.4)
    hole = builder.material(holdout=True)
    builder.trimesh(sphere, world_from_object=placed(0.2, -0.9, 0.3), material=hole)


SCENES = {
    "a large lamp": (lit_softly, {}),
    "many lights": (many_lights, {"ambient_factor": 0.4, "ambient_distance": 2.0}),
    "a checkerboard": (textured, {}),
    "surfaces that let light through": (seen_through, {"samples": 24}),
    "a transparent film": (lit_softly, {"film_transparent": True}),
    "a hole in a transparent film": (held_out, {"film_transparent": True}),
    "a region": (lit_softly, {"region": (20, 11, 75, 50)}),
    "a panorama": (lit_softly, {"camera": camera(panorama=Panorama(kind="FISHEYE_EQUIDISTANT", fov=1.5))}),
}


def smoothed(noisy, planes):
    """Pixels (h, w) that the filter has changed."""
    return (noisy["combined"] != planes["combined"]).any(axis=2)


def roughness(planes, where):
    """Median of the steps between neighbours, both of which are chosen: most are inside a texture's fields."""
    steps = np.abs(np.diff(planes["combined"][..., 1], axis=1))
    return float(np.median(steps[where[:, 1:] & where[:, :-1]]))


def check_denoised(noisy, smooth, most_left=1e-3):
    """Compare (CPU, GPU) pairs of planes with noise and without: the same pixels are smoothed, to the same colours."""
    check(*smooth)
    changed = [smoothed(*pair) for pair in zip(noisy, smooth)]
    assert changed[0].mean() > 0.2 and (changed[0] != changed[1]).mean() <= most_left
    for before, after, chosen in zip(noisy, smooth, changed):
        assert roughness(after, chosen) < 0.9 * roughness(before, chosen)
        assert np.array_equal(before["combined"][..., 3], after["combined"][..., 3])
        assert all(np.array_equal(before[name], after[name]) for name in PLANES[1:])
    apart = np.abs(smooth[0]["combined"] - smooth[1]["combined"]).max(axis=2)
    inside = ~compare.silhouettes(smooth[0]["object_id"], smooth[1]["object_id"])
    print(f"99 % within {np.quantile(apart[inside], 0.99):.1e}, all within {apart.max():.1e}")
    assert np.quantile(apart[inside], 0.99) < CLOSE


def test_constants_are_those_of_the_cpus_filter():
    seen = np.zeros(13)
    host_twin.library().denoise_constants(seen.ctypes.data_as(host_twin.ctypes.c_void_p))
    expected = [denoise.DARKEST, denoise.OPAQUE, denoise_kernel.SHARPER, denoise_kernel.PLANE]
    expected += [denoise_kernel.LIGHT, denoise_kernel.LEAST, denoise_kernel.BEND, denoise_kernel.STEP]
    assert seen.tolist() == [*expected, *denoise_kernel.SPLINE]


@pytest.mark.parametrize("name", SCENES)
def test_denoised_picture_is_the_cpu_renderers(name, builder, monkeypatch):
    build, options = SCENES[name]
    build(builder)
    options = {"samples": SAMPLES} | options
    noisy, smooth = (both(builder, monkeypatch, denoise=denoised, **options) for denoised in (False, True))
    check_denoised(noisy, smooth)


@pytest.mark.parametrize("threshold", [0.003, 1.0])
def test_denoised_picture_whose_pixels_settle_is_the_cpu_renderers(threshold, builder, monkeypatch):
    """Counts differ from pixel to pixel; at the coarse threshold all settle before the samples are used up."""
    lit_softly(builder)
    options = {"samples": 48, "noise_threshold": threshold}
    by_cpu = prepared(builder, builder.scene(), None, monkeypatch)
    assert (render_picture(by_cpu, request(**options)).samples < 48) == (threshold == 1.0)
    noisy, smooth = (both(builder, monkeypatch, denoise=denoised, **options) for denoised in (False, True))
    check_denoised(noisy, smooth)


def sums_on_the_host(frame):
    """Give colours, the planes and the guides of a frame whose sums the device holds."""
    sums, session, (height, width) = frame._sums, frame._session, frame._window.size
    guides = session.download(sums.guides, (height, width, 4), np.float32)
    planes = [sums.download_plane(session, row).reshape(height, width) for row in range(13)]
    return sums.download_color(session).reshape(height, width, 4), np.stack(planes, axis=-1), guides


@pytest.mark.parametrize("threshold", [0.0, 0.003])
@pytest.mark.parametrize("build", [textured, seen_through])
def test_filter_on_the_same_guides_is_the_cpus(build, threshold, builder, monkeypatch):
    """What the device has noted of its samples goes to the CPU's filter, so that only the filters are compared."""
    build(builder)
    wanted = request(samples=32, noise_threshold=threshold)
    scene = prepared(builder, builder.scene(world_color=(0.1, 0.1, 0.2)), fake_driver.session(), monkeypatch)
    picture = device_picture(scene, wanted)
    done = 0
    for last in (1, 2, 4, 8, 16, 32):
        assert list(picture.draw(range(done, last), lambda: False))[-1] == 1.0
        picture.settle(done := last)
    color, planes, guides = sums_on_the_host(picture._frame)
    counts = planes[..., 12:]
    assert (len(np.unique(counts)) > 1) == (threshold > 0.0)
    cpu = Denoiser(SIZE[1], SIZE[0])
    cpu._surface[...] = np.where(planes[..., 9] > 0.0, 1 + planes[..., 8], 0)
    cpu._normal[...], cpu._position[...] = planes[..., 2:5], planes[..., 5:8]
    cpu._own_color[...], cpu._squares[...] = guides[..., :3], guides[..., 3]
    expected = cpu.denoised(color / counts, counts)
    picture.smooth(done, lambda: False)
    actual = picture.planes(done)["combined"]
    left = (expected == color / counts).all(axis=2)
    assert 0.2 < left.mean() < 0.8 and np.array_equal(left, (actual == color / counts).all(axis=2))
    assert np.array_equal(expected[left], actual[left])
    assert np.abs(expected - actual).max() < SAME * expected.max()


def test_squares_of_samples_are_those_of_each_sample_alone(builder, monkeypatch):
    """They come from differences of sums, which loses what sums round away: a part in 2^24 of each."""
    lit_softly(builder)
    scene = prepared(builder, builder.scene(), fake_driver.session(), monkeypatch)
    picture, squares, before = device_picture(scene, request()), 0.0, 0.0
    for sample in range(24):
        list(picture.draw(range(sample, sample + 1), lambda: False))
        color, _, guides = sums_on_the_host(picture._frame)
        brightness = color[..., :3].astype(np.float64).mean(axis=2)
        squares, before = squares + (brightness - before) ** 2, brightness
    rounded = 24 * 2.0**-22 * brightness.max() ** 2
    assert np.abs(guides[..., 3] - squares).max() < rounded and squares.max() > 0.1


# ---- what is not denoised, and when


def test_nothing_of_it_happens_unless_it_is_wanted(builder, monkeypatch):
    lit_softly(builder)
    for name, options in {
        "off": {"denoise": False},
        "a lens": {"camera": camera(aperture=0.1, focus_distance=3.0)},
        "no colour": {"planes": PLANES[1:]},
    }.items():
        device = fake_driver.FakeDevice(fake_driver.info())
        scene = prepared(builder, builder.scene(), fake_driver.session(device), monkeypatch)
        render_picture(scene, request(**options))
        assert not KERNELS & {kernel for kernel, *_ in device.launches}, name
    device = fake_driver.FakeDevice(fake_driver.info())
    scene = prepared(builder, builder.scene(), fake_driver.session(device), monkeypatch)
    render_picture(scene, request())
    kernels = [kernel for kernel, *_ in device.launches]
    counted = {kernel: kernels.count(kernel) for kernel in KERNELS}
    assert counted == {"note_samples": SAMPLES, "begin_filter": 1, "filter_lights": PASSES}


def test_too_few_samples_are_left_as_they_are(builder, monkeypatch):
    lit_softly(builder)
    noisy, smooth = (both(builder, monkeypatch, samples=3, denoise=d)[1] for d in (False, True))
    assert all(np.array_equal(noisy[name], smooth[name]) for name in PLANES)


def test_only_the_complete_picture_is_smoothed_and_repeats_exactly(builder, monkeypatch):
    lit_softly(builder)
    scene = prepared(builder, builder.scene(), fake_driver.session(), monkeypatch)
    rounds = [list(render_rounds(scene, request(denoise=d), lambda: False)) for d in (True, True, False)]
    for first, again, noisy in zip(*rounds):
        assert isinstance(first.planes, DevicePlanes)
        assert np.array_equal(first.planes["combined"], again.planes["combined"])
        unchanged = np.array_equal(first.planes["combined"], noisy.planes["combined"])
        assert unchanged == (not first.complete)


def test_denoised_picture_in_tiles_is_the_same(builder, monkeypatch):
    textured(builder)
    drawn = []
    for largest in (device_frame.LARGEST_TILE, 1000):
        monkeypatch.setattr(device_frame, "LARGEST_TILE", largest)
        scene = prepared(builder, builder.scene(), fake_driver.session(), monkeypatch)
        drawn.append(render_picture(scene, request(noise_threshold=0.003, samples=24)).planes)
    assert all(isinstance(planes, DevicePlanes) for planes in drawn)
    assert all(np.array_equal(drawn[0][name], drawn[1][name]) for name in PLANES)


@pytest.mark.parametrize("passes", range(PASSES + 1))
def test_cancelling_is_asked_for_between_passes(passes, builder, monkeypatch):
    lit_softly(builder)
    device = fake_driver.FakeDevice(fake_driver.info())
    scene = prepared(builder, builder.scene(), fake_driver.session(device), monkeypatch)

    def filtered():
        return [kernel for kernel, *_ in device.launches].count("filter_lights")

    def begun():
        return any(kernel == "begin_filter" for kernel, *_ in device.launches)

    rounds = render_rounds(scene, request(), lambda: begun() and filtered() == passes)
    if passes == PASSES:
        *_, last = rounds
        assert last.complete
    else:
        with pytest.raises(RenderCancelled):
            list(rounds)
    assert filtered() == passes
    assert render_picture(scene, request()).left_to_cpu == ""


# ---- where memory or the device ends


def check_left_to_the_cpu(scene, builder, monkeypatch, caplog):
    picture = render_picture(scene, request())
    assert picture.left_to_cpu.startswith("the GPU") and "the CPU draws this picture" in caplog.text
    expected = render_picture(prepared(builder, builder.scene(), None, monkeypatch), request())
    assert np.abs(picture.planes["view_z"] - expected.planes["view_z"]).max() < 1e-4
    inside = ~compare.silhouettes(expected.planes["object_id"], picture.planes["object_id"])
    apart = np.abs(picture.planes["combined"] - expected.planes["combined"]).max(axis=2)
    assert np.quantile(apart[inside], 0.99) < 2e-3
    noisy = render_picture(scene, request(denoise=False)).planes
    assert smoothed(noisy, picture.planes).mean() > 0.2
    return picture


def test_guides_that_memory_does_not_hold_leave_the_picture_to_the_cpu(builder, monkeypatch, caplog):
    """Of 200 bytes a pixel half may be taken: enough for the sums, not for what the filter needs as well."""
    lit_softly(builder)
    device = fake_driver.FakeDevice(fake_driver.info())
    scene = prepared(builder, builder.scene(), fake_driver.session(device), monkeypatch)
    assert device_frame.device_scene(scene) is not None
    monkeypatch.setattr("engine.cuda.session.KEPT_FREE", 0)
    fake_driver.fill_up(device, scene.neural[0].tracer.session, but=200 * SIZE[0] * SIZE[1])
    picture = check_left_to_the_cpu(scene, builder, monkeypatch, caplog)
    assert picture.left_to_cpu == "the GPU's memory does not hold a picture to be denoised"
    assert "begin_filter" not in {kernel for kernel, *_ in device.launches}


@pytest.mark.parametrize("at", ["memory", "lost"])
def test_denoising_that_fails_leaves_the_picture_to_the_cpu(at, builder, monkeypatch, caplog):
    lit_softly(builder)
    device = fake_driver.FakeDevice(fake_driver.info())
    scene = prepared(builder, builder.scene(), fake_driver.session(device), monkeypatch)
    launch = device.launch
    if at == "memory":

        def fail(*_):
            raise DeviceMemoryError("the GPU's memory is full (CUDA_ERROR_OUT_OF_MEMORY)")

        monkeypatch.setattr(device_denoise.DeviceDenoiser, "__init__", fail)
    else:

        def launch_or_fail(kernel, *arguments):
            if kernel == "filter_lights":
                device.lost_at = len(device.launches)
            launch(kernel, *arguments)

        device.launch = launch_or_fail
    picture = check_left_to_the_cpu(scene, builder, monkeypatch, caplog)
    assert isinstance(picture.planes, dict)


def test_memory_that_ends_in_the_first_round_leaves_no_trace_in_the_guides(builder, monkeypatch, caplog):
    lit_softly(builder)
    monkeypatch.setattr(device_frame, "SMALLEST_TILE", 100)
    scene = prepared(builder, builder.scene(), fake_driver.session(), monkeypatch)
    expected = render_picture(scene, request()).planes
    device = fake_driver.FakeDevice(fake_driver.info())
    scene = prepared(builder, builder.scene(), fake_driver.session(device), monkeypatch)
    tile, failed = device_frame.DeviceTile.draw, []

    def draw(self, sample):
        tile(self, sample)
        if not failed:  # the first tile's sample is in the sums and in the guides
            failed.append(sample)
            raise DeviceMemoryError("the GPU's memory is full (CUDA_ERROR_OUT_OF_MEMORY)")

    monkeypatch.setattr(device_frame.DeviceTile, "draw", draw)
    with caplog.at_level("INFO"):
        actual = render_picture(scene, request()).planes
    assert failed == [0] and "going on in tiles of 3072 pixels" in caplog.text
    assert isinstance(actual, DevicePlanes)
    assert all(np.array_equal(expected[name], actual[name]) for name in PLANES)
