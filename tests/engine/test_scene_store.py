"""Scenes as a serving engine keeps them: an animation's networks are traced alike from its first frame to its last."""

import hashlib
import threading
import time

import numpy as np
import pytest

from engine.protocol.messages import LoadScene
from engine.protocol.scene import IDENTITY, NeuralObject, Scene
from engine.rendering.scene import KEPT_SCENES
from engine.serving.scene_store import SceneStore
from engine.tracing import certified_cache
from engine.tracing.certifier import Certifier
from tests.engine.networks import octahedron

PROVEN_S = 300.0  # compiling the kernels that prove, on a busy machine
WEIGHTS = octahedron(0.62)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store whose certifier does not wait, and the names of scenes that became better."""
    monkeypatch.setattr(certified_cache, "cache_folder", lambda: tmp_path)
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    (blobs / NAME).write_bytes(DATA)
    better = []
    store = SceneStore(blobs, better.append, Certifier(rest_s=0.01))
    yield store, better
    store._certifier.request((), lambda: None)  # ends what is still being proven


DATA = WEIGHTS.to_bytes()
NAME = hashlib.sha256(DATA).hexdigest()
SHOWN = Scene(
    neural_objects=(NeuralObject(name="o", object_id=1, weights=NAME, world_from_object=IDENTITY),),
    device="cpu",
)
HIDDEN = Scene(device="cpu")


def frames(store, *scenes, job):
    """Load scenes one after the other as an animation does; give the last one's tracer."""
    for scene in scenes:
        frames.revision += 1
        store.load(LoadScene(scene_id="final", revision=frames.revision, scene=scene, job=job))
        prepared = store.prepared("final")
    return prepared.neural[0].tracer


frames.revision = 0


def wait_for(condition):
    deadline = time.monotonic() + PROVEN_S
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)


@pytest.mark.slow
def test_an_animation_keeps_the_bounds_it_began_with_and_the_next_has_what_was_proven(store):
    store, better = store
    tracer = frames(store, SHOWN, job=1)
    wait_for(lambda: store._certifier._held)
    assert certified_cache.load_cells(WEIGHTS) is not None, "it is kept on disk meanwhile"
    assert tracer.bound == "sampled"
    again = frames(store, *[HIDDEN] * (KEPT_SCENES + 2), SHOWN, job=1)
    assert again is tracer and again.bound == "sampled", "after frames without it too"
    assert frames(store, SHOWN, job=2).bound == "certified"
    assert better == [], "no frame that was handed over is drawn again"


@pytest.mark.slow
def test_a_view_takes_better_bounds_as_they_come(store):
    store, better = store
    tracer = frames(store, SHOWN, job=0)
    wait_for(lambda: better)
    assert better == ["final"] and tracer.bound == "certified"
    assert np.isfinite(tracer.value(np.zeros((1, 3)))).all()
