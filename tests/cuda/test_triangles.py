"""Ray casts of the kernels against native triangles, run on the host: the same hits as Warp's mesh queries give."""

import numpy as np
import pytest
import trimesh

from engine.rendering.device_scene import DeviceScene
from tests.cuda import fake_driver
from tests.cuda.pictures import prepared
from tests.engine.networks import octahedron
from tests.engine.scene_builder import placed
from tests.engine.test_renderer import TRANSFORMS

SHAPES = {
    "box": trimesh.creation.box((1.0, 0.8, 0.6)),
    "torus": trimesh.creation.torus(0.6, 0.2),
    "ball": trimesh.creation.icosphere(subdivisions=3, radius=0.7),
}
PLACES = [placed(0, 0, 0), placed(1.2, 0.3, -0.2, scale=(0.5, 1.5, 0.7)), TRANSFORMS["sheared and mirrored"]]


def rays(count, seed):
    rng = np.random.default_rng(seed)
    origins = rng.normal(size=(count, 3))
    origins *= (rng.uniform(0.0, 4.0, count) / np.linalg.norm(origins, axis=1))[:, None]  # inside too
    directions = rng.uniform(-1.0, 1.0, (count, 3)) - origins
    directions *= rng.uniform(0.2, 5.0, (count, 1))
    directions[:: count // 20, 1:] = 0.0  # along an axis
    return origins, directions, rng.uniform(0.0, 0.3, count), rng.uniform(0.5, 20.0, count)


def on_device(session, cast, ray, any_hit=False):
    """Give t, instance, face and barycentric weights of rays, and what became of `t_max`."""
    origins, directions, t_min, t_max = (session.array(np.ascontiguousarray(a)) for a in ray)
    count = len(ray[2])
    arguments = cast.copy()
    given = {"origins": origins, "directions": directions, "t_min": t_min, "t_max": t_max}
    for name, array in given.items():
        arguments["rays"][name] = array.address
    arguments["rays"]["count"], arguments["rays"]["any_hit"] = count, any_hit
    out = {"t_hit": ("f8", 1), "object": ("i4", 1), "face": ("i4", 1), "barycentric": ("f4", 2)}
    memory = {
        name: session.empty(count * size * np.dtype(kind).itemsize) for name, (kind, size) in out.items()
    }
    for name, array in memory.items():
        arguments[name] = array.address
    session.launch("cast", "cast_rays", -(-count // 128), 128, 0, arguments)
    found = [session.download(memory[name], (count, size), kind) for name, (kind, size) in out.items()]
    return [*(a.squeeze() for a in found), session.download(t_max, (count,), np.float64)]


@pytest.fixture
def scene_of(builder, monkeypatch):
    """Give how to put native shapes, beside a neural one that rays do not ask for, on the device."""
    builder.neural(weights=builder.bytes(octahedron(0.1).to_bytes()))
    alive = []

    def put(places):
        for name, place in places.items():
            builder.trimesh(SHAPES[name], world_from_object=place)
        session = fake_driver.session()
        found = prepared(builder, builder.scene(), session, monkeypatch)
        alive.append(DeviceScene(session, found))
        return session, alive[-1].cast, found.native

    return put


@pytest.fixture
def scene(scene_of):
    return scene_of(dict(zip(SHAPES, PLACES)))


def test_nearest_triangles_are_the_ones_that_warp_finds(scene):
    session, cast, native = scene
    ray = rays(6000, 1)
    expected = native.cast(*ray)
    t, instance, face, barycentric, t_max = on_device(session, cast, ray)
    hit = expected.instance >= 0
    assert 0.2 < hit.mean() < 0.9 and len(np.unique(expected.instance[hit])) == 3
    assert (hit != (instance >= 0)).sum() <= 2  # Warp's rays are float32: one may slip by a silhouette
    both = hit & (instance >= 0)
    far = np.abs(t[both] - expected.t[both]) > 1e-5 * np.maximum(1.0, expected.t[both])
    assert far.sum() <= 2
    assert np.array_equal(t_max[both], t[both]) and np.array_equal(t_max[instance < 0], ray[3][instance < 0])
    assert np.isinf(t[instance < 0]).all()
    same = both & (instance == expected.instance) & (face == expected.face)
    assert same.sum() > 0.98 * both.sum()  # on an edge either triangle is right
    assert np.abs(barycentric - expected.barycentric)[same].max() < 1e-3


def test_blocked_rays_are_the_ones_that_warp_finds(scene):
    session, cast, native = scene
    ray = rays(4000, 2)
    blocked = native.occluded(*ray)
    t_max = on_device(session, cast, ray, any_hit=True)[-1]
    assert 0.2 < blocked.mean() < 0.9
    assert ((t_max == -1.0) != blocked).sum() <= 2


def test_no_ray_slips_between_two_triangles(scene_of):
    """Rays from within a closed ball all leave it, through edges and corners as well."""
    ball = SHAPES["ball"]
    corners = np.asarray(ball.vertices)
    edges = corners[ball.edges_unique].mean(axis=1)
    toward = np.concatenate([corners, edges])
    session, cast, _ = scene_of({"ball": placed(0, 0, 0)})
    ray = (np.full((len(toward), 3), 1e-3), toward - 1e-3, np.zeros(len(toward)), np.full(len(toward), 10.0))
    t, instance, *_ = on_device(session, cast, ray)
    assert (instance == 0).all()
    assert np.abs(t - 1.0).max() < 1e-4  # of float32 corners; an edge's triangles are flat
