"""The device interface on NVIDIA's `cuda-bindings` wheels, where PyCUDA cannot be built."""

from __future__ import annotations

import ctypes
import importlib
from typing import Any

from .device import OLDEST_DRIVER, Array, DeviceInfo, as_bytes, old_driver, struct_bytes
from .errors import DeviceLostError, DeviceMemoryError, NoDeviceError

OUT_OF_MEMORY = ("CUDA_ERROR_OUT_OF_MEMORY", "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES")


class BindingsDriver:
    """`Driver` by cuda-bindings."""

    name = "cuda-bindings"

    def __init__(self) -> None:
        """Load the package; the driver's library is looked for when it is first called."""
        self._cuda: Any = None

    def devices(self) -> list[DeviceInfo]:
        """Give all devices; see `Driver`."""
        try:
            self._cuda = importlib.import_module("cuda.bindings.driver")
        except ImportError as error:
            raise NoDeviceError(f"cuda-bindings is not installed ({error.name})") from error
        try:
            status = self._cuda.cuInit(0)[0]
        except Exception as error:  # the package's own, of several kinds: there is no libcuda
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise NoDeviceError(f"there is no NVIDIA driver on this machine ({text})") from error
        if int(status) != 0:
            raise NoDeviceError(f"the NVIDIA driver does not start ({status.name})")
        version = self._ask(self._cuda.cuDriverGetVersion())
        if version < OLDEST_DRIVER:
            raise NoDeviceError(old_driver(version, OLDEST_DRIVER))
        return [self._info(k, version) for k in range(self._ask(self._cuda.cuDeviceGetCount()))]

    def open(self, info: DeviceInfo) -> BindingsDevice:
        """Open a device's primary context."""
        return BindingsDevice(self._cuda, info)

    def _info(self, index: int, version: int) -> DeviceInfo:
        cuda = self._cuda
        device = self._ask(cuda.cuDeviceGet(index))
        names = cuda.CUdevice_attribute

        def attribute(name: str) -> int:
            return int(
                self._ask(cuda.cuDeviceGetAttribute(getattr(names, f"CU_DEVICE_ATTRIBUTE_{name}"), device))
            )

        return DeviceInfo(
            index=index,
            name=self._ask(cuda.cuDeviceGetName(128, device)).split(b"\0")[0].decode(),
            capability=(attribute("COMPUTE_CAPABILITY_MAJOR"), attribute("COMPUTE_CAPABILITY_MINOR")),
            memory_bytes=int(self._ask(cuda.cuDeviceTotalMem(device))),
            multiprocessors=attribute("MULTIPROCESSOR_COUNT"),
            shared_bytes=attribute("MAX_SHARED_MEMORY_PER_BLOCK_OPTIN"),
            clock_hz=1e3 * attribute("CLOCK_RATE"),
            driver=version,
            by=self.name,
        )

    @staticmethod
    def _ask(answer: tuple[Any, ...]) -> Any:
        return checked(answer)


def checked(answer: tuple[Any, ...]) -> Any:
    """Give what a call of the driver returned beside its status.

    Raises:
        DeviceMemoryError: Memory is short.
        DeviceLostError: Anything else went wrong: after an error of a kernel no call of the context works.
    """
    status = answer[0]
    if int(status) == 0:
        return answer[1] if len(answer) == 2 else answer[1:]
    if status.name in OUT_OF_MEMORY:
        raise DeviceMemoryError(f"the GPU's memory is full ({status.name})")
    raise DeviceLostError(f"the GPU failed ({status.name})")


class BindingsDevice:
    """`Device` by cuda-bindings."""

    def __init__(self, cuda: Any, info: DeviceInfo) -> None:
        """Retain the primary context."""
        self.info = info
        self._cuda = cuda
        self._device = checked(cuda.cuDeviceGet(info.index))
        self._context = checked(cuda.cuDevicePrimaryCtxRetain(self._device))
        self._enter()
        self._stream = checked(cuda.cuStreamCreate(cuda.CUstream_flags.CU_STREAM_NON_BLOCKING))

    def _enter(self) -> Any:
        """Make the context this thread's and give the driver."""
        checked(self._cuda.cuCtxSetCurrent(self._context))
        return self._cuda

    def allocate(self, num_bytes: int) -> int:
        """Give the address of so much memory."""
        return int(checked(self._enter().cuMemAlloc(max(1, num_bytes))))

    def free(self, address: int) -> None:
        """Give memory back."""
        checked(self._enter().cuMemFree(address))

    def free_bytes(self) -> int:
        """Give how much memory is not in use."""
        return int(checked(self._enter().cuMemGetInfo())[0])

    def upload(self, address: int, array: Array) -> None:
        """Copy to the device."""
        source = as_bytes(array)
        if source.size:
            cuda = self._enter()
            checked(cuda.cuMemcpyHtoDAsync(address, source.ctypes.data, source.size, self._stream))
            checked(cuda.cuStreamSynchronize(self._stream))

    def download(self, array: Array, address: int) -> None:
        """Copy from the device."""
        target = as_bytes(array)
        if target.size:
            cuda = self._enter()
            checked(cuda.cuMemcpyDtoHAsync(target.ctypes.data, address, target.size, self._stream))
            checked(cuda.cuStreamSynchronize(self._stream))

    def fill(self, address: int, word: int, count: int) -> None:
        """Write a word `count` times."""
        if count:
            checked(self._enter().cuMemsetD32Async(address, word, count, self._stream))

    def load(self, image: bytes) -> Any:
        """Load a cubin or PTX text."""
        return checked(self._enter().cuModuleLoadData(image))

    def kernel(self, module: Any, name: str, shared_bytes: int) -> Any:
        """Give a kernel."""
        cuda = self._enter()
        function = checked(cuda.cuModuleGetFunction(module, name.encode()))
        most = cuda.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
        checked(cuda.cuFuncSetAttribute(function, most, shared_bytes))
        return function

    def resident_blocks(self, kernel: Any, threads: int, shared_bytes: int) -> int:
        """Give how many blocks a multiprocessor holds."""
        cuda = self._enter()
        return int(checked(cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(kernel, threads, shared_bytes)))

    def launch(self, kernel: Any, blocks: int, threads: int, shared_bytes: int, arguments: Array) -> None:
        """Begin a kernel."""
        data = ctypes.create_string_buffer(struct_bytes(arguments), arguments.nbytes)
        pointers = (ctypes.c_void_p * 1)(ctypes.addressof(data))
        cuda = self._enter()
        grid, block = (blocks, 1, 1), (threads, 1, 1)
        checked(
            cuda.cuLaunchKernel(
                kernel, *grid, *block, shared_bytes, self._stream, ctypes.addressof(pointers), 0
            )
        )

    def synchronize(self) -> None:
        """Wait for all work."""
        checked(self._enter().cuStreamSynchronize(self._stream))

    def mark(self) -> Any:
        """Record an event."""
        cuda = self._enter()
        event = checked(cuda.cuEventCreate(0))
        checked(cuda.cuEventRecord(event, self._stream))
        return event

    def seconds_between(self, first: Any, second: Any) -> float:
        """Wait for the second event and let both go."""
        cuda = self._enter()
        checked(cuda.cuEventSynchronize(second))
        milliseconds = float(checked(cuda.cuEventElapsedTime(first, second)))
        for event in (first, second):
            checked(cuda.cuEventDestroy(event))
        return 1e-3 * milliseconds

    def pin(self, array: Array) -> Any:
        """Page-lock an array's memory."""
        data = as_bytes(array)
        checked(self._enter().cuMemHostRegister(data.ctypes.data, data.size, 0))
        return int(data.ctypes.data)

    def unpin(self, pinned: Any) -> None:
        """Undo `pin`."""
        checked(self._enter().cuMemHostUnregister(pinned))

    def close(self) -> None:
        """Let go of the primary context."""
        self._cuda.cuDevicePrimaryCtxRelease(self._device)
