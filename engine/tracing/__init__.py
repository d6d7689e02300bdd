"""Ray tracing backends behind one contract, `Tracer`."""

from __future__ import annotations

from ..errors import OptionError
from ..protocol.weights import NeuralWeights
from .tracer import Tracer

BACKENDS = ("auto", "cpu", "reference")


def make_tracer(weights: NeuralWeights, backend: str = "auto", time: float = 0.0) -> Tracer:
    """Give a tracer of a network; "auto" is the fastest backend that works here.

    Args:
        weights: The network.
        backend: One of `BACKENDS`.
        time: The fourth input of a network that has four; others ignore it.

    Raises:
        OptionError: There is no such backend.
    """
    if backend == "reference":
        from ..field import Field
        from .reference import ReferenceTracer

        return ReferenceTracer(Field(weights, time))
    if backend in ("auto", "cpu"):
        from ..cache import use_cache_folder

        use_cache_folder()
        from .cpu import CpuTracer

        return CpuTracer(weights, time=time)
    raise OptionError(f"There is no tracing backend {backend!r}. Use one of {', '.join(BACKENDS)}.")
