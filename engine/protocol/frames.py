"""Frame slots in memory that add-on and engine share: a mapped file, not a stream.

The add-on makes it. On Linux it is an anonymous memory file that can grow but, by a seal, never shrink; the engine
inherits its descriptor ("fd:N"). Elsewhere it is a file of fixed size in the session's folder, a new one for each
size. Either is allocated in full before it is mapped: touching a page that nothing backs any more would kill
Blender with SIGBUS. Who may touch a slot is settled by messages (`messages.py`), so the file holds no locks.

A frame fills its slot from the start: the planes lie one after the other in the order asked for, each (height,
width, channels) float32, bottom row first.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..errors import DeviceError, ProtocolError
from .messages import MapFrames
from .scene import PLANE_CHANNELS, PlaneName

MAX_TOTAL_BYTES = 1 << 35
ALIGNMENT = mmap.ALLOCATIONGRANULARITY
ZEROS = bytes(1 << 20)
INHERITED = "fd:"


def frame_bytes(planes: Sequence[str], width: int, height: int) -> int:
    """Count the bytes of one frame."""
    return 4 * width * height * sum(PLANE_CHANNELS[name] for name in planes)


def aligned(num_bytes: int) -> int:
    """Round up to whole pages."""
    return -(-num_bytes // ALIGNMENT) * ALIGNMENT


class FrameSlots:
    """A mapped frame file, seen as slots."""

    def __init__(self, mapped: mmap.mmap, slot_bytes: int, num_slots: int) -> None:
        """Cut a mapping into `num_slots` slots of `slot_bytes`."""
        self._mapped = mapped
        self.slot_bytes = slot_bytes
        self.num_slots = num_slots

    @classmethod
    def open(cls, message: MapFrames) -> FrameSlots:
        """Map what the other side made.

        Raises:
            ProtocolError: The file is missing, too small, or could shrink while it is mapped.
        """
        slot_bytes, num_slots = message.slot_bytes, message.num_slots
        total = slot_bytes * num_slots
        if slot_bytes <= 0 or num_slots <= 0 or total > MAX_TOTAL_BYTES:
            raise ProtocolError(f"A frame file of {num_slots} slots of {slot_bytes} bytes is impossible.")
        try:
            with _descriptor(message.path) as descriptor:
                size = os.fstat(descriptor).st_size
                if size < total:
                    raise ProtocolError(f"The frame file holds {size} bytes, but {total} were announced.")
                return cls(mmap.mmap(descriptor, total), slot_bytes, num_slots)
        except (OSError, ValueError) as error:
            raise ProtocolError(f"The frame file {message.path} cannot be mapped: {error}.") from error

    @property
    def memory(self) -> np.ndarray:
        """All slots as bytes, writable; the mapping stays as long as the array is held."""
        return np.frombuffer(self._mapped, np.uint8, self.slot_bytes * self.num_slots)

    def planes(
        self, slot: int, names: Sequence[PlaneName], width: int, height: int
    ) -> dict[PlaneName, np.ndarray]:
        """Give the planes of a frame as views into a slot: (height, width, channels) float32, writable.

        Raises:
            ProtocolError: There is no such slot, or the frame does not fit into it.
        """
        if not 0 <= slot < self.num_slots:
            raise ProtocolError(f"There is no frame slot {slot}; there are {self.num_slots}.")
        needed = frame_bytes(names, width, height)
        if width <= 0 or height <= 0 or needed > self.slot_bytes:
            raise ProtocolError(
                f"A frame of {width} x {height} does not fit into a slot of {self.slot_bytes} bytes."
            )
        views: dict[PlaneName, np.ndarray] = {}
        offset = slot * self.slot_bytes
        for name in names:
            shape = (height, width, PLANE_CHANNELS[name])
            flat = np.frombuffer(self._mapped, np.float32, height * width * shape[2], offset)
            views[name] = flat.reshape(shape)
            offset += flat.nbytes
        return views

    def close(self) -> None:
        """Unmap, now or when the last view is gone."""
        with contextlib.suppress(BufferError):
            self._mapped.close()


class FrameFile:
    """The add-on's side: makes the file, and a larger layout of it when views grow.

    A new layout voids the old one: `MapFrames` takes every granted slot back, and a frame of an earlier request is
    not to be read.
    """

    def __init__(self, folder: Path) -> None:
        """Make an empty file; `folder` holds it where memory files cannot be sealed."""
        self._folder = folder
        self._sealed = _sealed_memory() if sys.platform == "linux" else None
        self._path: Path | None = None
        self.slots: FrameSlots | None = None

    @property
    def pass_fds(self) -> tuple[int, ...]:
        """Descriptors that the engine has to inherit."""
        return () if self._sealed is None else (self._sealed,)

    def resize(self, slot_bytes: int, num_slots: int) -> MapFrames:
        """Make room for `num_slots` slots of at least `slot_bytes`; give the message that announces it.

        Raises:
            DeviceError: There is no memory or disk space for it.
        """
        slot_bytes = aligned(slot_bytes)
        try:
            message = self._allocate(slot_bytes, num_slots)
        except OSError as error:
            megabytes = slot_bytes * num_slots >> 20
            raise DeviceError(
                f"No room for pictures of {megabytes} MB: {error.strerror}. Free some memory, or make the view smaller."
            ) from error
        if self.slots is not None:
            self.slots.close()
        self.slots = FrameSlots.open(message)
        return message

    def close(self) -> None:
        """Unmap and remove it."""
        if self.slots is not None:
            self.slots.close()
            self.slots = None
        if self._sealed is not None:
            os.close(self._sealed)
            self._sealed = None
        self._remove_file()

    def _allocate(self, slot_bytes: int, num_slots: int) -> MapFrames:
        total = slot_bytes * num_slots
        if self._sealed is not None:
            os.posix_fallocate(self._sealed, 0, total)
            name = f"{INHERITED}{self._sealed}"
        else:
            previous, self._path = self._path, _allocated_file(self._folder, total)
            name = str(self._path)
            if previous is not None:
                with contextlib.suppress(OSError):  # still mapped somewhere; the session's folder goes later
                    previous.unlink()
        return MapFrames(path=name, slot_bytes=slot_bytes, num_slots=num_slots)

    def _remove_file(self) -> None:
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()
            self._path = None


def _sealed_memory() -> int:
    import fcntl

    descriptor = os.memfd_create("neural_implicit_frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
    return descriptor


def _allocated_file(folder: Path, total: int) -> Path:
    descriptor, name = tempfile.mkstemp(prefix="frames_", dir=folder)
    with os.fdopen(descriptor, "wb") as stream:
        for start in range(0, total, len(ZEROS)):
            stream.write(ZEROS[: total - start])
        stream.flush()
        os.fsync(stream.fileno())
    return Path(name)


@contextlib.contextmanager
def _descriptor(path: str) -> Iterator[int]:
    if not path.startswith(INHERITED):
        with Path(path).open("r+b") as stream:
            yield stream.fileno()
        return
    import fcntl

    descriptor = int(path[len(INHERITED) :])
    if not fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK:
        raise ProtocolError(f"The frame file {path} could shrink while it is mapped; it is not sealed.")
    yield descriptor
