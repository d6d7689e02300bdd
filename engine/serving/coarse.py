"""How small the first picture of a moving view is: small enough to come at once, no smaller."""

from __future__ import annotations

import threading

TARGET_S = 0.05  # fifteen pictures a second, with a quarter of the time left for their way to the screen
LARGEST_DIVISOR = 4  # 1280 x 720 never falls under 320 x 180


class CoarsePace:
    """Remembers how long a pixel took lately; safe from several threads."""

    def __init__(self) -> None:
        """Know nothing yet, so begin with the smallest picture."""
        self._lock = threading.Lock()
        self._seconds_per_pixel: float | None = None

    def measured(self, num_pixels: int, seconds: float) -> None:
        """Take a one-sample picture's time into account."""
        with self._lock:
            self._seconds_per_pixel = seconds / max(1, num_pixels)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Give the size of a coarse picture of a view of `width` x `height` pixels."""
        for divisor in range(1, LARGEST_DIVISOR):
            smaller = divided(width, height, divisor)
            if self._fits(smaller):
                return smaller
        return divided(width, height, LARGEST_DIVISOR)

    def _fits(self, size: tuple[int, int]) -> bool:
        with self._lock:
            pace = self._seconds_per_pixel
        return pace is not None and pace * size[0] * size[1] <= TARGET_S


def divided(width: int, height: int, divisor: int) -> tuple[int, int]:
    """Divide a size, rounding up."""
    return -(-width // divisor), -(-height // divisor)
