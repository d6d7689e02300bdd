"""Kernels over all processors: they release the interpreter's lock, so threads do."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

NUM_THREADS = os.cpu_count() or 1
SMALLEST_SHARE = 4096  # items; fewer are not worth a thread

_executor = ThreadPoolExecutor(NUM_THREADS, thread_name_prefix="trace")


def over_slices(count: int, work: Callable[[slice], None], smallest: int = SMALLEST_SHARE) -> None:
    """Call `work` on slices that cover `count` items, `smallest` or more each, on all processors.

    Not to be called from inside such work: it waits for the same threads.
    """
    parts = max(1, min(NUM_THREADS * 4, count // smallest))
    edges = [count * k // parts for k in range(parts + 1)]
    slices = [slice(low, high) for low, high in itertools.pairwise(edges)]
    if parts == 1:
        work(slices[0])
        return
    for future in [_executor.submit(work, part) for part in slices]:
        future.result()
