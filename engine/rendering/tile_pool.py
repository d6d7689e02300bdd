"""Tiles of a picture over all cores; cancelling is asked for between their samples."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

Tile = tuple[int, int, int, int]  # x0, y0, x1, y1 of the whole picture


class RenderCancelled(Exception):
    """The caller no longer wants the picture."""


def run_tiles(
    tiles: list[Tile], draw: Callable[[Tile, int], None], samples: range, cancelled: Callable[[], bool]
) -> Iterator[float]:
    """Draw samples of all tiles; yields the share of the tiles that are done.

    Raises:
        RenderCancelled: `cancelled` said so.
    """
    stop = threading.Event()

    def work(tile: Tile) -> None:
        for sample in samples:
            if stop.is_set() or cancelled():
                stop.set()
                raise RenderCancelled
            draw(tile, sample)

    futures: list[Future[None]] = [_pool().submit(work, tile) for tile in tiles]
    try:
        for number, future in enumerate(futures, start=1):
            future.result()
            yield number / len(futures)
    finally:
        stop.set()  # after an error the other tiles end early, and none of them outlives this call
        wait(futures)


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(num_cores(), thread_name_prefix="tile")


def num_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
