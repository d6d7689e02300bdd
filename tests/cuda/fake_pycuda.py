"""`pycuda.driver` without a GPU, as far as the engine asks it: memory is the host's, launches run the host library's kernels.

It minds what PyCUDA minds: every call needs a context on top of the calling thread's stack, and a block is freed once.
"""

import ctypes
import threading
import time
import types

import numpy as np

from tests.cuda import host_twin


class Error(Exception):
    pass


class LogicError(Error):
    pass


class MemoryError(Error):
    pass


class LaunchError(Error):
    pass


_stack = threading.local()


def contexts():
    """Give the calling thread's stack of contexts."""
    if not hasattr(_stack, "entries"):
        _stack.entries = []
    return _stack.entries


class Context:
    def __init__(self, driver):
        self.driver, self.detached = driver, False

    def push(self):
        if self.driver.fails == "push":
            raise LogicError("cuCtxPushCurrent failed: an illegal memory access was encountered")
        contexts().append(self)

    @staticmethod
    def pop():
        contexts().pop()

    def detach(self):
        self.detached = True


class Allocation:
    def __init__(self, driver, size):
        self._memory = np.full(size + 512, 0xCD, np.uint8)
        self._address, self._driver, self.size = -(-self._memory.ctypes.data // 512) * 512, driver, size

    def __int__(self):
        return self._address

    def free(self):
        self._driver.need()
        self._driver.blocks.remove(self)


class Function:
    num_regs = 128

    def __init__(self, driver, name):
        self.name, self._driver = name, driver

    def set_attribute(self, attribute, value):
        assert attribute == "shared" and value <= self._driver.shared_bytes

    def prepare(self, types_):
        (self._type,) = types_
        assert self._type.char == "V"  # PyCUDA packs it as that many bytes

    def prepared_async_call(self, grid, block, stream, data, shared_size=0):
        self._driver.need()
        assert len(grid) == 2 and len(block) == 3 and len(data) == self._type.itemsize
        self._driver.launches += 1
        if self._driver.fails == "launch":
            raise LaunchError("cuLaunchKernel failed: unspecified launch failure")
        memory = ctypes.create_string_buffer(data, len(data))
        getattr(host_twin.library(), self.name)(memory)


class Event:
    def __init__(self, driver):
        self._driver = driver

    def record(self, stream):
        self._driver.need()
        self.when = time.perf_counter()
        return self

    def synchronize(self):
        self._driver.need()

    def time_till(self, other):
        return 1e3 * (other.when - self.when)


class Registered:
    def __init__(self, driver):
        self._driver = driver

    def unregister(self):
        self._driver.need()
        self._driver.registered -= 1


class FakePycuda(types.ModuleType):
    """The module; what it is to be is said by attributes."""

    def __init__(self, version=13000, names=("Fake H100",), capability=(9, 0), memory=8 << 30, fails=None):
        super().__init__("pycuda.driver")
        self.version, self.names, self.capability, self.total, self.fails = (
            version,
            names,
            capability,
            memory,
            fails,
        )
        self.shared_bytes = 227 << 10
        self.blocks, self.launches, self.registered = [], 0, 0
        self.Error, self.LogicError, self.MemoryError, self.Context = Error, LogicError, MemoryError, Context
        self.device_attribute = types.SimpleNamespace(
            MULTIPROCESSOR_COUNT=2, MAX_SHARED_MEMORY_PER_BLOCK_OPTIN=self.shared_bytes, CLOCK_RATE=1_000_000
        )
        self.function_attribute = types.SimpleNamespace(MAX_DYNAMIC_SHARED_SIZE_BYTES="shared")
        self.Device = self._device
        self._device.count = lambda: len(self.names)

    def need(self):
        assert contexts() and contexts()[-1].driver is self, "no context is current"

    def init(self):
        if self.fails == "init":
            raise LogicError("cuInit failed: no CUDA-capable device is detected")

    def get_driver_version(self):
        return self.version

    class _Device:
        def __init__(self, driver, index):
            self._driver, self._index = driver, index

        def name(self):
            return self._driver.names[self._index]

        def compute_capability(self):
            return self._driver.capability

        def total_memory(self):
            return self._driver.total

        def get_attribute(self, value):
            return value

        def retain_primary_context(self):
            if self._driver.fails == "retain":
                raise LogicError("cuDevicePrimaryCtxRetain failed: device busy")
            return Context(self._driver)

    @property
    def _device(self):
        if "_factory" not in self.__dict__:
            self._factory = lambda index: self._Device(self, index)
        return self._factory

    def Stream(self):
        self.need()
        return types.SimpleNamespace(synchronize=self._wait)

    def _wait(self):
        self.need()
        if self.fails == "wait":
            raise LaunchError("cuStreamSynchronize failed: an illegal memory access was encountered")

    def mem_alloc(self, size):
        self.need()
        if size + sum(block.size for block in self.blocks) > self.total:
            raise MemoryError("cuMemAlloc failed: out of memory")
        self.blocks.append(Allocation(self, size))
        return self.blocks[-1]

    def mem_get_info(self):
        self.need()
        return self.total - sum(block.size for block in self.blocks), self.total

    def memcpy_htod_async(self, address, source, stream):
        self.need()
        ctypes.memmove(address, source.ctypes.data, source.nbytes)

    def memcpy_dtoh_async(self, target, address, stream):
        self.need()
        ctypes.memmove(target.ctypes.data, address, target.nbytes)

    def memset_d32_async(self, address, word, count, stream):
        self.need()
        words = np.full(count, word, np.uint32)
        ctypes.memmove(address, words.ctypes.data, words.nbytes)

    def module_from_buffer(self, image):
        self.need()
        if self.fails == "load":
            raise LogicError("cuModuleLoadDataEx failed: device kernel image is invalid")
        return types.SimpleNamespace(get_function=lambda name: Function(self, name))

    def Event(self):
        return Event(self)

    def register_host_memory(self, array):
        self.need()
        if self.fails == "pin":
            raise LogicError("cuMemHostRegister failed: operation not supported")
        self.registered += 1
        return types.SimpleNamespace(base=Registered(self))
