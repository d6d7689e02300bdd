"""Stands in for the engine where a test needs it to fail at a given moment: speaks messages, computes nothing.

Started as `fake_engine.py -m engine VERB ...` in the extension's folder. What it does is in the JSON object of the
environment variable FAKE_ENGINE:

    snapshots    how many it writes before its end (1)
    interval_s   between them (0.1)
    end          "converted", "failure", "crash", "silence", "garbage" or "half" (a cut weights file)
    start        "welcome", "silence", "other version" or "crash"
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path.cwd()))

from engine import VERSION
from engine.protocol.messages import (
    PROTOCOL_VERSION,
    Converted,
    DeviceStatus,
    Failure,
    Progress,
    Snapshot,
    Welcome,
)
from engine.protocol.weights import Architecture, Description, NeuralWeights
from engine.serving.message_stream import MessageStream

SCALE = 0.5  # of unit_from_object: the unit ball of radius 0.9 is the object's ball of radius 1.8
CENTRE = (1.0, 2.0, 3.0)  # of that ball in object space
OCTAHEDRON = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], np.float32)
FACES = np.array(
    [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]], np.int32
)


def weights(step):
    """Give a small network that differs from step to step."""
    architecture = Architecture(width=4, depth=1)
    matrix = np.diag([SCALE, SCALE, SCALE, 1.0])
    matrix[:3, 3] = -SCALE * np.array(CENTRE)
    description = Description(
        architecture=architecture,
        unit_from_object=tuple(matrix.ravel()),
        bounds_unit=(-0.9, -0.9, -0.9, 0.9, 0.9, 0.9),
    )
    values = np.random.default_rng(step)
    shapes = architecture.layer_shapes()
    return NeuralWeights(
        description=description,
        weights=tuple(values.normal(size=shape).astype(np.float32) for shape in shapes),
        biases=tuple(np.zeros(shape[0], np.float32) for shape in shapes),
    )


def write(output, proxy, step):
    """Write the weights and the proxy of a step."""
    num_bytes = weights(step).save(output)
    half = proxy.with_suffix(".part.npz")
    np.savez(half, vertices_unit=0.9 * OCTAHEDRON, triangles=FACES)
    half.replace(proxy)
    return num_bytes


def start(plan):
    """Greet, or do not."""
    how = plan.get("start", "welcome")
    if how == "crash":
        sys.exit("ImportError: No module named torch")
    stream = MessageStream.from_stdio()
    if how == "silence":
        time.sleep(1000)
    if how == "other version":
        stream.receive()
        stream.send(
            Welcome(
                protocol_version=PROTOCOL_VERSION,
                engine_version="9.9.9",
                python_version="3.11",
                devices=(),
                packages={},
            )
        )
        time.sleep(1000)
    stream.handshake(lambda: (DeviceStatus(name="fake", works=True, detail=VERSION),))
    stream.exit_at_end_of_input(3, keep_messages=True)
    return stream


def convert(stream, plan, output, proxy):
    """Write snapshots, then end as the plan says."""
    num_snapshots = plan.get("snapshots", 1)
    for step in range(1, num_snapshots + 1):
        time.sleep(plan.get("interval_s", 0.1))
        fraction = step / (num_snapshots + 1)
        stream.send(
            Progress(phase="fitting", step=step, num_steps=num_snapshots, fraction=fraction, error=0.01)
        )
        write(output, proxy, step)
        stream.send(Snapshot(path=str(output), proxy=str(proxy), step=step, error=0.01))
    time.sleep(plan.get("interval_s", 0.1))
    end(stream, plan.get("end", "converted"), output, proxy)


def receive_start(stream):
    """Stand by until a conversion is asked for."""
    return stream.receive().arguments


def end(stream, how, output, proxy):
    """End as the plan says."""
    if how == "silence":
        time.sleep(1000)
    if how == "crash":
        os.kill(os.getpid(), 9)
    if how == "garbage":
        os.write(stream._output.fileno(), b"Segmentation fault\n")
        time.sleep(1000)
    if how == "failure":
        stream.send(Failure(code="mesh", message="The mesh is no good. Choose another one."))
        sys.exit(3)
    num_bytes = write(output, proxy, 1000)
    if how == "half":
        output.write_bytes(output.read_bytes()[:100])
    report = {
        "errors": {"surface_mean": 0.001, "surface_p95": 0.003, "grid_mean": 0.004, "iou": 0.99},
        "seconds": 1.5,
    }
    stream.send(
        Converted(path=str(output), proxy=str(proxy), report=report, num_bytes=num_bytes, seconds=1.5)
    )


def main():
    """Run a verb."""
    plan = json.loads(os.environ.get("FAKE_ENGINE", "{}"))
    arguments = sys.argv[1:]
    stream = start(plan)
    if "standby" in arguments:
        arguments = [sys.argv[1], *receive_start(stream)]
    if "-o" in arguments:
        output = Path(arguments[arguments.index("-o") + 1])
        convert(stream, plan, output, Path(arguments[arguments.index("--proxy") + 1]))


if __name__ == "__main__":
    main()
