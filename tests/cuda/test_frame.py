"""Whole pictures drawn by the kernels, run on the host, against the CPU renderer's: the same scene, the same picture."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from engine.cuda.triangle_tree import LEAF, triangle_tree
from engine.protocol.weights import NeuralWeights
from engine.rendering.device_frame import device_scene
from engine.rendering.device_planes import DevicePlanes
from engine.rendering.renderer import (
    RenderCancelled,
    ViewRequest,
    render_picture,
    render_rounds,
)
from tests.cuda import fake_driver
from tests.cuda.pictures import LIGHTS, PLANES, SIZE, SPOT, both, check, prepared
from tests.engine.networks import octahedron, random_network
from tests.engine.scene_builder import camera_at, placed
from tests.engine.test_renderer import TRANSFORMS


def everything(builder):
    """Neural and native objects of every kind in one scene."""
    spot, gem = builder.bytes(SPOT.read_bytes()), builder.bytes(octahedron(0.6).to_bytes())
    gold = builder.material(base_color=(0.9, 0.6, 0.2), metallic=1.0, roughness=0.25, pass_index=5)
    red = builder.material(base_color=(0.8, 0.1, 0.1), roughness=0.4, emission=(0.02, 0.0, 0.0), pass_index=9)
    floor = builder.material(base_color=(0.5, 0.5, 0.55), roughness=0.9, specular=0.2)
    builder.neural(placed(0.0, 0.0, 0.2), weights=spot, material=red)
    builder.neural(
        TRANSFORMS["sheared and mirrored"] @ placed(0.9, 0.6, 0.1, scale=0.5), weights=gem, material=gold
    )
    builder.neural(placed(-0.9, 0.5, 0.0, scale=(0.5, 0.4, 0.7)), weights=spot, material=gold)
    builder.trimesh(
        trimesh.creation.box((6.0, 6.0, 0.1)), world_from_object=placed(0, 0, -0.75), material=floor
    )
    sphere = trimesh.creation.icosphere(subdivisions=2, radius=0.4)
    builder.trimesh(sphere, smooth=True, world_from_object=placed(-0.7, -0.8, -0.2), material=gold)
    builder.trimesh(
        sphere,
        world_from_object=placed(0.9, -0.7, -0.35) @ TRANSFORMS["negative"] @ placed(scale=0.5),
        material=red,
    )


def test_picture_of_everything_is_the_cpu_renderers(builder, monkeypatch):
    everything(builder)
    for name in ("sun", "area", "without shadow"):
        builder.light(**LIGHTS[name])
    expected, actual = both(builder, monkeypatch, samples=2)
    check(expected, actual)
    assert len(np.unique(expected["object_id"])) == 7
    assert list(np.unique(expected["material_index"])) == [0, 5, 9]


@pytest.mark.parametrize("name", LIGHTS)
def test_every_light_is_the_cpu_renderers(name, builder, monkeypatch):
    gem = builder.bytes(octahedron(0.6).to_bytes())
    gloss = builder.material(base_color=(0.3, 0.5, 0.8), roughness=0.3, ior=1.6)
    builder.neural(placed(0, 0, 0.1), weights=gem, material=gloss)
    builder.trimesh(trimesh.creation.box((6.0, 6.0, 0.1)), world_from_object=placed(0, 0, -0.6))
    builder.light(**LIGHTS[name])
    check(*both(builder, monkeypatch, world=(0.0, 0.0, 0.0)))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_transform_is_the_cpu_renderers(name, builder, monkeypatch):
    gem = builder.bytes(random_network(activation="sine", width=16, depth=2, seed=3).to_bytes())
    builder.neural(TRANSFORMS[name], weights=gem)
    check(*both(builder, monkeypatch, film_transparent=True), flips=0.1)


def test_orthographic_region_of_a_picture_is_its_crop(builder, monkeypatch):
    everything(builder)
    builder.light(**LIGHTS["sun"])
    camera = camera_at((1.7, -2.6, 1.5), (0, 0, 0.1), *SIZE, size_y=2.6)
    expected, actual = both(builder, monkeypatch, camera=camera, region=(20, 11, 75, 50))
    assert actual["combined"].shape == (39, 55, 4)
    check(expected, actual)


def test_picture_in_tiles_is_the_same(builder, monkeypatch):
    everything(builder)
    builder.light(**LIGHTS["area"])
    device = fake_driver.FakeDevice(fake_driver.info())
    _, whole = both(builder, monkeypatch, fake_driver.session(device))
    launches = len(device.launches)
    monkeypatch.setattr("engine.rendering.device_frame.LARGEST_TILE", 1000)
    device = fake_driver.FakeDevice(fake_driver.info())
    _, tiles = both(builder, monkeypatch, fake_driver.session(device))
    assert len(device.launches) > 3 * launches / 2
    assert all(np.array_equal(whole[name], tiles[name]) for name in PLANES)


@pytest.mark.parametrize("fault", ["lost", "memory"])
def test_device_that_fails_amid_a_picture_leaves_it_to_the_cpu(fault, builder, monkeypatch, caplog):
    everything(builder)
    builder.light(**LIGHTS["sun"])
    device = fake_driver.FakeDevice(fake_driver.info())
    scene = prepared(builder, builder.scene(), fake_driver.session(device), monkeypatch)
    assert device_scene(scene) is not None
    if fault == "lost":
        device.lost_at = len(device.launches) + 4
    else:
        fake_driver.fill_up(device, scene.neural[0].tracer.session)
    camera = camera_at((1.7, -2.6, 1.5), (0, 0, 0.1), *SIZE, fov_y=0.75)
    request = ViewRequest(camera=camera, width=SIZE[0], height=SIZE[1], planes=PLANES, samples=1)
    picture = render_picture(scene, request)
    expected = render_picture(prepared(builder, builder.scene(), None, monkeypatch), request)
    check(expected.planes, picture.planes)
    assert picture.left_to_cpu.startswith("the GPU") and expected.left_to_cpu == ""
    by_cpu = prepared(builder, builder.scene(device="cpu"), fake_driver.session(device), monkeypatch)
    again = render_picture(by_cpu, request)
    assert again.left_to_cpu == "" and all(
        np.array_equal(again.planes[n], expected.planes[n]) for n in PLANES
    )
    assert "the CPU draws this picture" in caplog.text


def test_cancelled_picture_stops_between_samples(builder, monkeypatch):
    everything(builder)
    device = fake_driver.FakeDevice(fake_driver.info())
    scene = prepared(builder, builder.scene(), fake_driver.session(device), monkeypatch)
    camera = camera_at((1.7, -2.6, 1.5), (0, 0, 0.1), *SIZE, fov_y=0.75)
    request = ViewRequest(camera=camera, width=SIZE[0], height=SIZE[1], samples=8)
    asked = []
    with pytest.raises(RenderCancelled):
        for _ in render_rounds(scene, request, lambda: asked.append(1) or len(asked) > 2):
            pass
    begun = [name for name, *_ in device.launches if name == "begin_pixels"]
    assert len(begun) < 8


def test_scenes_without_networks_and_other_shaders_are_left_to_the_renderer(builder, monkeypatch):
    builder.trimesh(trimesh.creation.box((1.0, 1.0, 1.0)))
    scene = prepared(builder, builder.scene(), fake_driver.session(), monkeypatch)
    assert device_scene(scene) is None
    builder.neural(weights=builder.bytes(octahedron(0.6).to_bytes()))
    scene = prepared(builder, builder.scene(), fake_driver.session(), monkeypatch)
    assert device_scene(scene) is not None
    camera = camera_at((1.7, -2.6, 1.5), (0, 0, 0.1), 8, 8)

    def red(scene, surfaces, x, y, sample, seed):
        return np.tile(np.float32([1.0, 0.0, 0.0]), (len(surfaces.rays), 1))

    picture = render_picture(scene, ViewRequest(camera=camera, width=8, height=8, samples=1, shader=red))
    assert not isinstance(picture.planes, DevicePlanes) and (picture.planes["combined"][..., 0] == 1.0).any()


def test_triangle_tree_holds_each_triangle_once_inside_its_boxes():
    mesh = trimesh.creation.torus(0.6, 0.2)
    corners = np.asarray(mesh.vertices[mesh.faces], np.float32)
    tree = triangle_tree(corners)
    assert np.array_equal(np.sort(tree.faces), np.arange(len(corners)))
    assert np.array_equal(tree.corners, corners[tree.faces])
    leaves = tree.nodes[tree.nodes["count"] > 0]
    assert leaves["count"].sum() == len(corners) and leaves["count"].max() <= LEAF
    assert tree.depth < 64  # of the kernels' stack
    todo, seen = [(0, np.full(3, -np.inf), np.full(3, np.inf))], 0
    while todo:
        number, low, high = todo.pop()
        node = tree.nodes[number]
        assert (node["low"] >= low - 1e-5).all() and (node["high"] <= high + 1e-5).all()
        seen += 1
        if node["count"] == 0:
            todo += [(node["first"] + k, node["low"], node["high"]) for k in (0, 1)]
            continue
        inside = tree.corners[node["first"] : node["first"] + node["count"]].reshape(-1, 3)
        assert (inside >= node["low"]).all() and (inside <= node["high"]).all()
    assert seen == len(tree.nodes)


def test_weights_of_the_demo_are_the_ones_that_are_tested():
    assert NeuralWeights.load(Path(SPOT)).architecture.width == 32
