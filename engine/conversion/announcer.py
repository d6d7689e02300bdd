"""What a conversion tells while it runs: progress ten times a second, and snapshots of the network once a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, TypeVar

from ..fitting.fit import FitState
from ..protocol.messages import Message, Progress, Snapshot
from ..protocol.weights import NeuralWeights

Result = TypeVar("Result")

FIRST_SNAPSHOT_S = 0.4  # after the first step: rough, but there is something to see
SNAPSHOT_INTERVAL_S = 1.0
PROGRESS_INTERVAL_S = 0.1
WAITING_INTERVAL_S = 0.5
FIT_STARTS, FIT_ENDS = 0.05, 0.93  # the fit's share of the whole job


class Announcer:
    """The clock and the messages of one conversion; its fraction never goes back."""

    def __init__(self, tell: Callable[[Message], None], num_steps: int) -> None:
        self._tell, self._num_steps = tell, num_steps
        self._fraction = 0.0
        self._fit_start: float | None = None
        self._last_progress = self._last_snapshot = time.monotonic()

    def phase(self, phase: Any, fraction: float) -> None:
        """Say that a phase begins."""
        self._send(phase, fraction, 0, None, None)

    def during(self, phase: Any, fraction: float, work: Callable[[], Result]) -> Result:
        """Do long work on another thread and say all the while that it goes on; give its result."""
        self.phase(phase, fraction)
        with ThreadPoolExecutor(1, thread_name_prefix=phase) as thread:
            future = thread.submit(work)
            while wait([future], WAITING_INTERVAL_S).not_done:
                self.phase(phase, fraction)
            return future.result()

    def fit_begins(self) -> None:
        """Start the clock of a fit, or of another try."""
        self._fit_start = None

    def fitting(self, state: FitState) -> None:
        """Say where the fit stands, if it is time to."""
        now = time.monotonic()
        if state.step == 0:
            if now - self._last_progress >= PROGRESS_INTERVAL_S:
                self._send("sampling", FIT_STARTS, 0, None, None)
            return
        if self._fit_start is None:
            self._fit_start = now
            self._last_snapshot = now - SNAPSHOT_INTERVAL_S + FIRST_SNAPSHOT_S
        if now - self._last_progress >= PROGRESS_INTERVAL_S or state.step == state.num_steps:
            share = state.step / state.num_steps
            left = (now - self._fit_start) * (1.0 / share - 1.0)
            fraction = FIT_STARTS + (FIT_ENDS - FIT_STARTS) * share
            self._send("fitting", fraction, state.step, state.error, left)

    def snapshot_due(self, state: FitState) -> bool:
        """Whether it is time for another snapshot."""
        return state.step > 0 and time.monotonic() - self._last_snapshot >= SNAPSHOT_INTERVAL_S

    def snapshot(self, path: Path, proxy: Path | None, state: FitState) -> None:
        """Say that the files hold newer weights."""
        proxy_path = str(proxy) if proxy else None
        self._tell(Snapshot(path=str(path), proxy=proxy_path, step=state.step, error=state.error))
        self._last_snapshot = time.monotonic()

    def _send(self, phase: Any, fraction: float, step: int, error: float | None, left: float | None) -> None:
        self._fraction = max(self._fraction, fraction)
        self._last_progress = time.monotonic()
        self._tell(
            Progress(
                phase=phase,
                step=step,
                num_steps=self._num_steps,
                fraction=self._fraction,
                error=error,
                seconds_left=left,
            )
        )


def save_result(weights: NeuralWeights, output: Path, proxy: Path | None) -> int:
    """Replace the weights file, and the proxy file if one is asked for; give the size of the first in bytes.

    Raises:
        OutputError: The folder is not writable or the disk is full; older files stay whole.
    """
    if proxy is not None:
        from .proxy import proxy_mesh  # marching cubes, only where a proxy is asked for

        proxy_mesh(weights).save(proxy)  # of a moving shape at time 0
    return weights.save(output)
