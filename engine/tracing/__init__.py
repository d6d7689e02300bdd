"""Ray tracing backends behind one contract, `Tracer`."""

from __future__ import annotations

from ..errors import OptionError
from ..protocol.weights import NeuralWeights
from .tracer import Tracer

BACKENDS = ("auto", "cuda", "cpu", "reference")


def make_tracer(weights: NeuralWeights, backend: str = "auto", time: float = 0.0) -> Tracer:
    """Give a tracer of a network; "auto" is the fastest backend that works here.

    Args:
        weights: The network.
        backend: One of `BACKENDS`.
        time: The fourth input of a network that has four; others ignore it.

    Raises:
        OptionError: There is no such backend.
        DeviceError: CUDA was asked for by name and does not work; the message says why.
    """
    if backend == "reference":
        from ..network.field import Field
        from .reference import ReferenceTracer

        return ReferenceTracer(Field(weights, time))
    if backend == "cuda":
        from ..cuda.choose import shared_session
        from .cuda import CudaTracer

        return CudaTracer(weights, shared_session(), time)
    if backend in ("auto", "cpu"):
        from ..cache import use_cache_folder

        use_cache_folder()
        from .device_choice import cuda_tracer

        on_gpu = cuda_tracer(weights, time) if backend == "auto" else None
        if on_gpu is not None:
            return on_gpu
        from .cpu import CpuTracer

        return CpuTracer(weights, time=time)
    raise OptionError(f"There is no tracing backend {backend!r}. Use one of {', '.join(BACKENDS)}.")
