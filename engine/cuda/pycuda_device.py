"""The device interface on PyCUDA."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from .device import OLDEST_DRIVER, Array, DeviceInfo, as_bytes, old_driver, struct_bytes
from .errors import DeviceLostError, DeviceMemoryError, NoDeviceError


class PycudaDriver:
    """`Driver` by PyCUDA."""

    name = "PyCUDA"

    def __init__(self) -> None:
        """Nothing is imported before `devices`."""
        self._cuda: Any = None

    def devices(self) -> list[DeviceInfo]:
        """Give all devices; see `Driver`."""
        try:
            self._cuda = importlib.import_module("pycuda.driver")
        except ImportError as error:
            raise NoDeviceError(f"PyCUDA is not usable ({error})") from error
        cuda = self._cuda
        try:
            cuda.init()
            version = int(cuda.get_driver_version())
        except cuda.Error as error:
            raise NoDeviceError(f"the NVIDIA driver does not start ({error})") from error
        if version < OLDEST_DRIVER:
            raise NoDeviceError(old_driver(version, OLDEST_DRIVER))
        return [self._info(k, version) for k in range(cuda.Device.count())]

    def open(self, info: DeviceInfo) -> PycudaDevice:
        """Open a device's primary context."""
        return PycudaDevice(self._cuda, info)

    def _info(self, index: int, version: int) -> DeviceInfo:
        device, names = self._cuda.Device(index), self._cuda.device_attribute
        return DeviceInfo(
            index=index,
            name=device.name(),
            capability=tuple(device.compute_capability()),
            memory_bytes=int(device.total_memory()),
            multiprocessors=int(device.get_attribute(names.MULTIPROCESSOR_COUNT)),
            shared_bytes=int(device.get_attribute(names.MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)),
            clock_hz=1e3 * int(device.get_attribute(names.CLOCK_RATE)),
            driver=version,
            by=self.name,
        )


class PycudaDevice:
    """`Device` by PyCUDA; every call pushes the primary context onto the calling thread and pops it again."""

    def __init__(self, cuda: Any, info: DeviceInfo) -> None:
        """Retain the primary context."""
        self.info = info
        self._cuda = cuda
        try:
            self._context = cuda.Device(info.index).retain_primary_context()
        except cuda.Error as error:
            raise DeviceLostError(f"the GPU failed ({error})") from error
        self._allocations: dict[int, Any] = {}
        with self._current():
            self._stream = cuda.Stream()

    @contextlib.contextmanager
    def _current(self) -> Iterator[Any]:
        cuda = self._cuda
        try:
            self._context.push()
            try:
                yield cuda
            finally:
                cuda.Context.pop()
        except cuda.MemoryError as error:
            raise DeviceMemoryError(f"the GPU's memory is full ({error})") from error
        except cuda.Error as error:
            raise DeviceLostError(f"the GPU failed ({error})") from error

    def allocate(self, num_bytes: int) -> int:
        """Give the address of so much memory."""
        with self._current() as cuda:
            allocation = cuda.mem_alloc(max(1, num_bytes))
        self._allocations[int(allocation)] = allocation
        return int(allocation)

    def free(self, address: int) -> None:
        """Give memory back."""
        with self._current():
            self._allocations.pop(address).free()

    def free_bytes(self) -> int:
        """Give how much memory is not in use."""
        with self._current() as cuda:
            return int(cuda.mem_get_info()[0])

    def upload(self, address: int, array: Array) -> None:
        """Copy to the device."""
        source = as_bytes(array)
        if source.size:
            with self._current() as cuda:
                cuda.memcpy_htod_async(address, source, self._stream)
                self._stream.synchronize()

    def download(self, array: Array, address: int) -> None:
        """Copy from the device."""
        target = as_bytes(array)
        if target.size:
            with self._current() as cuda:
                cuda.memcpy_dtoh_async(target, address, self._stream)
                self._stream.synchronize()

    def fill(self, address: int, word: int, count: int) -> None:
        """Write a word `count` times."""
        if count:
            with self._current() as cuda:
                cuda.memset_d32_async(address, word, count, self._stream)

    def load(self, image: bytes) -> Any:
        """Load a cubin or PTX text."""
        with self._current() as cuda:
            return cuda.module_from_buffer(image)

    def kernel(self, module: Any, name: str, shared_bytes: int) -> Any:
        """Give a kernel."""
        with self._current() as cuda:
            function = module.get_function(name)
            function.set_attribute(cuda.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES, shared_bytes)
        return function

    def resident_blocks(self, kernel: Any, threads: int, shared_bytes: int) -> int:
        """Give how many blocks a multiprocessor holds; PyCUDA has no call for it, so from the kernel's registers."""
        with self._current():
            registers = -(-max(int(kernel.num_regs), 16) // 8) * 8
        by_registers = 65536 // (registers * threads)
        per_multiprocessor = self.info.shared_bytes + 1024
        by_shared = per_multiprocessor // max(shared_bytes + 1024, 1)
        return max(1, min(by_registers, by_shared, 1536 // threads))

    def launch(self, kernel: Any, blocks: int, threads: int, shared_bytes: int, arguments: Array) -> None:
        """Begin a kernel."""
        data = struct_bytes(arguments)
        with self._current():
            kernel.prepare([np.dtype((np.void, len(data)))])
            kernel.prepared_async_call(
                (blocks, 1), (threads, 1, 1), self._stream, data, shared_size=shared_bytes
            )

    def synchronize(self) -> None:
        """Wait for all work."""
        with self._current():
            self._stream.synchronize()

    def mark(self) -> Any:
        """Record an event."""
        with self._current() as cuda:
            return cuda.Event().record(self._stream)

    def seconds_between(self, first: Any, second: Any) -> float:
        """Wait for the second event."""
        with self._current():
            second.synchronize()
            return 1e-3 * float(first.time_till(second))

    def pin(self, array: Array) -> Any:
        """Page-lock an array's memory."""
        with self._current() as cuda:
            return cuda.register_host_memory(as_bytes(array))

    def unpin(self, pinned: Any) -> None:
        """Undo `pin`."""
        with self._current():
            pinned.base.unregister()

    def close(self) -> None:
        """Let go of the primary context."""
        self._context.detach()
