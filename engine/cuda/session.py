"""One GPU at work: its kernels, its memory, and one launch at a time.

All work goes through one stream, under one lock, so a session may be used from any thread. After the first
`DeviceLostError`, from whatever call, a session is `lost` and refuses everything; whoever holds it goes on with the CPU.
"""

from __future__ import annotations

import logging
import threading
import weakref
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from .archive import KernelArchive
from .device import Array, Device
from .errors import DeviceLostError, DeviceMemoryError
from .memory_pool import MemoryPool

log = logging.getLogger(__name__)

SMALLEST_PINNED = 1 << 20  # bytes; smaller copies take as long either way
KEPT_FREE = 256 << 20  # bytes that are left to others, Blender's viewport first


class CudaSession:
    """An open device with its kernels."""

    def __init__(self, device: Device, archive: KernelArchive) -> None:
        """Take over an open device."""
        self.lock = threading.RLock()
        self.lost = False
        self._device = cast(Device, _Watched(device, self))
        self._memory = MemoryPool(self._device)
        self._archive = archive
        self._staging: tuple[npt.NDArray[np.uint8], Any] | None = None
        self._shared: tuple[npt.NDArray[np.uint8], Any] | None = None
        self._modules: dict[str, Any] = {}
        self._kernels: dict[tuple[str, int], Any] = {}
        self._resident: dict[tuple[str, int, int], int] = {}

    @property
    def device(self) -> Device:
        """The device.

        Raises:
            DeviceLostError: It works no more.
        """
        self._refuse_lost()
        return self._device

    def pool(self) -> MemoryPool:
        """Give what allocates.

        Raises:
            DeviceLostError: The device works no more.
        """
        self._refuse_lost()
        return self._memory

    def _refuse_lost(self) -> None:
        if self.lost:
            raise DeviceLostError("the GPU was lost earlier; restart the engine to use it again")

    def free_bytes(self) -> int:
        """Give how much memory a request may take."""
        pool = self.pool()
        pool.settle()
        return max(0, self.device.free_bytes() + pool.kept_bytes - KEPT_FREE)

    def give_back(self, address: int) -> None:
        """Take memory back, in whatever thread and at whatever moment."""
        self._memory.give_back(address)
        if not self.lost and self.lock.acquire(blocking=False):  # or else the next request sorts it in
            try:
                self._memory.settle()
            except DeviceLostError:
                log.debug("a block of the GPU's memory is lost with it")
            finally:
                self.lock.release()

    def empty(self, num_bytes: int) -> DeviceArray:
        """Give memory whose content is anything."""
        return DeviceArray(self, num_bytes)

    def array(self, data: Array) -> DeviceArray:
        """Give a copy of an array on the device."""
        data = np.ascontiguousarray(data)
        memory = DeviceArray(self, data.nbytes)
        self.device.upload(memory.address, data)
        return memory

    def zeros(self, num_bytes: int) -> DeviceArray:
        """Give memory of zeros; a multiple of four bytes."""
        memory = DeviceArray(self, num_bytes)
        self.device.fill(memory.address, 0, num_bytes // 4)
        return memory

    def download(self, memory: DeviceArray, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """Wait for all work and give an array."""
        return self.download_from(memory.address, shape, dtype)

    def download_from(self, address: int, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """Wait for all work and give an array from any place of the device; large ones come by page-locked memory."""
        result = np.empty(shape, dtype)
        if result.nbytes < SMALLEST_PINNED:
            self.device.download(result, address)
            return result
        with self.lock:
            staging = self._pinned(result.nbytes)[: result.nbytes]
            self.device.download(staging, address)
            result.reshape(-1).view(np.uint8)[...] = staging
        return result

    def _pinned(self, num_bytes: int) -> npt.NDArray[np.uint8]:
        """Give page-locked memory of at least so many bytes; it grows with what is asked for and is kept."""
        if self._staging is None or self._staging[0].nbytes < num_bytes:
            if self._staging is not None:
                self.device.unpin(self._staging[1])
                self._staging = None
            memory = np.empty(num_bytes, np.uint8)
            self._staging = (memory, self.device.pin(memory))
        return self._staging[0]

    def share(self, memory: npt.NDArray[np.uint8]) -> bool:
        """Page-lock a mapped file that pictures are copied into, instead of the one before; whether the driver can.

        The array is held, so its mapping outlives the lock; it goes when another one comes, or with the session.
        """
        known = self._shared
        if known is None or (known[0].ctypes.data, known[0].nbytes) != (memory.ctypes.data, memory.nbytes):
            self.release_shared()
            try:
                pinned = self.device.pin(memory)
            except (DeviceMemoryError, DeviceLostError) as error:
                log.info("the frame file cannot be page-locked (%s): pictures take a copy more", error)
                pinned = None
            self._shared = known = (memory, pinned)
        return known[1] is not None

    def release_shared(self) -> None:
        """Undo `share`."""
        if self._shared is not None and self._shared[1] is not None and not self.lost:
            self.device.unpin(self._shared[1])
        self._shared = None

    def resident_blocks(self, source: str, name: str, threads: int, shared_bytes: int) -> int:
        """Give how many blocks of a kernel the whole device holds at once."""
        key = (name, threads, shared_bytes)
        if key not in self._resident:
            kernel = self._kernel(source, name, shared_bytes)
            each = max(1, self.device.resident_blocks(kernel, threads, shared_bytes))
            self._resident[key] = each * self.device.info.multiprocessors
        return self._resident[key]

    def launch(
        self, source: str, name: str, blocks: int, threads: int, shared_bytes: int, arguments: Array
    ) -> None:
        """Begin a kernel of a source with a struct as its argument."""
        kernel = self._kernel(source, name, shared_bytes)
        self.device.launch(kernel, blocks, threads, shared_bytes, arguments)

    def load(self, source: str, name: str) -> None:
        """Load a kernel before it is needed.

        Raises:
            NoDeviceError: The archive lacks it.
            DeviceLostError: The driver cannot load it.
        """
        self._kernel(source, name, 0)

    def _kernel(self, source: str, name: str, shared_bytes: int) -> Any:
        key = (name, shared_bytes)
        if key not in self._kernels:
            if source not in self._modules:
                image = self._archive.image(source, self.device.info.capability)
                self._modules[source] = self.device.load(image)
            self._kernels[key] = self.device.kernel(self._modules[source], name, shared_bytes)
        return self._kernels[key]


class DeviceArray:
    """Memory on the device, given back when nobody holds it any more.

    It may be given back while work on it is under way: what is written there next comes later in the same stream.
    """

    def __init__(self, session: CudaSession, num_bytes: int) -> None:
        """Allocate."""
        self.num_bytes = num_bytes
        with session.lock:
            self.address = session.pool().allocate(num_bytes)
        self._finalizer = weakref.finalize(self, session.give_back, self.address)

    def release(self) -> None:
        """Give the memory back now."""
        self._finalizer()


class _Watched:
    """A device whose first failure makes its session lost; memory that cannot be page-locked is none."""

    def __init__(self, device: Device, session: CudaSession) -> None:
        self._watched, self._session = device, weakref.proxy(session)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._watched, name)
        if name in ("info", "pin"):
            return found

        def call(*arguments: Any) -> Any:
            try:
                return found(*arguments)
            except DeviceLostError:
                self._session.lost = True
                raise

        return call
