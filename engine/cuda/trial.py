"""Traces one ray on the GPU and compares it with the reference: `python -m engine.cuda.trial`, for `doctor`.

It says on stdout what works, or on stderr why the CPU traces, and ends with 1 then.
"""

from __future__ import annotations

import sys

import numpy as np

from ..errors import DeviceError
from ..protocol.weights import Architecture, Description, NeuralWeights

CROSSING = 0.5  # of the trial's plane
UNIT = tuple(float(x) for x in np.eye(4).ravel())


def main() -> int:
    """Run the trial; give the exit code."""
    from ..tracing.cuda import CudaTracer
    from .choose import shared_session

    try:
        session = shared_session()
        info = session.device.info
        tracer = CudaTracer(_plane(), session, grid_resolution=16)
        origin, direction = np.array([[0.1, 0.2, 3.0]]), np.array([[0.0, 0.0, -1.0]])
        t = float(tracer.trace(origin, direction, np.zeros(1), np.full(1, 10.0))[0])
    except DeviceError as error:
        sys.stderr.write(f"{error}; the CPU traces\n")
        return 1
    if abs(t - (3.0 - CROSSING)) > 1e-5:
        sys.stderr.write(
            f"{info.name} gives wrong numbers ({t} for {3.0 - CROSSING}); the CPU should trace\n"
        )
        return 1
    if tracer.left_to_cpu:
        sys.stderr.write(f"{info.name} cannot go on; the CPU traces\n")
        return 1
    major, minor = info.capability
    sys.stdout.write(f"{info.name} (compute capability {major}.{minor}) by {info.by}\n")
    return 0


def _plane() -> NeuralWeights:
    """z - CROSSING, as one ReLU layer."""
    row = np.array([0.0, 0.0, 1.0], np.float32)
    return NeuralWeights(
        description=Description(
            architecture=Architecture(width=2, depth=1),
            unit_from_object=UNIT,
            bounds_unit=(-1.0, -1.0, -1.0, 1.0, 1.0, 1.0),
        ),
        weights=(np.stack([row, -row]), np.array([[1.0, -1.0]], np.float32)),
        biases=(np.zeros(2, np.float32), np.array([-CROSSING], np.float32)),
    )


if __name__ == "__main__":
    sys.exit(main())
