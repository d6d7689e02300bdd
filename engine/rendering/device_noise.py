"""`noise.NoiseWatch` on the device: which pixels of a whole picture need more samples, without its colours coming back."""

from __future__ import annotations

import numpy as np

from ..cuda import layouts
from ..cuda.session import CudaSession, DeviceArray
from .device_tile import DeviceSums, Pixels
from .noise import LEAST_SAMPLES

THREADS = 128  # of a block: the kernels' launch bounds
SAMPLES_ROW = layouts.AMBIENT_ROW + 1
BYTES_PER_PIXEL = {"before": 16, "noisy": 4, "active": 4, "pixels": 4}


class DeviceNoise:
    """One picture's pixels, looked at after each round of samples."""

    def __init__(self, session: CudaSession, threshold: float, size: tuple[int, int]) -> None:
        """Begin with all pixels of a picture of `size` rows and columns.

        Raises:
            DeviceMemoryError: It does not fit.
        """
        count = size[0] * size[1]
        self._session = session
        self._memory = {name: session.empty(each * count) for name, each in BYTES_PER_PIXEL.items()}
        session.device.fill(self._memory["active"].address, 1, count)
        self._arguments = np.zeros(1, layouts.NOISE_ARGUMENTS)
        for name, memory in self._memory.items():
            self._arguments[name] = memory.address
        self._arguments["threshold"], self._arguments["count"] = threshold, count
        self._arguments["columns"] = size[1]
        self._has_looked = False
        self._chosen: DeviceArray | None = None  # None: all
        self.num_active = count

    @property
    def active(self) -> Pixels:
        """The pixels that get more samples."""
        return Pixels(0, self.num_active, self._chosen)

    def look(self, sums: DeviceSums, samples: int) -> None:
        """Take out the pixels that have settled after so many samples; waits for all work.

        Raises:
            DeviceMemoryError: The device's memory is full.
            DeviceLostError: The device works no more.
        """
        decides = self._has_looked and samples >= LEAST_SAMPLES
        self._arguments["color"], self._arguments["samples"] = sums.color.address, sums.row(SAMPLES_ROW)
        self._arguments["decides"] = decides
        self._launch("measure_noise")
        self._has_looked = True
        if not decides:
            return
        number = self._session.zeros(4)
        self._arguments["number"] = number.address
        self._launch("choose_pixels")
        self.num_active = int(self._session.download(number, (1,), np.int32)[0])
        self._chosen = self._memory["pixels"]

    def _launch(self, kernel: str) -> None:
        blocks = -(-int(self._arguments["count"][0]) // THREADS)
        self._session.launch("noise", kernel, blocks, THREADS, 0, self._arguments)
