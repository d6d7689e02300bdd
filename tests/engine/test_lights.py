"""Light on surfaces against closed forms: units, shapes, cones, shadows, and that no energy appears or is lost."""

import numpy as np
import pytest
import trimesh

from engine.errors import SceneError
from engine.protocol.scene import Light
from engine.rendering.camera import PixelCamera
from engine.rendering.lights import make_light
from engine.rendering.renderer import ViewRequest, prepare_scene, render_picture
from tests.engine.scene_builder import SceneBuilder, SphereCache, camera_at, flat, placed

SIZE = (48, 32)
GRID = 64  # cells each way in which a light is sampled
UP = np.array([0.0, 0.0, 1.0])
# Middles of 64 x 64 cells integrate a smooth function to (1/64)^2 = 2.4e-4 of its variation.
CELLS = 1e-3
CIRCLE = 4e-3  # the same where cells are bent into a disk


def irradiance(light, point, normal=UP):
    """Give what a light brings to a surface at `point` without shadows, per unit of area (3,)."""
    middles = (np.arange(GRID) + 0.5) / GRID
    square = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(-1, 2)
    found = make_light(light).sample(np.tile(np.asarray(point, float), (len(square), 1)), square)
    assert np.allclose(np.linalg.norm(found.directions, axis=1), 1.0)
    cosine = np.maximum(found.directions @ normal, 0.0)
    return (found.brought * cosine[:, None]).mean(axis=0)


def light(kind, world_from_light=None, **values):
    return Light(type=kind, world_from_light=flat(world_from_light), **values)


def tilted(angle, x=0.0, y=0.0, z=0.0):
    """A light at a place, its -z turned by `angle` about x."""
    matrix = placed(x, y, z)
    c, s = np.cos(angle), np.sin(angle)
    matrix[:3, :3] = ((1, 0, 0), (0, c, -s), (0, s, c))
    return matrix


def test_a_sun_brings_its_strength_times_the_cosine_at_any_distance():
    for angle in (0.0, 0.5, 1.2):
        for point in ((0, 0, 0), (100, -50, 3)):
            found = irradiance(light("SUN", tilted(angle), energy=3.0, color=(1.0, 0.5, 0.0)), point)
            assert found == pytest.approx(3.0 * np.cos(angle) * np.array([1.0, 0.5, 0.0]), abs=1e-6)


def test_a_sun_of_an_angle_shines_from_a_cone_of_half_of_it():
    square = np.random.default_rng(0).random((1000, 2))
    found = make_light(light("SUN", tilted(0.4), angle=0.2)).sample(np.zeros((1000, 3)), square)
    cosine = found.directions @ tilted(0.4)[:3, 2]
    assert np.arccos(cosine.min()) == pytest.approx(
        0.1, rel=0.01
    )  # 1000 samples come within 0.1 % of the rim
    assert np.isinf(found.distances).all()


@pytest.mark.parametrize("radius", [0.0, 0.2])
def test_a_point_light_spreads_its_watts_over_all_directions(radius):
    """The radiant intensity of P watts is P / (4 pi), from a disk that turns to the point."""
    place = (1.0, 2.0, 5.0)
    found = irradiance(light("POINT", placed(*place), energy=100.0, radius=radius), (0, 0, 0))
    squared = np.dot(place, place)
    expected = 100.0 / (4.0 * np.pi) / (squared + radius**2) * place[2] / np.sqrt(squared)
    assert found == pytest.approx(np.full(3, expected), rel=1e-5)


def test_a_disk_above_a_point_has_its_form_factor():
    radius, height, watts = 0.8, 1.5, 50.0
    found = irradiance(
        light("AREA", placed(0, 0, height), energy=watts, shape="DISK", size=2 * radius), (0, 0, 0)
    )
    radiance = watts / (np.pi * np.pi * radius**2)
    expected = np.pi * radiance * radius**2 / (radius**2 + height**2)
    assert found == pytest.approx(np.full(3, expected), rel=CIRCLE)


def rectangle_factor(a, b, height):
    """Form factor of a rectangle a x b from below its corner, parallel to the surface."""
    x, y = a / height, b / height
    return (
        x / np.hypot(1, x) * np.arctan(y / np.hypot(1, x))
        + y / np.hypot(1, y) * np.arctan(x / np.hypot(1, y))
    ) / (2.0 * np.pi)


@pytest.mark.parametrize(
    ("values", "scale", "size"),
    [
        ({"shape": "SQUARE", "size": 1.2, "size_y": 9.0}, 1.0, (1.2, 1.2)),
        ({"shape": "RECTANGLE", "size": 2.0, "size_y": 0.6}, 1.0, (2.0, 0.6)),
        ({"shape": "RECTANGLE", "size": 1.0, "size_y": 1.0}, (2.0, 0.6, 1.0), (2.0, 0.6)),
    ],
    ids=["square", "rectangle", "scaled"],
)
def test_a_rectangle_above_a_point_has_its_form_factor(values, scale, size):
    height, watts = 1.1, 50.0
    found = irradiance(light("AREA", placed(0, 0, height, scale), energy=watts, **values), (0, 0, 0))
    radiance = watts / (np.pi * size[0] * size[1])
    expected = np.pi * radiance * 4.0 * rectangle_factor(size[0] / 2, size[1] / 2, height)
    assert found == pytest.approx(np.full(3, expected), rel=CELLS)


def test_an_ellipse_is_a_scaled_disk():
    ellipse = light("AREA", placed(0, 0, 1), shape="ELLIPSE", size=2.0, size_y=0.6)
    scaled = light("AREA", placed(0, 0, 1, scale=(2.0, 0.6, 1.0)), shape="DISK", size=1.0)
    assert irradiance(ellipse, (0.3, 0.2, 0)) == pytest.approx(irradiance(scaled, (0.3, 0.2, 0)), rel=1e-6)


def test_an_area_light_is_dark_behind():
    assert not irradiance(light("AREA", placed(0, 0, -1)), (0, 0, 0), -UP).any()
    assert irradiance(light("AREA", tilted(np.pi, z=-1)), (0, 0, 0), -UP).all()


def test_a_spot_is_a_point_light_inside_its_cone_and_nothing_outside():
    spot = light("SPOT", placed(0, 0, 2), energy=10.0, spot_size=1.0, spot_blend=0.0)
    point = light("POINT", placed(0, 0, 2), energy=10.0)
    edge = 2.0 * np.tan(0.5)
    for place in ((0, 0, 0), (0.98 * edge, 0, 0), (0, -0.98 * edge, 0)):
        assert irradiance(spot, place) == pytest.approx(irradiance(point, place), rel=1e-6)
    for place in ((1.02 * edge, 0, 0), (0, -1.02 * edge, 0), (0, 0, 4)):
        assert not irradiance(spot, place).any()


def test_a_blended_spot_fades_to_its_edge():
    spot = light("SPOT", placed(0, 0, 2), spot_size=1.0, spot_blend=0.5)
    point = light("POINT", placed(0, 0, 2))
    places = [(x, 0, 0) for x in np.linspace(0.0, 2.0 * np.tan(0.5), 20)]
    share = np.array([irradiance(spot, p)[0] / irradiance(point, p)[0] for p in places])
    assert share[0] == 1.0
    assert (np.diff(share) <= 1e-7).all()
    assert share[-1] == pytest.approx(0.0, abs=1e-6)
    assert ((share > 0.1) & (share < 0.9)).any()


def test_a_surface_in_the_middle_of_a_light_is_no_error():
    for kind in ("POINT", "SPOT", "AREA"):
        assert np.isfinite(irradiance(light(kind, radius=0.1), (0, 0, 0))).all()


@pytest.mark.parametrize(
    "values", [{"energy": np.nan}, {"radius": np.inf}, {"color": (1.0, np.inf, 0.0)}, {"size": np.nan}]
)
def test_a_light_with_a_number_that_is_not_finite_is_refused(values):
    with pytest.raises(SceneError):
        make_light(light("POINT", **values))


# ---- in pictures

GROUND = [(-5, -5, -0.7), (5, -5, -0.7), (5, 5, -0.7), (-5, 5, -0.7)]
QUADS = [(0, 1, 2), (0, 2, 3)]
CAMERA = camera_at((1.5, -3.0, 2.0), (0, 0, -0.4), *SIZE)
DIFFUSE = {"base_color": (0.8, 0.4, 0.2), "roughness": 1.0, "specular": 0.0}


@pytest.fixture
def builder(tmp_path):
    return SceneBuilder(tmp_path)


def draw(builder, samples=1, **scene):
    prepared = prepare_scene(builder.scene(**scene), SphereCache(builder.folder))
    planes = ("combined", "position", "normal", "object_id")
    request = ViewRequest(camera=CAMERA, width=SIZE[0], height=SIZE[1], samples=samples, planes=planes)
    return render_picture(prepared, request).planes


def on_sphere(points, toward):
    """Whether the ray from each point meets the sphere of radius 0.5 about the origin, and by how wide a margin."""
    along = points @ toward
    nearest = np.sqrt((points**2).sum(axis=1) - along**2)
    return (nearest < 0.5) & (along < 0.0), np.abs(nearest - 0.5)


@pytest.mark.parametrize("native", [False, True], ids=["neural", "native"])
def test_a_diffuse_scene_under_a_hard_sun_is_its_closed_form(builder, native):
    """The sphere's shadow on the ground, and Lambert's law everywhere else; a sun of no angle makes no noise."""
    sun = tilted(-0.4)
    toward = sun[:3, 2]
    grey = builder.material(**DIFFUSE)
    if native:
        ball = trimesh.creation.icosphere(subdivisions=5, radius=0.5)
        builder.trimesh(ball, smooth=True, material=grey)
    else:
        builder.neural(material=grey)
    builder.mesh(GROUND, QUADS, material=grey)
    builder.light(type="SUN", energy=2.0, world_from_light=sun)
    planes = draw(builder)
    hit = planes["object_id"].ravel() > 0
    points, normals = (planes[n].reshape(-1, 3)[hit].astype(float) for n in ("position", "normal"))
    shadow, margin = on_sphere(points, toward)
    ball = planes["object_id"].ravel()[hit] == 1.0
    lambert = np.maximum(normals @ toward, 0.0) * 2.0 / np.pi
    expected = np.where(shadow & ~ball, 0.0, lambert)[:, None] * DIFFUSE["base_color"]
    # The mesh of the sphere is up to 2e-4 smaller than it; its terminator is where its own shadows begin.
    clear = np.where(ball, lambert > 0.05, margin > (1e-3 if native else 1e-5))
    assert clear.mean() > 0.8 and (shadow & ~ball & clear).sum() > 20
    found = planes["combined"].reshape(-1, 4)[hit][:, :3]
    assert np.allclose(found[clear], expected[clear], atol=1e-6)


def test_a_light_that_casts_no_shadow_lights_behind_things(builder):
    grey = builder.material(**DIFFUSE)
    builder.neural()
    builder.mesh(GROUND, QUADS, material=grey)
    builder.light(type="SUN", energy=2.0, world_from_light=tilted(0.7), cast_shadow=False)
    planes = draw(builder)
    ground = planes["combined"][planes["object_id"][..., 0] == 2.0][:, :3]
    assert np.allclose(ground, 2.0 / np.pi * np.cos(0.7) * np.array(DIFFUSE["base_color"]), atol=1e-6)


def test_native_geometry_shades_the_neural_sphere(builder):
    builder.neural(material=builder.material(**DIFFUSE))
    roof = [(x, y, 4.0) for x, y, _ in GROUND]
    builder.light(type="SUN", energy=2.0)
    before = draw(builder)
    builder.mesh(roof, QUADS)
    sphere = before["object_id"][..., 0] == 1.0
    assert before["combined"][sphere][:, 0].max() > 0.3
    after = draw(builder)
    seen = sphere & (after["object_id"][..., 0] == 1.0)
    assert seen.sum() > 20
    assert not after["combined"][seen][:, :3].any()


@pytest.mark.parametrize("roughness", [0.0, 0.1, 0.4, 0.7, 1.0])
@pytest.mark.parametrize("metallic", [0.0, 1.0])
def test_a_white_sphere_vanishes_in_a_white_world(builder, roughness, metallic):
    """The furnace test: what falls in leaves again, whatever the roughness."""
    white = builder.material(base_color=(1.0, 1.0, 1.0), roughness=roughness, metallic=metallic)
    builder.neural(material=white)
    planes = draw(builder, samples=64, world_color=(1.0, 1.0, 1.0))
    sphere = planes["object_id"][..., 0] == 1.0
    mean = planes["combined"][sphere][:, :3].mean()
    # Tables of 64 cosines at 1024 samples hold 0.5 %; the mean over the pixels has less noise than that.
    assert mean == pytest.approx(1.0, abs=0.01)


def test_the_open_sky_lights_the_ground_as_its_form_factor(builder):
    """Below a sphere of radius r at height h over it a point loses (r / h)^2 of the sky's light, elsewhere r^2 h / d^3."""
    builder.neural(material=builder.material(**DIFFUSE))
    builder.mesh(GROUND, QUADS, material=builder.material(**DIFFUSE))
    planes = draw(builder, samples=64, world_color=(1.0, 1.0, 1.0))
    ground = planes["object_id"][..., 0] == 2.0
    points = planes["position"][ground].astype(float)
    squared = (points**2).sum(axis=1)
    expected = (1.0 - 0.25 * 0.7 / squared**1.5)[:, None] * DIFFUSE["base_color"]
    found = planes["combined"][ground][:, :3]
    assert np.abs(found - expected).mean() < 0.02  # noise of 64 samples
    assert found.mean() == pytest.approx(expected.mean(), rel=0.005)


def test_an_emitting_material_shines_without_light(builder):
    builder.neural(material=builder.material(base_color=(0, 0, 0), specular=0.0, emission=(3.0, 2.0, 1.0)))
    planes = draw(builder)
    sphere = planes["object_id"][..., 0] == 1.0
    assert np.allclose(planes["combined"][sphere][:, :3], (3.0, 2.0, 1.0))


def test_the_pictures_pixels_are_the_cameras(builder):
    """Positions of the ground are where the pixels' rays meet it."""
    builder.mesh(GROUND, QUADS)
    planes = draw(builder)
    x, y = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    rays = PixelCamera(CAMERA, *SIZE).rays(x.ravel(), y.ravel())
    t = (-0.7 - rays.origins[:, 2]) / rays.directions[:, 2]
    hit = planes["object_id"].ravel() > 0
    assert hit.mean() > 0.5
    assert np.allclose(planes["position"].reshape(-1, 3)[hit], rays.at(t)[hit], atol=1e-5)
