"""A driver without a GPU: memory is the host's, and launches run the kernels of the host library.

It keeps count of memory, checks what a real device would refuse, and fails where a test tells it to.
"""

import ctypes
import os

import numpy as np

from engine.cuda import layouts
from engine.cuda.archive import KernelArchive
from engine.cuda.choose import shared_session
from engine.cuda.device import OLDEST_DRIVER, DeviceInfo
from engine.cuda.errors import DeviceLostError, DeviceMemoryError, NoDeviceError
from engine.cuda.session import CudaSession
from tests.cuda import host_twin

STRUCTS = {
    "march": layouts.MARCH_ARGUMENTS,
    "evaluate": layouts.EVALUATE_ARGUMENTS,
    "cast": layouts.CAST_ARGUMENTS,
    "neural": layouts.NORMALS_ARGUMENTS,
    "certify": layouts.CERTIFY_ARGUMENTS,
    "finish_frames": layouts.FINISH_ARGUMENTS,
    "measure": layouts.NOISE_ARGUMENTS,
    "choose": layouts.NOISE_ARGUMENTS,
    "begin_filter": layouts.DENOISE_ARGUMENTS,
    "filter": layouts.DENOISE_ARGUMENTS,
}
MOST_THREADS = {"march": 256, "evaluate": 256, "neural": 256}  # launch bounds; of the others 128


def info(**changes):
    values = {
        "index": 0,
        "name": "Fake H100",
        "capability": (9, 0),
        "memory_bytes": 80 << 30,
        "multiprocessors": 4,
        "shared_bytes": 227 << 10,
        "by": "fake",
    }
    return DeviceInfo(**(values | changes))


class FakeDriver:
    """One that finds the given devices, or gives a reason why it finds none."""

    def __init__(self, devices=(), reason=None, name="fake", fails_to_open=()):
        self.name, self._devices, self._reason, self._fails = name, list(devices), reason, fails_to_open

    def devices(self):
        if self._reason is not None:
            raise NoDeviceError(self._reason)
        return self._devices

    def open(self, info):
        if info.index in self._fails:
            raise DeviceLostError("the GPU failed (CUDA_ERROR_DEVICE_UNAVAILABLE)")
        return FakeDevice(info)


class FakeDevice:
    def __init__(self, info, capacity=1 << 40):
        self.info, self.capacity = info, capacity
        self.memory, self.launches, self.closed, self.pinned = {}, [], False, []
        self.allocations = 0
        self.lost_at = None  # number of the launch that fails

    @property
    def used(self):
        return sum(len(block) for block in self.memory.values())

    def allocate(self, num_bytes):
        if self.used + num_bytes > self.capacity:
            raise DeviceMemoryError("the GPU's memory is full (CUDA_ERROR_OUT_OF_MEMORY)")
        self.allocations += 1
        block = np.full(max(1, num_bytes) + 256, 0xCD, np.uint8)  # uninitialised memory is not zero
        start = -(-block.ctypes.data // 256) * 256
        self.memory[start] = block
        return start

    def free(self, address):
        del self.memory[address]

    def free_bytes(self):
        return self.capacity - self.used

    def upload(self, address, array):
        ctypes.memmove(address, array.ctypes.data, array.nbytes)

    def download(self, array, address):
        assert array.flags.c_contiguous
        ctypes.memmove(array.ctypes.data, address, array.nbytes)

    def fill(self, address, word, count):
        words = np.full(count, word, np.uint32)
        ctypes.memmove(address, words.ctypes.data, words.nbytes)

    def load(self, image):
        return image

    def kernel(self, module, name, shared_bytes):
        assert shared_bytes <= self.info.shared_bytes
        return name

    def resident_blocks(self, kernel, threads, shared_bytes):
        return 2

    def launch(self, kernel, blocks, threads, shared_bytes, arguments):
        kind = kernel if kernel in STRUCTS else kernel.split("_")[0]
        assert arguments.dtype == STRUCTS.get(kind, layouts.FRAME) and arguments.size == 1
        assert (
            blocks >= 1 and threads <= MOST_THREADS.get(kind, 128) and shared_bytes <= self.info.shared_bytes
        )
        if self.lost_at == len(self.launches):
            raise DeviceLostError("the GPU failed (CUDA_ERROR_ILLEGAL_ADDRESS)")
        self.launches.append((kernel, blocks, threads, shared_bytes))
        host_twin.run(kernel, arguments)

    def synchronize(self):
        pass

    def mark(self):
        return len(self.launches)

    def seconds_between(self, first, second):
        return 1e-3 * (second - first)

    def pin(self, array):
        assert not any(np.shares_memory(array, other) for other in self.pinned)
        self.pinned.append(array)
        return array.ctypes.data

    def unpin(self, pinned):
        (place,) = [k for k, array in enumerate(self.pinned) if array.ctypes.data == pinned]
        del self.pinned[place]

    def close(self):
        self.closed = True


class AnyArchive(KernelArchive):
    """Gives an image of any name."""

    def check(self):
        return OLDEST_DRIVER

    def image(self, source, capability):
        return source.encode()


def fill_up(device, session, but=0):
    """Let a device have no memory but so much, and nothing that is kept."""
    session.pool().trim()
    device.capacity = device.used + but


def session(device=None):
    """Give a session on a fake device; where NEURAL_IMPLICIT_TEST_GPU is set and none is given, on the GPU."""
    if device is None and os.environ.get("NEURAL_IMPLICIT_TEST_GPU"):
        return shared_session()
    return CudaSession(device or FakeDevice(info()), AnyArchive(None))
