"""From a request to `engine serve` to its answer that the picture is in the mapped file, Full HD; JSON on stdout.

python -m tests.benchmarks._cuda_served [WIDTHxHEIGHT [WEIGHTS]]
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import tests.conftest  # noqa: F401  makes the add-on importable as Blender would see it
from tests.benchmarks import viewport
from tests.engine.test_server import Client

PLANES = ("combined", "depth")
WARM, MOVES = 3, 40


def main(arguments):
    from neural_implicit.addon.engine_process import EngineProcess
    from neural_implicit.engine.protocol.frames import frame_bytes
    from neural_implicit.engine.protocol.messages import Failure, FrameReady, GrantSlot

    class GpuProcess(EngineProcess):
        """Starts the engine with the GPU by name, so that it says so where there is none."""

        def start(self, arguments, *rest):
            super().start([*arguments, "--device", "cuda"], *rest)

    width, height = (int(n) for n in (arguments[0] if arguments else "1920x1080").split("x"))
    if len(arguments) > 1:
        viewport.WEIGHTS = Path(arguments[1])
    times = []
    with tempfile.TemporaryDirectory() as folder:
        client = Client(Path(folder), GpuProcess)
        client.send(client.frames.resize(frame_bytes(PLANES, width, height), 2))
        client.load(viewport._scene(client))
        for move in range(WARM + MOVES):
            began = time.perf_counter()
            client.ask(width=width, height=height, camera=viewport._view(0.05 * move), samples=1)
            frame = client.next(FrameReady, Failure, timeout_s=60.0)
            times.append(time.perf_counter() - began)
            assert isinstance(frame, FrameReady), frame
            client.send(GrantSlot(view="v", slot=frame.slot))
        on_gpu = "the CPU" not in client.process.log_tail  # a GPU that gives up is told
        client.close()
    median = float(np.median(times[WARM:]))
    print(json.dumps({"frames/s": 1.0 / median, "ms": 1e3 * median, "on the GPU": on_gpu}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
