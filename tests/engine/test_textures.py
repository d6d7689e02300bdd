"""Pictures on native surfaces: looked up in closed form, and seen where the UV coordinates say."""

import numpy as np
import pytest

from engine.errors import SceneError
from engine.protocol.scene import ArrayBlob, Texture
from engine.rendering.renderer import SceneCache, ViewRequest, prepare_scene, render_picture
from engine.rendering.textures import TexturePicture
from tests.engine.scene_builder import SceneBuilder, camera_at

WIDTH, HEIGHT = 6, 4
FLOAT_32 = 2e-6
NO_BLOB = ArrayBlob(sha256="0" * 64, dtype="float32", shape=(HEIGHT, WIDTH, 3))
QUAD = ((-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0))
HALVES = ((0, 1, 2), (0, 2, 3))
UVS = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)


def pixels(seed=3):
    return np.random.default_rng(seed).uniform(0.0, 1.0, (HEIGHT, WIDTH, 3)).astype(np.float32)


def looked_up(uv, picture=None, **options):
    texture = TexturePicture(Texture(picture=NO_BLOB, **options), pixels() if picture is None else picture)
    return texture.colors(np.array(uv, np.float32).reshape(-1, 2))


def texel(column, row):
    return ((column + 0.5) / WIDTH, (row + 0.5) / HEIGHT)


@pytest.mark.parametrize("interpolation", ["LINEAR", "CLOSEST"])
def test_centre_of_a_texel_has_its_colour(interpolation):
    for row in range(HEIGHT):
        for column in range(WIDTH):
            found = looked_up(texel(column, row), interpolation=interpolation)
            assert np.abs(found - pixels()[row, column]).max() < FLOAT_32


def test_between_texels_linear_is_their_mean_and_closest_is_one_of_them():
    first, second = pixels()[2, 3], pixels()[2, 4]
    between = texel(3.5, 2)
    assert np.abs(looked_up(between) - (first + second) / 2.0).max() < FLOAT_32
    before = looked_up((between[0] - 1e-3, between[1]), interpolation="CLOSEST")
    assert np.array_equal(before[0], first)


@pytest.mark.parametrize(
    ("extension", "column"), [("REPEAT", 1), ("EXTEND", WIDTH - 1), ("MIRROR", WIDTH - 2), ("CLIP", None)]
)
def test_beyond_its_edge_a_picture_goes_on_as_told(extension, column):
    expected = np.zeros(3) if column is None else pixels()[2, column]
    for interpolation in ("LINEAR", "CLOSEST"):
        found = looked_up(texel(WIDTH + 1, 2), extension=extension, interpolation=interpolation)
        assert np.abs(found - expected).max() < FLOAT_32


def test_bytes_are_decoded_and_coordinates_mapped():
    middle = np.full((HEIGHT, WIDTH, 3), 188, np.uint8)
    assert (
        np.abs(looked_up((0.5, 0.5), middle) - 0.5028865).max() < FLOAT_32
    )  # ((188/255 + 0.055) / 1.055)^2.4
    assert np.abs(looked_up((0.5, 0.5), middle, is_srgb=False) - 188 / 255).max() < FLOAT_32
    turned = looked_up(texel(0, 0), picture_from_uv=(0.0, 0.0, texel(4, 1)[0], 0.0, 0.0, texel(4, 1)[1]))
    assert np.abs(turned - pixels()[1, 4]).max() < FLOAT_32


def test_damaged_pictures_are_refused():
    with pytest.raises(SceneError, match="holds no picture"):
        looked_up((0, 0), np.full((HEIGHT, WIDTH, 3), np.nan, np.float32))
    with pytest.raises(SceneError, match="holds no picture"):
        looked_up((0, 0), np.zeros((HEIGHT, WIDTH), np.float32))
    with pytest.raises(SceneError, match="Mapping"):
        looked_up((0, 0), picture_from_uv=(np.inf, 0, 0, 0, 1, 0))


def lit(builder, **material):
    """Give what a matt square on the floor shows from above, and where its pixels are."""
    number = builder.material(roughness=1.0, specular=0.0, **material)
    builder.mesh(QUAD, HALVES, material=number, uvs=UVS[np.array(HALVES)])
    builder.light(type="SUN", energy=np.pi)
    camera = camera_at((0.01, 0.0, 4.0), (0, 0, 0), 48, 32, fov_y=0.3)
    request = ViewRequest(camera=camera, width=48, height=32, samples=1, planes=("combined", "position"))
    planes = render_picture(prepare_scene(builder.scene(), SceneCache(builder.folder)), request).planes
    return planes["combined"][..., :3], planes["position"]


def test_square_shows_the_picture_where_its_coordinates_are(tmp_path):
    texture = Texture(picture=SceneBuilder(tmp_path).blob(pixels()))
    shown, position = lit(SceneBuilder(tmp_path), base_texture=texture)
    plain, _ = lit(SceneBuilder(tmp_path), base_color=(1.0, 1.0, 1.0))
    uv = (position[..., :2] + 1.0) / 2.0
    expected = looked_up(uv).reshape(shown.shape) * plain
    assert plain.min() > 0.9 and shown.std() > 0.1
    assert (
        np.abs(shown - expected).max() < 1e-4
    )  # places of pixels are float32, texels differ by up to 1 over 1/6
