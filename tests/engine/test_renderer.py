"""Pictures against closed forms: what each pixel shows, how far it is, its normal; neural and native together."""

import threading
import time

import numpy as np
import pytest
import trimesh

from engine.errors import EngineError, SceneError
from engine.rendering.camera import BACKGROUND_VIEW_Z, PixelCamera
from engine.rendering.renderer import (
    RenderCancelled,
    SceneCache,
    ViewRequest,
    prepare_scene,
    render_picture,
    render_rounds,
)
from tests import compare
from tests.engine.networks import octahedron
from tests.engine.scene_builder import SceneBuilder, SphereCache, camera_at, placed
from tests.oracles import Box, Sphere

SIZE = (60, 40)  # more than one tile is tested by the regions
EYE = (1.6, -2.4, 1.3)
CAMERAS = {
    "perspective": camera_at(EYE, (0, 0, 0), *SIZE, fov_y=0.6),
    "orthographic": camera_at(EYE, (0, 0, 0), *SIZE, size_y=1.6),
}
PLANES = ("combined", "depth", "view_z", "normal", "position", "object_id")
HALF = (0.45, 0.3, 0.35)
SINGLE = 2.0**-23  # planes are float32; depths and distances here are below 8


def sheared():
    matrix = placed(0.1, 0.05, -0.1)
    matrix[:3, :3] = ((1.0, 0.6, 0.0), (0.0, 0.8, -0.3), (0.2, 0.0, 1.1))
    return matrix


def turned():
    matrix = placed(-0.1, 0.0, 0.1)
    matrix[:3, :3] = trimesh.transformations.euler_matrix(0.4, -0.7, 1.1)[:3, :3]
    return matrix


TRANSFORMS = {
    "identity": np.eye(4),
    "turned": turned(),
    "non-uniform": placed(0.1, 0.2, 0.0, scale=(1.3, 0.5, 0.9)),
    "negative": turned() @ placed(scale=(-1.2, 0.7, 0.9)),
    "sheared": sheared(),
    "sheared and mirrored": sheared() @ placed(scale=(1.0, 1.0, -1.0)),
}


@pytest.fixture
def builder(tmp_path):
    return SceneBuilder(tmp_path)


def add_box(builder, world_from_object=None, half=HALF, **options):
    box = trimesh.creation.box(2.0 * np.array(half))
    return builder.trimesh(box, world_from_object=world_from_object, **options)


def draw(builder, camera="perspective", samples=1, cache=SphereCache, planes=PLANES, scene=None, **options):
    scene = builder.scene(**(scene or {}))
    request = ViewRequest(
        camera=CAMERAS.get(camera, camera) if isinstance(camera, str) else camera,
        width=SIZE[0],
        height=SIZE[1],
        samples=samples,
        planes=planes,
        **options,
    )
    return render_picture(prepare_scene(scene, cache(builder.folder)), request).planes


def pixel_rays(camera):
    pixels = PixelCamera(CAMERAS[camera], *SIZE)
    x, y = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    return pixels, pixels.rays(x.ravel(), y.ravel())


def first_hit(shape, world_from_object, rays):
    """Give t (N,) in world space: an affine map keeps the ray's parameter."""
    inverse = np.linalg.inv(world_from_object)
    origins = rays.origins @ inverse[:3, :3].T + inverse[:3, 3]
    return shape.first_hit(origins, rays.directions @ inverse[:3, :3].T)


def world_normals(shape, world_from_object, points):
    """Give unit normals at world points: the gradient in object space, by the inverse transpose."""
    inverse = np.linalg.inv(world_from_object)
    gradient = shape.gradient(points @ inverse[:3, :3].T + inverse[:3, 3])
    normals = gradient @ inverse[:3, :3]
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def check_closed_form(planes, shape, world_from_object, camera):
    pixels, rays = pixel_rays(camera)
    t = first_hit(shape, world_from_object, rays)
    hit = np.isfinite(t)
    assert 0.05 < hit.mean() < 0.95
    flat = {name: plane.reshape(len(t), -1) for name, plane in planes.items()}
    assert np.array_equal(flat["object_id"][:, 0] == 1.0, hit)
    assert (flat["view_z"][~hit] == BACKGROUND_VIEW_Z).all()
    assert (flat["depth"][~hit] == 1.0).all()
    assert (flat["normal"][~hit] == 0.0).all()
    points = rays.origins[hit] + t[hit, None] * rays.directions[hit]
    assert np.allclose(flat["position"][hit], points, atol=8 * SINGLE)
    assert np.allclose(flat["view_z"][hit, 0], pixels.view_z(points), atol=8 * SINGLE)
    assert np.allclose(flat["depth"][hit, 0], pixels.depth(points), atol=2 * SINGLE)
    normals = world_normals(shape, world_from_object, points)
    # Central differences over 1e-6 hold 1e-10; a pixel on an edge of the box has no one normal.
    apart = np.abs(flat["normal"][hit] - normals).max(axis=1)
    assert (apart > 1e-6).mean() < (0.02 if isinstance(shape, Box) else 1e-9)


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_neural_sphere_is_its_closed_form(builder, camera, transform):
    builder.neural(TRANSFORMS[transform])
    check_closed_form(draw(builder, camera), Sphere(0.5), TRANSFORMS[transform], camera)


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_native_box_is_its_closed_form(builder, camera, transform):
    add_box(builder, TRANSFORMS[transform])
    # The mesh's corners are float32, so the oracle's are too.
    half = tuple(np.float64(np.float32(HALF)))
    check_closed_form(draw(builder, camera), Box(half), TRANSFORMS[transform], camera)


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_neural_and_native_hide_each_other_exactly(builder, camera, transform):
    """The box stands half in the sphere; each pixel shows whichever is nearer, and the curve between is exact."""
    place = placed(0.35, -0.2, 0.1) @ turned()
    builder.neural(TRANSFORMS[transform])
    add_box(builder, place)
    _, rays = pixel_rays(camera)
    sphere = first_hit(Sphere(0.5), TRANSFORMS[transform], rays)
    box = first_hit(Box(tuple(np.float64(np.float32(HALF)))), place, rays)
    expected = np.where(sphere < box, 1.0, np.where(np.isfinite(box), 2.0, 0.0))
    assert min((expected == k).mean() for k in range(3)) > 0.005
    assert np.array_equal(draw(builder, camera)["object_id"].ravel(), expected)


@pytest.mark.parametrize("camera", CAMERAS)
def test_a_network_is_hidden_as_the_mesh_of_its_zero_set(builder, tmp_path, camera):
    """A real network and tracer: the octahedron that six ReLUs hold exactly, cut by a box."""
    weights = builder.bytes(octahedron().to_bytes())
    builder.neural(weights=weights)
    add_box(builder, placed(0.4, -0.3, 0.1))
    neural = draw(builder, camera, cache=SceneCache)
    corners = 0.7 * np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    other = SceneBuilder(tmp_path)
    other.trimesh(trimesh.Trimesh(corners, process=False).convex_hull)
    add_box(other, placed(0.4, -0.3, 0.1))
    native = draw(other, camera, cache=SceneCache)
    ids = native["object_id"], neural["object_id"]
    assert {0.0, 1.0, 2.0} == set(np.unique(ids[0]))
    # A tracer's hit lies within 1e-4 of the zero level; grazing views stretch it. 2 % of the edge pixels may flip.
    compare.difference(*ids, native["view_z"], neural["view_z"], 1e-3).check(1e-3, flip_budget=0.02)
    assert compare.same_share(*ids) >= 0.995


def test_what_is_nearer_than_the_near_plane_is_not_drawn(builder):
    builder.neural()
    add_box(builder, placed(0.0, 0.0, -0.9), half=(0.9, 0.9, 0.05))
    camera = camera_at(EYE, (0, 0, 0), *SIZE, fov_y=0.6, near=float(np.linalg.norm(EYE)))
    planes = draw(builder, camera)
    seen = planes["object_id"] > 0
    assert seen.any()
    assert (planes["view_z"][seen] >= np.linalg.norm(EYE) * (1.0 - SINGLE)).all()
    # Cut through its middle the sphere shows its inside, and normals are on the viewer's side.
    inside = planes["object_id"][..., 0] == 1.0
    assert inside.any()
    assert ((planes["normal"] * (np.array(EYE) - planes["position"])).sum(axis=2)[inside] > 0.0).all()


def lit(builder):
    """A scene in which every kind of plane has something to show."""
    builder.neural(turned(), builder.material(base_color=(0.8, 0.3, 0.2), roughness=0.3))
    add_box(builder, placed(0.4, -0.3, 0.1))
    builder.light(type="POINT", energy=100.0, radius=0.3, world_from_light=placed(1.0, -2.0, 2.0))
    return {"world_color": (0.2, 0.3, 0.4)}


def test_the_same_request_gives_the_same_bytes(builder):
    scene = lit(builder)
    one, two = (draw(builder, samples=3, scene=scene) for _ in range(2))
    assert {name: plane.tobytes() for name, plane in one.items()} == {
        name: plane.tobytes() for name, plane in two.items()
    }


def test_another_seed_gives_other_noise(builder):
    scene = lit(builder)
    one, two = (draw(builder, samples=2, scene=scene, seed=seed)["combined"] for seed in (0, 1))
    assert not np.array_equal(one, two)
    assert one.mean() == pytest.approx(two.mean(), rel=0.02)  # noise of 2400 pixels at 2 samples: below 1 %


def test_a_region_is_the_crop_of_the_whole(builder):
    prepared = prepare_scene(builder.scene(**lit(builder)), SphereCache(builder.folder))
    camera = camera_at(EYE, (0, 0, 0), 96, 64, fov_y=0.6)

    def planes(region):
        request = ViewRequest(camera=camera, width=96, height=64, region=region, planes=PLANES, samples=2)
        return render_picture(prepared, request).planes

    whole = planes(None)
    for x0, y0, x1, y1 in ((13, 7, 90, 60), (50, 30, 51, 31), (0, 0, 96, 64)):
        part = planes((x0, y0, x1, y1))
        for name, plane in whole.items():
            assert np.array_equal(part[name], plane[y0:y1, x0:x1]), name


def test_rounds_double_and_end_with_the_complete_picture(builder):
    prepared = prepare_scene(builder.scene(**lit(builder)), SphereCache(builder.folder))
    request = ViewRequest(camera=CAMERAS["perspective"], width=60, height=40, samples=5)
    rounds = list(render_rounds(prepared, request, lambda: False))
    assert [(r.samples, r.complete) for r in rounds] == [(1, False), (2, False), (4, False), (5, True)]
    last = render_picture(prepared, request)
    assert np.array_equal(rounds[-1].planes["combined"], last.planes["combined"])
    assert np.array_equal(rounds[0].planes["depth"], last.planes["depth"])  # never blended


def test_cancel_ends_within_a_second_and_the_next_picture_is_whole(builder):
    scene = builder.scene(**lit(builder))
    prepared = prepare_scene(scene, SphereCache(builder.folder))
    large = ViewRequest(camera=CAMERAS["perspective"], width=1920, height=1280, samples=4096)
    asked = []

    def cancelled():
        return bool(asked)

    def ask():
        asked.append(time.monotonic())

    timer = threading.Timer(0.3, ask)
    timer.start()
    with pytest.raises(RenderCancelled):
        list(render_rounds(prepared, large, cancelled))
    assert time.monotonic() - asked[0] < 1.0
    small = ViewRequest(camera=CAMERAS["perspective"], width=60, height=40, samples=2)
    assert render_picture(prepared, small).complete


def test_an_empty_scene_is_the_world(builder):
    planes = draw(builder, scene={"world_color": (0.1, 0.2, 0.3)}, samples=3)
    assert np.allclose(planes["combined"], (0.1, 0.2, 0.3, 1.0), atol=SINGLE)
    assert (planes["depth"] == 1.0).all()
    assert not planes["object_id"].any()


def test_a_transparent_film_has_alpha_by_coverage(builder):
    builder.neural()
    whole = {"world_color": (0.5, 0.5, 0.5), "film_transparent": True}
    film = draw(builder, scene=whole, samples=16)
    solid = draw(builder, scene={**whole, "film_transparent": False}, samples=16)
    alpha = film["combined"][..., 3]
    edges = compare.near(compare.silhouettes(film["object_id"]), 1)
    inside = film["object_id"][..., 0] > 0
    assert (alpha[inside & ~edges] == 1.0).all()
    assert (film["combined"][~inside & ~edges] == 0.0).all()
    partly = (alpha > 0.0) & (alpha < 1.0)
    assert partly.any() and not (partly & ~edges).any()
    # Premultiplied: over the world's colour it is the picture with a solid film.
    over = film["combined"][..., :3] + (1.0 - alpha[..., None]) * 0.5
    assert np.allclose(over, solid["combined"][..., :3], atol=16 * SINGLE)
    assert (solid["combined"][..., 3] == 1.0).all()


def test_coverage_at_the_silhouette_is_the_area_of_the_shape(builder):
    builder.neural()
    film = draw(builder, "orthographic", scene={"film_transparent": True}, samples=64)
    area = film["combined"][..., 3].sum() * (1.6 / SIZE[1]) ** 2
    # The pixels' lattice miscounts a circle of R = 12.5 pixels by up to 4 sqrt(R) / pi of them, of which the filter,
    # at frequency 1, lets 0.41 through: 1.9 of 491 pixels.
    assert area == pytest.approx(np.pi * 0.25, rel=0.004)


def test_objects_without_volume_or_triangles_are_left_out(builder):
    builder.neural(placed(scale=0.0))
    add_box(builder, placed(scale=(1.0, 0.0, 1.0)))
    builder.mesh(np.zeros((0, 3)), np.zeros((0, 3)))
    assert not draw(builder)["object_id"].any()


def test_instances_share_a_geometry(builder):
    first = add_box(builder, placed(-0.3, 0.0, 0.0, scale=0.5))
    add_box(builder, placed(0.4, 0.0, 0.0, scale=0.5))
    assert builder.geometries[0] == builder.geometries[1]
    prepared = prepare_scene(builder.scene(), SceneCache(builder.folder))
    one, two = prepared.native.geometries
    assert one is two
    assert {0.0, first, first + 1.0} == set(np.unique(draw(builder)["object_id"]))


# ---- faults


def missing(builder):
    (builder.folder / builder.geometries[0].vertices.sha256).unlink()


def damaged(builder):
    path = builder.folder / builder.geometries[0].triangles.sha256
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")


def truncated(builder):
    path = builder.folder / builder.geometries[0].vertices.sha256
    path.write_bytes(path.read_bytes()[:-4])


def not_a_mesh(builder):
    builder.mesh(np.zeros((3, 2)), [[0, 1, 2]])


def vertices_out_of_range(builder):
    builder.mesh(np.zeros((3, 3)), [[0, 1, 3]])


def not_finite(builder):
    builder.mesh([[0, 0, 0], [1, 0, 0], [0, np.nan, 0]], [[0, 1, 2]])


def weights_missing(builder):
    builder.neural(weights="0" * 64)


def weights_that_are_none(builder):
    builder.neural(weights=builder.bytes(b"not a weights file"))


def name_with_a_path(builder):
    builder.neural(weights="../" + "0" * 61)


def unknown_material(builder):
    add_box(builder, material=7)


def matrix_not_finite(builder):
    add_box(builder, np.full((4, 4), np.inf))


FAULTS = (
    *(missing, damaged, truncated, not_a_mesh, vertices_out_of_range, not_finite, weights_missing),
    *(weights_that_are_none, name_with_a_path, unknown_material, matrix_not_finite),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_a_scene_with_a_fault_is_refused_in_a_sentence(builder, fault):
    add_box(builder)
    fault(builder)
    with pytest.raises(EngineError) as caught:
        draw(builder, cache=SceneCache)
    assert str(caught.value).endswith(".")
    assert len(str(caught.value)) > 30


@pytest.mark.parametrize("region", [(0, 0, 61, 40), (5, 5, 5, 9), (-1, 0, 3, 3)])
def test_a_region_outside_the_picture_is_refused(region):
    with pytest.raises(SceneError):
        ViewRequest(camera=CAMERAS["perspective"], width=60, height=40, region=region)


@pytest.mark.parametrize("samples", [0, -1, 1 << 20])
def test_an_impossible_number_of_samples_is_refused(samples):
    with pytest.raises(SceneError):
        ViewRequest(camera=CAMERAS["perspective"], width=60, height=40, samples=samples)
