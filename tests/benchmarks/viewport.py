"""A view of spot over the real protocol, without Blender: first picture, pictures a second while moving, seconds to rest.

python build.py bench viewport
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import tests.conftest  # noqa: F401  makes the add-on importable as Blender would see it
from tests.benchmarks._report import ROOT, store
from tests.engine.test_server import Client

WIDTH, HEIGHT = 1280, 720
MOVES = 30
STANDING_BY_S = 5.0  # it loads its kernels meanwhile
SETTLED_S = 5.0  # its bounds are sampled more finely by then, and are being proven
PLANES = ("combined", "depth")
WEIGHTS = ROOT / "tests/blender/data/spot.safetensors"


def _view(angle):
    from neural_implicit.engine.protocol.scene import Camera

    from engine.rendering.camera import look_at, perspective

    eye = np.array([2.4 * np.cos(angle), 2.4 * np.sin(angle), 1.0])
    return Camera(
        view_from_world=look_at(eye, np.zeros(3)), clip_from_view=perspective(WIDTH, HEIGHT, 0.7, 0.1, 100.0)
    )


def _scene(client):
    from neural_implicit.engine.protocol.scene import Light, NeuralObject, Scene

    from engine.protocol.weights import NeuralWeights

    data = WEIGHTS.read_bytes()
    place = tuple(float(v) for v in NeuralWeights.from_bytes(data).unit_from_object.ravel())
    spot = NeuralObject(
        name="spot", object_id=1, weights=client.folder.put_bytes(data), world_from_object=place
    )
    sun = np.eye(4)
    sun[:3, 2] = np.array([1.0, -1.0, 2.0]) / 6.0**0.5
    light = Light(type="SUN", world_from_light=tuple(float(v) for v in sun.ravel()), energy=3.0)
    return Scene(neural_objects=(spot,), lights=(light,), world_color=(0.2, 0.2, 0.2))


def first_picture_of_a_started_engine() -> float:
    """Seconds from a scene to its first picture, of an engine that was started some seconds before."""
    from neural_implicit.engine.protocol.messages import Failure, FrameReady

    with tempfile.TemporaryDirectory() as folder:
        client = Client(Path(folder))
        time.sleep(STANDING_BY_S)
        began = time.perf_counter()
        client.load(_scene(client))
        client.ask(camera=_view(0.0), coarse=True)
        assert isinstance(client.next(FrameReady, Failure, timeout_s=300.0), FrameReady)
        seconds = time.perf_counter() - began
        client.close()
    return seconds


def main() -> None:
    """Print and store the figures."""
    from neural_implicit.engine.protocol.frames import frame_bytes
    from neural_implicit.engine.protocol.messages import Failure, FrameReady, GrantSlot

    results = {"first_picture_of_a_started_engine_s": first_picture_of_a_started_engine()}
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        client = Client(Path(folder))
        client.send(client.frames.resize(frame_bytes(PLANES, WIDTH, HEIGHT), 2))
        client.load(_scene(client))

        def ask(**changes):
            client.ask(width=WIDTH, height=HEIGHT, **changes)

        def receive():
            frame = client.next(FrameReady, Failure, timeout_s=300.0)
            assert isinstance(frame, FrameReady), frame
            client.send(GrantSlot(view="v", slot=frame.slot))
            return frame

        ask(camera=_view(0.0), coarse=True)
        receive()
        results["first_picture_s"] = time.perf_counter() - began
        for when, wait_s in (("at_once", 0.0), ("later", SETTLED_S)):
            time.sleep(wait_s)
            times, sizes = [], []
            for move in range(MOVES):
                began = time.perf_counter()
                ask(camera=_view(0.05 * move), coarse=True)
                frame = receive()
                times.append(time.perf_counter() - began)
                sizes.append((frame.width, frame.height))
            results[f"moving_{when}_median_s"] = float(np.median(times))
            results[f"moving_{when}_pictures_per_s"] = 1.0 / float(np.median(times))
            results[f"moving_{when}_smallest_size"] = min(sizes)
        for samples in (1, 16):
            began = time.perf_counter()
            ask(camera=_view(0.05 * MOVES + samples), samples=samples, progressive=False)
            while not receive().complete:
                pass
            results[f"rest_{samples}_samples_s"] = time.perf_counter() - began
        client.close()
    table = Table("what", "figure", title=f"spot at {WIDTH} x {HEIGHT}, `serve` process")
    for name, value in results.items():
        table.add_row(name.replace("_", " "), f"{value:.3f}" if isinstance(value, float) else str(value))
    Console().print(table)
    store("viewport", results)


if __name__ == "__main__":
    main()
