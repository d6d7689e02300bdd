"""Blocks of device memory that were given back, kept for the next request: a picture after a picture asks for the same.

The driver's own calls wait for the device and take some tenths of a millisecond each, and a picture needs two dozen blocks.
All work goes through one stream, so a block may be written again while what used it last is still under way. What is kept
is bounded, counts as free, and goes back to the driver before anybody is told that memory is short.
"""

from __future__ import annotations

import bisect
import contextlib
from collections import deque
from collections.abc import Iterator

from .device import Device
from .errors import DeviceMemoryError

MOST_KEPT = 2 << 30  # bytes; a picture in 4K takes three quarters of it
SHARE_KEPT = 8  # and at most this part of the device's memory
SMALL, LARGE = 512, 1 << 20  # bytes: sizes are rounded up to the first, from the second on to it
MOST_WASTE = 1.25  # a kept block may be larger than what is asked for by this factor


class MemoryPool:
    """Allocates on one device; whoever calls holds the session's lock, but for `give_back`."""

    def __init__(self, device: Device) -> None:
        """Keep nothing yet."""
        self._device = device
        self._most = min(MOST_KEPT, device.info.memory_bytes // SHARE_KEPT)
        self._sizes: dict[int, int] = {}  # of all blocks, in use or kept, by their address
        self._kept: list[tuple[int, int]] = []  # size and address, sorted
        self._given_back: deque[int] = deque()  # addresses; garbage collection may add one at any moment
        self._busy = False
        self.kept_bytes = 0

    def allocate(self, num_bytes: int) -> int:
        """Give the address of so much memory, whose content is anything.

        Raises:
            DeviceMemoryError: The device has no more, even without what was kept.
        """
        self.settle()
        size = _rounded(num_bytes)
        with self._work():
            place = bisect.bisect_left(self._kept, (size, 0))
            if place < len(self._kept) and self._kept[place][0] <= MOST_WASTE * size:
                kept, address = self._kept.pop(place)
                self.kept_bytes -= kept
                return address
            try:
                address = self._device.allocate(size)
            except DeviceMemoryError:
                if not self._kept:
                    raise
                self._release(0)
                address = self._device.allocate(size)
            self._sizes[address] = size
            return address

    def give_back(self, address: int) -> None:
        """Take a block back; any thread may call this at any moment, so nothing else is touched."""
        self._given_back.append(address)

    def settle(self) -> None:
        """Sort in what was given back; the largest blocks go to the driver where too much is kept."""
        if self._busy:  # the garbage collector calls, amid our own work in this thread
            return
        with self._work():
            while self._given_back:
                address = self._given_back.popleft()
                bisect.insort(self._kept, (self._sizes[address], address))
                self.kept_bytes += self._sizes[address]
            self._release(self._most)

    def trim(self) -> None:
        """Give all that is kept back to the driver."""
        self.settle()
        with self._work():
            self._release(0)

    def _release(self, most: int) -> None:
        while self.kept_bytes > most:
            size, address = self._kept.pop()
            self.kept_bytes -= size
            del self._sizes[address]
            self._device.free(address)

    @contextlib.contextmanager
    def _work(self) -> Iterator[None]:
        self._busy = True
        try:
            yield
        finally:
            self._busy = False


def _rounded(num_bytes: int) -> int:
    unit = LARGE if num_bytes >= LARGE else SMALL
    return max(1, -(-num_bytes // unit)) * unit
