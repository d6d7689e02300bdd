"""One 3D view: what it asks of the engine, and the newest picture it has of it.

While the camera or the scene changes, one coarse picture after another is asked for, each for the newest camera, and
never two at once; when nothing has changed for a moment, the full picture is, and refines. The state lives here; the
engine may be slow, gone or back again, and drawing never waits for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from ...engine.protocol.frames import frame_bytes
from ...engine.protocol.messages import Failure, FrameReady, Message, RenderView
from ...engine.protocol.scene import Camera, PlaneName, Scene
from ..engine_session import EngineSession

log = logging.getLogger(__name__)

PLANES: tuple[PlaneName, ...] = ("combined", "depth")
REST_S = 0.15  # without a change for so long, the view rests


@dataclass(frozen=True)
class Wanted:
    """What decides the picture, but for the scene."""

    camera: Camera
    width: int  # pixels
    height: int
    samples: int  # per pixel, when complete
    noise_threshold: float = 0.0
    denoise: bool = False


class View:
    """A view by name; its scene has the same name, since local views differ."""

    def __init__(self, name: str, session: EngineSession, redraw: Callable[[], None]) -> None:
        """Ask `session` for pictures; `redraw` tells Blender that there is a newer one."""
        self.name = name
        self.message = ""  # for the user: what is wrong
        self.samples = 0  # of the newest picture
        self._session = session
        self._redraw = redraw
        self._blocked = False  # by an error, until something changes
        self._wanted: Wanted | None = None
        self._request = 0
        self._generation = -1  # of the slots that are granted
        self._oldest = 0  # requests before this one are void
        self._changed_at = 0.0
        self._stale = False  # the newest state was not asked for yet
        self._in_flight: RenderView | None = None
        self._at_rest = False  # the newest request was a full one
        self._held: FrameReady | None = None  # a picture that was not drawn yet

    @property
    def due(self) -> bool:
        """Whether pictures are still to come."""
        if self._wanted is None or self._blocked:
            return False
        return self._stale or self._in_flight is not None or not self._at_rest

    def want(self, wanted: Wanted) -> bool:
        """Look at what the view shows now; whether that is something new."""
        if wanted == self._wanted:
            return False
        self._wanted = wanted
        self.changed()
        return True

    def load(self, scene: Scene) -> None:
        """Show another scene."""
        self._session.load_scene(self.name, scene)
        self.changed()

    def changed(self) -> None:
        """Note that the newest picture is out of date."""
        self._changed_at = time.monotonic()
        self._stale, self._at_rest = True, False
        self._blocked = False

    def advance(self) -> None:
        """Ask for what is due next; called often, returns at once."""
        if self._wanted is None or self._blocked:
            return
        if self._generation != self._session.generation and self._in_flight is not None:
            self._in_flight, self._stale = None, True  # its slots were taken back
        coarse_under_way = self._in_flight is not None and self._in_flight.coarse
        if self._stale and not coarse_under_way:
            self._ask(self._wanted, coarse=True)
        elif self._in_flight is None and not self._at_rest and time.monotonic() - self._changed_at > REST_S:
            self._ask(self._wanted, coarse=False)

    def receive(self, message: Message) -> None:
        """Take what the engine says about this view."""
        if isinstance(message, FrameReady):
            self._receive_frame(message)
        elif isinstance(message, Failure) and message.request >= self._request:
            self._in_flight = None
            self.fail(message.message)

    def take_frame(self) -> FrameReady | None:
        """Give the newest picture that was not drawn yet; its slot goes back by `give_back`."""
        held, self._held = self._held, None
        return held if self._generation == self._session.generation else None

    def give_back(self, frame: FrameReady) -> None:
        """Let the engine write into a picture's slot again."""
        if self._generation == self._session.generation:
            self._session.grant(self.name, frame.slot)

    def fail(self, text: str) -> None:
        """Show an error, and ask for nothing until something changes."""
        self._blocked = True
        self._tell(text)

    def note(self, text: str) -> None:
        """Show what the engine does before its first picture."""
        self.message = text
        self._redraw()

    def engine_stopped(self, text: str) -> None:
        """Show why the engine is gone, and ask anew when it is back."""
        self._in_flight = None
        self.changed()
        self._tell(text)

    def close(self) -> None:
        """Free what the view has in the engine."""
        self._wanted = None
        self._session.drop(self.name, self.name)

    def _tell(self, text: str) -> None:
        if text != self.message:
            log.warning("%s: %s", self.name, text)
            self.message = text
            self._redraw()

    def _ask(self, wanted: Wanted, coarse: bool) -> None:
        slots = self._session.reserve(self.name, frame_bytes(PLANES, wanted.width, wanted.height))
        self._request += 1
        fresh = self._generation != self._session.generation
        if fresh:
            self._generation, self._oldest, self._held = self._session.generation, self._request, None
        self._in_flight = RenderView(
            view=self.name,
            request=self._request,
            scene_id=self.name,
            camera=wanted.camera,
            width=wanted.width,
            height=wanted.height,
            planes=PLANES,
            samples=wanted.samples,
            noise_threshold=wanted.noise_threshold,
            denoise=wanted.denoise,
            coarse=coarse,
            slots=slots if fresh else (),
        )
        self._stale, self._at_rest = False, not coarse
        self._session.request(self._in_flight)

    def _receive_frame(self, frame: FrameReady) -> None:
        if frame.request < self._oldest or self._generation != self._session.generation:
            return  # from before the slots were taken back
        if self._held is not None:
            self.give_back(self._held)
        self._held, self.samples, self.message = frame, frame.samples, ""
        flight = self._in_flight
        if flight is not None and frame.request == flight.request and (frame.complete or flight.coarse):
            self._in_flight = None
        self._redraw()
