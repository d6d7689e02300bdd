"""What the GPU needs of one network, made from the weights file's bytes on a thread of its own."""

from __future__ import annotations

from concurrent import futures
from dataclasses import dataclass

import numpy as np

from ...engine.protocol.weights import Architecture, NeuralWeights
from .network_rows import packed_rows, too_large
from .network_values import network_values
from .step_bytes import StepBytes, step_bytes

FEWEST_KEPT = 64  # networks; each takes about 0.1 MB

Key = tuple[bytes, float]  # the file's bytes, and the moment of a moving shape


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """A network ready for upload."""

    architecture: Architecture
    rows: list[np.ndarray]  # one (R, 4) float32 for each uniform buffer
    steps: StepBytes
    object_from_unit: np.ndarray  # (4, 4)
    time: float


def prepare(data: bytes, time: float) -> Prepared | None:
    """Read, pack and sample a network; None where it is too large.

    Raises:
        WeightsFileError: The bytes are damaged.
    """
    weights = NeuralWeights.from_bytes(data)
    if too_large(weights.architecture):
        return None
    return Prepared(
        architecture=weights.architecture,
        rows=packed_rows(weights),
        steps=step_bytes(lambda points: network_values(weights, points, time)),
        object_from_unit=np.linalg.inv(weights.unit_from_object),
        time=time,
    )


class Preparation:
    """Networks by their bytes; the newest wanted ones are kept."""

    def __init__(self) -> None:
        self._made: dict[Key, futures.Future[Prepared | None]] = {}
        self._unfinished: list[futures.Future[Prepared | None]] = []
        self._shown: dict[int, Prepared | None] = {}  # by mesh
        self._asked: dict[int, list[futures.Future[Prepared | None]]] = {}  # by mesh, oldest first
        self._most_kept = FEWEST_KEPT
        self.num_submitted = 0
        self._threads: futures.ThreadPoolExecutor | None = None

    @property
    def pending(self) -> bool:
        """Whether anything is still being made."""
        self._unfinished = [made for made in self._unfinished if not made.done()]
        return bool(self._unfinished)

    def expect(self, num_shapes: int) -> None:
        """Keep so many networks at least, and as many that were there before, however they are asked for."""
        self._most_kept = max(self._most_kept, 2 * num_shapes)

    def get(self, data: bytes, time: float, owner: int) -> Prepared | None:
        """Give what was made of a network; None where it cannot be.

        As long as it is being made this is what `owner`, a mesh, had for the same moment before, if anything.
        Of several that an owner asked for in turn the newest is made next, so that a training that is faster
        than this is drawn all the same.
        """
        key = (data, time)
        made = self._made.pop(key, None)
        if made is None or made.cancelled():
            made = self._submit(data, time, owner)
        self._made[key] = made  # the last in the order is the newest
        while len(self._made) > self._most_kept:
            self._made.pop(next(iter(self._made))).cancel()
        before = self._before(owner)
        if not made.done():
            return before if before is not None and before.time == time else None
        found = None if made.cancelled() or made.exception() is not None else made.result()
        self._shown[owner] = found
        return found

    def clear(self) -> None:
        """Forget everything."""
        self._made.clear()
        self._unfinished.clear()
        self._shown.clear()
        self._asked.clear()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    def _before(self, owner: int) -> Prepared | None:
        """Give the newest that is ready of what an owner asked for."""
        asked = self._asked.get(owner, [])
        for made in [made for made in asked if made.done()]:
            asked.remove(made)
            if not made.cancelled() and made.exception() is None:
                self._shown[owner] = made.result()
        return self._shown.get(owner)

    def _submit(self, data: bytes, time: float, owner: int) -> futures.Future[Prepared | None]:
        if self._threads is None:
            self._threads = futures.ThreadPoolExecutor(1, thread_name_prefix="solid view")
        for key in [key for key, made in self._made.items() if key[0] == data and not made.done()]:
            self._made.pop(key).cancel()  # the timeline has moved on
        asked = self._asked.setdefault(owner, [])
        for earlier in asked:
            earlier.cancel()  # the shape has moved on; what has begun is finished
        asked[:] = [earlier for earlier in asked if not earlier.cancelled()]
        self.num_submitted += 1
        self._unfinished.append(made := self._threads.submit(prepare, data, time))
        asked.append(made)
        return made


preparation = Preparation()
