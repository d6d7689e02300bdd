"""What the engine asks of a GPU: memory, modules, launches, time. One narrow interface, whatever package is behind it.

A device is opened on its *primary* context, the one that Warp's runtime shares, and works through one stream. Calls may
come from any thread; `CudaSession` lets in one at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
OLDEST_CAPABILITY = (7, 5)
OLDEST_DRIVER = 12000  # CUDA 12.0 as cuDriverGetVersion says it


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo:
    """One GPU."""

    index: int
    name: str
    capability: tuple[int, int]
    memory_bytes: int
    multiprocessors: int
    shared_bytes: int  # most that a block can ask for
    clock_hz: float = 0.0  # the highest of the multiprocessors; 0: not known
    driver: int = OLDEST_DRIVER  # as cuDriverGetVersion says it
    by: str = ""  # the package that found it


class Device(Protocol):
    """An open device. Addresses are numbers; whoever allocates frees.

    Raises:
        DeviceMemoryError: Memory is short; the device works on.
        DeviceLostError: A launch failed or the device is gone.
    """

    info: DeviceInfo

    def allocate(self, num_bytes: int) -> int:
        """Give the address of so much memory; at least one byte."""
        ...

    def free(self, address: int) -> None:
        """Give memory back."""
        ...

    def free_bytes(self) -> int:
        """Give how much memory is not in use, by anybody."""
        ...

    def upload(self, address: int, array: Array) -> None:
        """Copy a C-contiguous array to the device; it may be changed when this returns."""
        ...

    def download(self, array: Array, address: int) -> None:
        """Wait for all work and copy from the device into a C-contiguous array."""
        ...

    def fill(self, address: int, word: int, count: int) -> None:
        """Write a 32-bit word `count` times."""
        ...

    def load(self, image: bytes) -> Any:
        """Load a cubin or PTX text; gives a module."""
        ...

    def kernel(self, module: Any, name: str, shared_bytes: int) -> Any:
        """Give a kernel that may be launched with so much shared memory."""
        ...

    def resident_blocks(self, kernel: Any, threads: int, shared_bytes: int) -> int:
        """Give how many blocks a multiprocessor holds at once."""
        ...

    def launch(self, kernel: Any, blocks: int, threads: int, shared_bytes: int, arguments: Array) -> None:
        """Begin a kernel whose one argument is a struct."""
        ...

    def synchronize(self) -> None:
        """Wait for all work."""
        ...

    def mark(self) -> Any:
        """Record an event after the work begun so far."""
        ...

    def seconds_between(self, first: Any, second: Any) -> float:
        """Wait for the second event and give the time between both, which are let go."""
        ...

    def pin(self, array: Array) -> Any:
        """Make an array's memory page-locked, so that copies from the device run at full speed; gives what `unpin` takes."""
        ...

    def unpin(self, pinned: Any) -> None:
        """Undo `pin`."""
        ...

    def close(self) -> None:
        """Let go of the context."""
        ...


class Driver(Protocol):
    """One package that reaches NVIDIA's driver."""

    name: str

    def devices(self) -> list[DeviceInfo]:
        """Give all devices.

        Raises:
            NoDeviceError: The package, the driver or a device is missing, or the driver is too old.
        """
        ...

    def open(self, info: DeviceInfo) -> Device:
        """Open a device's primary context."""
        ...


def old_driver(version: int, needed: int) -> str:
    """Say that the driver is too old; versions as cuDriverGetVersion says them."""
    have, need = (f"{number // 1000}.{number % 1000 // 10}" for number in (version, needed))
    return f"the NVIDIA driver is for CUDA {have} and the kernels need {need}; install a newer driver"


def struct_bytes(arguments: Array) -> bytes:
    """Give a launch's one argument as bytes; our own mistake if it is not one struct."""
    assert arguments.dtype.names is not None and arguments.size == 1
    return arguments.tobytes()


def contiguous(array: Array) -> Array:
    """Give the array itself, or our own mistake if its memory is not in one piece."""
    assert array.flags.c_contiguous
    return array


def as_bytes(array: Array) -> npt.NDArray[np.uint8]:
    """Give the same memory as bytes."""
    return contiguous(array).reshape(-1).view(np.uint8)
