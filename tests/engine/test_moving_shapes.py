import hashlib

import numpy as np
import pytest

from engine.errors import OptionError, SceneError
from engine.network.field import Field
from engine.network.moving_shapes import at_time
from engine.protocol.scene import IDENTITY, NeuralObject, Scene
from engine.rendering.scene import SceneCache, prepare_scene
from tests.engine.networks import octahedron, random_network

POINTS = np.random.default_rng(3).uniform(-1.0, 1.0, (300, 3))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"skips": (1, 2)},
        {"encoding": "fourier", "fourier_features": 4},
        {"encoding": "fourier", "fourier_features": 3, "skips": (2,)},
    ],
)
@pytest.mark.parametrize("time", [0.0, 0.37, -2.5])
def test_frozen_network_has_the_moving_ones_values(options, time):
    moving = random_network(20, width=12, depth=3, activation="gelu", inputs=4, **options)
    still = at_time(moving, time)
    assert still.architecture.inputs == 3
    # its first layers are rounded to float32 once more
    assert Field(still).value(POINTS) == pytest.approx(Field(moving, time).value(POINTS), abs=2e-5)
    assert Field(still).gradient(POINTS) == pytest.approx(Field(moving, time).gradient(POINTS), abs=1e-4)


def test_network_without_time_is_the_same_at_all_times():
    weights = octahedron()
    assert at_time(weights, 3.0) is weights


def test_time_that_is_no_number_is_an_error():
    with pytest.raises(OptionError, match="time"):
        at_time(random_network(1, inputs=4), float("nan"))


def test_objects_of_one_scene_have_times_of_their_own(tmp_path):
    moving = random_network(21, width=12, depth=3, activation="gelu", inputs=4)
    data = moving.to_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    (tmp_path / sha256).write_bytes(data)
    cache = SceneCache(tmp_path)
    cache.begin_scene(0.9)
    for time, expected in ((0.2, 0.2), (0.7, 0.7), (None, 0.9)):  # None: the scene's
        tracer = cache.neural(sha256, "shape", time)[1]
        assert tracer.value(POINTS) == pytest.approx(Field(moving, expected).value(POINTS), abs=2e-5)


def test_a_time_that_is_no_number_is_refused_in_a_scene(tmp_path):
    shape = NeuralObject(
        name="a", object_id=1, weights="0" * 64, world_from_object=IDENTITY, time=float("nan")
    )
    with pytest.raises(SceneError, match="not finite"):
        prepare_scene(Scene(neural_objects=(shape,)), SceneCache(tmp_path))
