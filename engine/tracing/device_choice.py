"""Which device traces: what the user asked for, else the GPU where one works, with the reason in the log.

A process that has loaded torch, as a conversion does, stays on the CPU: torch's context and ours in one process fight.
"""

from __future__ import annotations

import logging
import sys
from typing import Literal

from ..errors import OptionError
from ..protocol.weights import NeuralWeights
from .tracer import Tracer

log = logging.getLogger(__name__)

TracingDevice = Literal["auto", "cpu", "cuda"]
DEVICES: tuple[TracingDevice, ...] = ("auto", "cpu", "cuda")
_chosen: list[TracingDevice] = ["auto"]
_told: set[str] = set()


def choose_device(device: TracingDevice) -> None:
    """Trace on this device from now on.

    Raises:
        OptionError: There is no such device.
        DeviceError: CUDA is asked for by name and does not work; the message says why.
    """
    if device not in DEVICES:
        raise OptionError(f"There is no device {device!r}. Use one of {', '.join(DEVICES)}.")
    if device == "cuda":
        from ..cuda.choose import shared_session

        shared_session()
    _chosen[0] = device


def cuda_tracer(weights: NeuralWeights, time: float) -> Tracer | None:
    """Give a tracer on the GPU, or None where the CPU is to trace; says why in the log, each reason once.

    Raises:
        DeviceError: CUDA was asked for by name and the GPU cannot trace this network.
    """
    device = _chosen[0]
    if device == "cpu":
        return None
    if device == "auto" and "torch" in sys.modules:
        _tell("tracing on the CPU: torch is loaded in this process")
        return None
    from ..cuda.choose import shared_session
    from ..cuda.errors import DeviceLostError, DeviceMemoryError, NoDeviceError
    from ..cuda.network_data import unfit

    try:
        session = shared_session()
        reason = unfit(weights.architecture)
        if reason is not None:
            raise NoDeviceError(f"this network is not for the GPU: {reason}")
        from .cuda import CudaTracer

        return CudaTracer(weights, session, time)
    except (NoDeviceError, DeviceMemoryError, DeviceLostError) as error:
        if device == "cuda" and isinstance(error, NoDeviceError):
            raise
        _tell(f"tracing on the CPU: {error}")
        return None


def _tell(reason: str) -> None:
    if reason not in _told:
        _told.add(reason)
        log.info(reason)
