"""`denoise.Denoiser` on the device: a whole picture is smoothed there, without its colours coming back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..cuda import layouts
from ..cuda.session import CudaSession
from .denoise import FEWEST_SAMPLES, PASSES
from .device_tile import DeviceSums
from .tile_pool import RenderCancelled

THREADS = 128  # of a block: the kernels' launch bounds
LIGHT_BYTES = 16  # of a pixel: three channels and their variance
BYTES_PER_PIXEL = 2 * LIGHT_BYTES  # besides the guides, which belong to the sums


class DeviceDenoiser:
    """One picture's light, before a pass of the filter and behind it."""

    def __init__(self, session: CudaSession, size: tuple[int, int]) -> None:
        """Take memory for a picture of `size` rows and columns, so that it does not end when all samples are drawn.

        Raises:
            DeviceMemoryError: It does not fit.
        """
        self._session = session
        count = size[0] * size[1]
        self._light, self._out = (session.empty(LIGHT_BYTES * count) for _ in range(2))
        self._arguments = np.zeros(1, layouts.DENOISE_ARGUMENTS)
        self._arguments["count"], self._arguments["columns"] = count, size[1]
        self._is_done = False

    def smooth(self, sums: DeviceSums, samples: int, cancelled: Callable[[], bool]) -> None:
        """Filter the light of a complete picture; others may use the device between two passes.

        Args:
            sums: Of all pixels, with guides.
            samples: The most that a pixel has.
            cancelled: Asked before each pass.

        Raises:
            RenderCancelled: `cancelled` said so.
            DeviceLostError: The device works no more.
        """
        if samples < FEWEST_SAMPLES:
            return
        arguments = self._arguments
        arguments["color"], arguments["planes"] = sums.color.address, sums.planes.address
        self._place_guides(arguments, sums)
        arguments["out"] = self._light.address
        self._launch("begin_filter", cancelled)
        for k in range(PASSES):
            arguments["light"], arguments["out"] = self._light.address, self._out.address
            arguments["spread"] = 1 << k
            self._launch("filter_lights", cancelled)
            self._light, self._out = self._out, self._light
        self._is_done = True

    def fill(self, arguments: np.ndarray, sums: DeviceSums) -> None:
        """Say in a `FinishArguments` struct where the smoothed light lies, if there is any."""
        if self._is_done:
            self._place_guides(arguments, sums)
            arguments["light"] = self._light.address

    def _place_guides(self, arguments: np.ndarray, sums: DeviceSums) -> None:
        """Say where the guides lie; sizes lie where brightness did, which no sample asks for any more."""
        assert sums.guides is not None and sums.brightness is not None
        arguments["guides"], arguments["sizes"] = sums.guides.address, sums.brightness.address

    def _launch(self, kernel: str, cancelled: Callable[[], bool]) -> None:
        if cancelled():
            raise RenderCancelled
        blocks = -(-int(self._arguments["count"][0]) // THREADS)
        with self._session.lock:
            self._session.launch("denoise", kernel, blocks, THREADS, 0, self._arguments)
            self._session.device.synchronize()  # or else `cancelled` is asked long before the work is done
