"""`python -m engine serve`, the real process: newest wins, cancelling, faults, and slots by message."""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from neural_implicit.addon.engine_process import EngineProcess, EngineProcessError
from neural_implicit.addon.session_folder import SessionFolder
from neural_implicit.engine.cache import use_cache_folder
from neural_implicit.engine.protocol.frames import FrameFile, frame_bytes
from neural_implicit.engine.protocol.messages import (
    CancelView,
    Failure,
    FrameReady,
    GrantSlot,
    LoadScene,
    RenderView,
    ViewCancelled,
)
from neural_implicit.engine.protocol.scene import (
    IDENTITY,
    Camera,
    Material,
    MeshGeometry,
    MeshObject,
    NeuralObject,
    Scene,
)

from tests.engine.networks import octahedron

PLANES = ("combined", "depth")
WIDTH, HEIGHT = 320, 180
FIRST_PICTURE_S = 90.0  # compiling the tracer on a busy machine; afterwards it is cached
CERTIFIED_S = 240.0  # compiling its kernels on a busy machine
WHITE = Scene(world_color=(1.0, 1.0, 1.0))
ABOVE = Camera(  # looks down -z at the unit square around the origin, from z = 5
    view_from_world=(1.0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0, 1.0, -5.0, 0, 0, 0, 1.0),
    clip_from_view=(1.0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0, -0.1, 0.0, 0, 0, 0, 1.0),
)


class Client:
    """The add-on's side, without Blender."""

    def __init__(self, folder: Path, process=EngineProcess) -> None:
        self.folder = SessionFolder(folder)
        self.frames = FrameFile(self.folder.path)
        self.process = process(Path(sys.executable))
        self.process.start(["serve", "--session", str(self.folder.path)], self.frames.pass_fds)
        self.send(self.frames.resize(frame_bytes(PLANES, WIDTH, HEIGHT), 2))
        self.number = 0

    def send(self, message) -> None:
        self.process.send(message)

    def load(self, scene: Scene, scene_id: str = "s", revision: int = 1) -> None:
        self.send(LoadScene(scene_id=scene_id, revision=revision, scene=scene))

    def ask(self, **changes) -> int:
        self.number += 1
        fields = {"view": "v", "scene_id": "s", "camera": ABOVE, "width": WIDTH, "height": HEIGHT}
        fields |= {"planes": PLANES, "samples": 1, "slots": (0, 1), "request": self.number}
        self.send(RenderView(**(fields | changes)))
        return self.number

    def next(self, *kinds, timeout_s: float = FIRST_PICTURE_S):
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            message = self.process.receive(0.2)
            if isinstance(message, kinds):
                return message
        raise AssertionError(f"no {kinds} within {timeout_s} s; the engine logged:\n{self.process.log_tail}")

    def close(self) -> None:
        self.process.kill()
        self.frames.close()
        self.folder.remove()


@pytest.fixture
def client(tmp_path):
    one = Client(tmp_path)
    yield one
    one.close()


def test_an_empty_scene_gives_the_worlds_colour(client):
    client.load(WHITE)
    request = client.ask()
    frame = client.next(FrameReady)
    assert (frame.request, frame.complete, frame.width, frame.height) == (request, True, WIDTH, HEIGHT)
    planes = client.frames.slots.planes(frame.slot, PLANES, WIDTH, HEIGHT)
    assert (planes["combined"] == 1.0).all()
    assert (planes["depth"] == 1.0).all()


def test_a_native_triangle_is_drawn_where_it_stands(client):
    vertices = np.array([[-9, -9, 0], [0, -9, 0], [0, 9, 0], [-9, 9, 0]], np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    geometry = MeshGeometry(
        vertices=client.folder.put_array(vertices), triangles=client.folder.put_array(triangles)
    )
    wall = MeshObject(name="wall", object_id=1, geometry=0, world_from_object=IDENTITY)
    client.load(Scene(mesh_objects=(wall,), geometries=(geometry,)))
    client.ask()
    frame = client.next(FrameReady, Failure)
    assert isinstance(frame, FrameReady), frame
    depth = client.frames.slots.planes(frame.slot, PLANES, WIDTH, HEIGHT)["depth"][..., 0]
    np.testing.assert_allclose(depth[:, : WIDTH // 2], 0.75, atol=1e-5)  # 5 m of -10..10; float32
    assert (depth[:, WIDTH // 2 :] == 1.0).all()


def test_a_newer_request_wins(client):
    client.load(WHITE)
    client.ask(samples=60000)
    newest = client.ask(samples=1, slots=())
    while (
        frame := client.next(FrameReady)
    ).request != newest:  # a first round may have come before the newer one
        client.send(GrantSlot(view="v", slot=frame.slot))
    assert frame.complete


def test_cancelling_is_answered_while_rendering(client):
    client.load(WHITE)
    client.ask(samples=60000)
    client.next(FrameReady)
    began = time.monotonic()
    client.send(CancelView(view="v"))
    client.next(ViewCancelled, timeout_s=5.0)
    assert time.monotonic() - began < 1.0  # the promise; measured: a few milliseconds


def test_a_moving_view_gets_a_smaller_picture(client):
    client.load(WHITE)
    client.ask(coarse=True, samples=16)
    frame = client.next(FrameReady)
    assert (frame.width, frame.height, frame.complete) == (WIDTH // 4, HEIGHT // 4, False)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scene_id": "unknown"}, "never sent"),
        ({"width": 0}, "0 x 180"),
        ({"samples": 0}, "0 samples"),
        ({"region": (0, 0, 999, 1)}, "region"),
        ({"planes": ()}, "no plane"),
        ({"camera": Camera(view_from_world=IDENTITY, clip_from_view=(0.0,))}, "4 x 4"),
        ({"width": 4000, "height": 4000}, "does not fit"),
    ],
)
def test_an_impossible_request_fails_and_the_server_lives_on(client, changes, said):
    client.load(WHITE)
    request = client.ask(**changes)
    failure = client.next(Failure)
    assert (failure.view, failure.request) == ("v", request)
    assert said in failure.message
    client.send(CancelView(view="v"))
    client.ask()
    assert client.next(FrameReady).complete


def test_a_missing_blob_is_named_and_the_server_lives_on(client):
    ghost = NeuralObject(name="ghost", object_id=1, weights="0" * 64, world_from_object=IDENTITY)
    client.load(Scene(neural_objects=(ghost,), materials=()))
    client.ask()
    assert client.next(Failure).code != "internal"
    client.load(WHITE, revision=2)
    client.ask(slots=())
    assert client.next(FrameReady).complete


def test_a_killed_server_is_noticed_while_it_traces(client):
    client.load(WHITE)
    client.ask(samples=60000)
    client.next(FrameReady)
    os.kill(client.process.process_id, 9)
    with pytest.raises(EngineProcessError, match="killed"):
        client.next(ViewCancelled, timeout_s=5.0)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_idle_server_uses_no_processor_time(client):
    client.load(WHITE)
    client.ask()
    client.next(FrameReady)

    def ticks() -> int:
        fields = Path(f"/proc/{client.process.process_id}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    deadline, before = time.monotonic() + FIRST_PICTURE_S, -1
    while (
        ticks() != before and time.monotonic() < deadline
    ):  # it still loads the kernels of what may be asked next
        before = ticks()
        time.sleep(0.5)
    before = ticks()
    time.sleep(1.0)
    assert ticks() - before <= 1  # one tick of 10 ms: the clock's own resolution


def test_a_finished_view_is_drawn_once_more_when_its_network_is_certified(tmp_path, monkeypatch):
    use_cache_folder()  # kernels stay where they are; certified cells begin from nothing
    monkeypatch.setenv("NUMBA_CACHE_DIR", os.environ["NUMBA_CACHE_DIR"])
    monkeypatch.setenv("WARP_CACHE_PATH", os.environ["WARP_CACHE_PATH"])
    monkeypatch.setenv("NEURAL_IMPLICIT_CACHE", str(tmp_path / "cache"))
    client = Client(tmp_path)
    try:
        shape = NeuralObject(
            name="o",
            object_id=1,
            weights=client.folder.put_bytes(octahedron().to_bytes()),
            world_from_object=IDENTITY,
        )
        client.load(Scene(neural_objects=(shape,), materials=(Material(),)))
        request = client.ask()
        first = client.next(FrameReady)
        again = client.next(FrameReady, timeout_s=CERTIFIED_S)
        assert (first.request, again.request) == (request, request)
        assert first.complete
        assert again.complete
        assert len(list((tmp_path / "cache/certified").glob("*.cells"))) == 1
    finally:
        client.close()
