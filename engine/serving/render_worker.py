"""The one thread that renders: takes the next ticket, does one round of it, hands the picture over.

Rounds of several views alternate. An error ends the request that met it and nothing else.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

from ..errors import DeviceError, EngineError, ProtocolError
from ..protocol.frames import FrameSlots
from ..protocol.messages import Failure, FrameReady, RenderProgress
from ..rendering.renderer import Picture, RenderCancelled, ViewRequest, render_rounds
from .coarse import CoarsePace
from .message_stream import MessageStream
from .scene_store import SceneStore
from .view_board import Ticket, ViewBoard

log = logging.getLogger(__name__)


class RenderWorker:
    """Renders what the board asks for; `run` never returns."""

    def __init__(self, stream: MessageStream, board: ViewBoard, scenes: SceneStore) -> None:
        """Work for one connection."""
        self.slots: FrameSlots | None = None  # replaced under the board's lock
        self._stream = stream
        self._board = board
        self._scenes = scenes
        self._pace = CoarsePace()

    def run(self) -> None:
        """Work on tickets until the process ends."""
        while True:
            ticket = self._board.wait_for_work()
            try:
                if ticket.undelivered is None and not ticket.finished:
                    self._next_round(ticket)
                self._deliver(ticket)
            except RenderCancelled:
                ticket.finished = True
            except EngineError as error:
                self._fail(ticket, error.code, str(error))
            except MemoryError:
                self._fail(ticket, "device", "Memory ran out. Lower the resolution, or close other programs.")
            except (
                Exception
            ) as error:  # a bug must not end the session: it is told, with its traceback in the log
                log.exception("request %d of view %s failed", ticket.request.request, ticket.request.view)
                self._fail(ticket, "internal", f"The engine met a bug ({type(error).__name__}: {error}).")

    def _next_round(self, ticket: Ticket) -> None:
        if ticket.rounds is None:
            ticket.rounds = self._start(ticket)
        began = time.monotonic()
        picture = next(ticket.rounds, None)
        if picture is None or picture.complete:
            ticket.finished, ticket.rounds = True, None
        if picture is None:
            return
        if picture.samples == 1:
            height, width = picture.size
            self._pace.measured(width * height, time.monotonic() - began)
        if picture.complete or ticket.request.progressive:
            ticket.undelivered = picture
        fraction = min(1.0, picture.samples / ticket.request.samples)
        self._report(ticket, 1.0 if picture.complete else fraction)

    def _start(self, ticket: Ticket) -> Iterator[Picture]:
        request = ticket.request
        prepared = self._scenes.prepared(request.scene_id)
        width, height = request.width, request.height
        coarse = request.coarse and request.region is None
        if coarse:
            width, height = self._pace.size(width, height)
        view = ViewRequest(
            camera=request.camera,
            width=width,
            height=height,
            region=request.region,
            planes=request.planes,
            samples=1 if coarse else request.samples,
            noise_threshold=request.noise_threshold,
            denoise=request.denoise and not coarse,
            seed=0,
        )
        return render_rounds(prepared, view, lambda: ticket.dropped)

    def _report(self, ticket: Ticket, fraction: float) -> None:
        request = ticket.request
        if not ticket.dropped:
            self._stream.send(RenderProgress(view=request.view, request=request.request, fraction=fraction))

    def _deliver(self, ticket: Ticket) -> None:
        with self._board.changed:
            picture = ticket.undelivered
            if picture is None or not self._board.has_slot(ticket):
                if not ticket.finished:
                    ticket.undelivered = None  # the next round brings a better one
                return
            ticket.undelivered = None
            if self.slots is None:
                raise ProtocolError("A picture was asked for before any frame file was announced.")
            names = ticket.request.planes
            height, width = picture.size
            slot = self._board.take_slot(ticket)
            assert slot is not None
            views = self.slots.planes(slot, names, width, height)
            try:
                picture.copy_to(views, self.slots.memory)
            except DeviceError:
                self._board.grant(ticket.request.view, slot)
                raise
            self._stream.send(_frame_ready(ticket, picture, slot, width, height))

    def _fail(self, ticket: Ticket, code: str, message: str) -> None:
        ticket.finished, ticket.rounds, ticket.undelivered = True, None, None
        request = ticket.request
        if not ticket.dropped:
            self._stream.send(Failure(code=code, message=message, view=request.view, request=request.request))


def _frame_ready(ticket: Ticket, picture: Picture, slot: int, width: int, height: int) -> FrameReady:
    return FrameReady(
        view=ticket.request.view,
        request=ticket.request.request,
        slot=slot,
        width=width,
        height=height,
        samples=picture.samples,
        complete=picture.complete and not ticket.request.coarse,
        seconds=time.monotonic() - ticket.started,
        left_to_cpu=picture.left_to_cpu,
    )
