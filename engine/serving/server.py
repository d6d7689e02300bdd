"""Answers the add-on: scenes in, pictures out, over one message stream until it ends.

The main thread only reads messages and changes the board, so it is always ready for the next one; the worker
renders. Where nothing is asked for, both sleep.
"""

from __future__ import annotations

import logging
import math
import threading
from pathlib import Path

from ..errors import EngineError, OptionError, ProtocolError
from ..protocol.frames import FrameSlots
from ..protocol.messages import (
    CancelView,
    Failure,
    GrantSlot,
    LoadScene,
    MapFrames,
    Message,
    RenderView,
    ViewCancelled,
)
from ..protocol.scene import PLANE_CHANNELS
from .message_stream import MessageStream
from .render_worker import RenderWorker
from .scene_store import SceneStore
from .view_board import ViewBoard

log = logging.getLogger(__name__)

MAX_SIDE = 65536  # pixels, Blender's own limit
MAX_SAMPLES = 1 << 16


class Server:
    """One connection with one add-on."""

    def __init__(self, stream: MessageStream, session_folder: Path) -> None:
        """Answer `stream`; blobs are files in `session_folder/blobs`."""
        self._stream = stream
        self._board = ViewBoard()
        self._scenes = SceneStore(session_folder / "blobs", self._board.refresh)
        self._worker = RenderWorker(stream, self._board, self._scenes)

    def run(self) -> None:
        """Answer messages until the other side ends the connection."""
        threading.Thread(target=self._worker.run, name="render worker", daemon=True).start()
        while True:
            try:
                message = self._stream.receive()
            except EOFError:
                return
            except ProtocolError as error:
                self._stream.send_failure(error)
                continue
            if message is not None:
                self._answer(message)

    def _answer(self, message: Message) -> None:
        try:
            self._dispatch(message)
        except EngineError as error:
            self._stream.send_failure(error, getattr(message, "view", ""), getattr(message, "request", -1))
        except Exception as error:  # a bug must not end the session
            log.exception("a %s message failed", message.kind)
            text = f"The engine met a bug ({type(error).__name__}: {error})."
            self._stream.send(Failure(code="internal", message=text, view=getattr(message, "view", "")))

    def _dispatch(self, message: Message) -> None:
        if isinstance(message, RenderView):
            check_request(message)
            self._board.request(message)
        elif isinstance(message, GrantSlot):
            self._board.grant(message.view, message.slot)
        elif isinstance(message, CancelView):
            self._board.cancel(message.view)
            self._stream.send(ViewCancelled(view=message.view))
        elif isinstance(message, LoadScene):
            if self._scenes.load(message):
                self._board.scene_changed(message.scene_id)
        elif isinstance(message, MapFrames):
            self._map_frames(message)
        else:
            raise ProtocolError(f"The engine cannot answer a {message.kind!r} message while it serves.")

    def _map_frames(self, message: MapFrames) -> None:
        slots = FrameSlots.open(message)
        with self._board.changed:
            self._board.cancel_all()
            previous, self._worker.slots = self._worker.slots, slots
        if previous is not None:
            previous.close()


def check_request(request: RenderView) -> None:
    """Refuse what cannot be rendered.

    Raises:
        OptionError: A size, a sample count, a region, a plane or a matrix is impossible.
    """
    width, height = request.width, request.height
    x0, y0, x1, y1 = request.region or (0, 0, width, height)
    matrices = (request.camera.view_from_world, request.camera.clip_from_view)
    checks = {
        f"a picture of {width} x {height} pixels": 1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE,
        f"{request.samples} samples": 1 <= request.samples <= MAX_SAMPLES,
        f"the region {request.region}": 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height,
        "a request of no plane, or of one twice": 0 < len(set(request.planes)) == len(request.planes),
        f"planes {request.planes}": all(name in PLANE_CHANNELS for name in request.planes),
        "a camera matrix that is not 4 x 4": all(len(matrix) == 16 for matrix in matrices),
        "a camera matrix that is not finite": all(math.isfinite(x) for matrix in matrices for x in matrix),
    }
    wrong = [what for what, holds in checks.items() if not holds]
    if wrong:
        raise OptionError(f"The engine cannot render {wrong[0]}.")
