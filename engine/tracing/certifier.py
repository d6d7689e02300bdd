"""Certifies networks in the background, once they have been left alone for a while.

One process of low priority works on what is drawn now; what is no longer drawn (a snapshot of a training) is dropped.
Where a GPU traces, the GPU proves, between pictures, and no process is started. A tracer goes on with its sampled grid until the certified one is swapped in.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from ..protocol.weights import NeuralWeights
from .certified_cache import save_cells
from .certified_cells import CertifiedCells
from .certify_child import CertifyingChild
from .sharpening import sharpen_few

log = logging.getLogger(__name__)

NICER = 5  # than what draws: enough to give way, and not to starve beside other programs
REST_S = 1.5  # snapshots of a training come faster than this


@runtime_checkable
class Certifiable(Protocol):
    """A tracer that can replace its sampled grid by a certified one."""

    @property
    def bound(self) -> str:
        """What its steps rely on."""
        ...

    @property
    def provable(self) -> NeuralWeights | None:
        """The network, where proving it is worth the time."""
        ...

    def certify(self) -> bool:
        """Build the certified grid here and now and use it; whether that is what it uses now."""
        ...

    def adopt(self, cells: CertifiedCells) -> None:
        """Use what was proven elsewhere from now on, and keep it on disk."""
        ...


@runtime_checkable
class DeviceCertifiable(Certifiable, Protocol):
    """A tracer with a GPU, which proves there."""

    def certify_on_device(self) -> bool:
        """Build the certified grid on the GPU and use it; False: it cannot."""
        ...


class Certifier:
    """A queue of one: the newest set of tracers."""

    def __init__(self, rest_s: float = REST_S) -> None:
        """Begin with nothing to do; the thread starts with the first request."""
        self._rest_s = rest_s
        self._changed = threading.Condition()
        self._wanted: tuple[Sequence[Certifiable], Callable[[], None], bool] | None = None
        self._held: list[tuple[Certifiable, CertifiedCells | None]] = []
        self._number = 0
        self._thread: threading.Thread | None = None
        self._child: CertifyingChild | None = None

    def request(self, tracers: Sequence[Certifiable], done: Callable[[], None], hold: bool = False) -> None:
        """Certify these next, instead of whatever was asked for before.

        Args:
            tracers: What is drawn now; those that are certified already cost nothing.
            done: Called from the certifier's thread after each tracer that changed.
            hold: Change no tracer before `release`; what is proven is kept on disk all the same.
        """
        with self._changed:
            self._number += 1
            self._wanted = (tracers, done, hold)
            if self._child is not None:
                self._child.stop()
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="certifier", daemon=True)
                self._thread.start()

    def release(self) -> None:
        """Let the tracers that were held use what was proven, here and now; where a GPU traces it proves first."""
        with self._changed:
            held, self._held = self._held, []
        for tracer, cells in held:
            if cells is not None:
                tracer.adopt(cells)
            elif isinstance(tracer, DeviceCertifiable):
                tracer.certify_on_device()

    def _run(self) -> None:
        if sys.platform == "linux":  # where threads have a priority of their own: drawing goes first
            thread = threading.get_native_id()
            nice = os.getpriority(os.PRIO_PROCESS, thread) + NICER
            with contextlib.suppress(OSError):  # forbidden in some sandboxes
                os.setpriority(os.PRIO_PROCESS, thread, nice)
        while True:
            tracers, done, hold, number = self._next()
            if not hold:  # a job's were sharpened before its first picture
                self._sharpen(tracers, number)
            for tracer in tracers:
                self._certify(tracer, done, hold, number)

    def _sharpen(self, tracers: Sequence[Certifiable], number: int) -> None:
        sharpen_few(tracers, alone=True, unwanted=lambda: self._number != number)

    def _next(self) -> tuple[Sequence[Certifiable], Callable[[], None], bool, int]:
        """Wait for a request that stays the newest for a while."""
        with self._changed:
            self._changed.wait_for(lambda: self._wanted is not None)
            while self._superseded(self._number):
                pass
            assert self._wanted is not None
            tracers, done, hold = self._wanted
            self._wanted = None
            return tracers, done, hold, self._number

    def _superseded(self, number: int) -> bool:
        """Wait until a newer request comes or the rest is over; whether one came."""
        return self._changed.wait_for(lambda: self._number != number, timeout=self._rest_s)

    def _certify(self, tracer: Certifiable, done: Callable[[], None], hold: bool, number: int) -> None:
        weights = tracer.provable
        if weights is None or tracer.bound != "sampled" or self._is_held(tracer):
            return
        try:
            if self._number == number and isinstance(tracer, DeviceCertifiable):
                if hold:
                    self._hold(tracer, None)
                    return
                if tracer.certify_on_device():
                    done()
                    return
            with self._changed:
                if self._number != number:
                    return
                self._child = child = CertifyingChild(weights)
            cells = child.result()
            if cells is not None and hold:
                save_cells(weights, cells)
                self._hold(tracer, cells)
            elif cells is not None:
                tracer.adopt(cells)
                done()
        except Exception:  # the sampled grid serves on; the session must not end
            log.exception("a network could not be certified")
        finally:
            with self._changed:
                self._child = None

    def _is_held(self, tracer: Certifiable) -> bool:
        with self._changed:
            return any(held is tracer for held, _ in self._held)

    def _hold(self, tracer: Certifiable, cells: CertifiedCells | None) -> None:
        with self._changed:
            self._held.append((tracer, cells))
