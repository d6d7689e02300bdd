"""What each view wants and which slots it has granted: the state between the reader and the worker.

One lock guards all of it. The newest request of a view wins: a superseded ticket is `dropped`, which the renderer
asks about at least every 50 ms. Slots are written under the lock, so a slot that is taken back is not touched any more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ..protocol.messages import RenderView
from ..rendering.renderer import Picture


@dataclass(eq=False)
class Ticket:
    """One run of one request; the worker owns everything but `dropped`."""

    request: RenderView
    started: float = field(default_factory=time.monotonic)
    dropped: bool = False  # superseded, cancelled, or its scene has changed
    finished: bool = False  # no more rounds will come
    rounds: Iterator[Picture] | None = None
    undelivered: Picture | None = None  # waits for a slot
    served: float = 0.0  # when it was last worked on


@dataclass(eq=False)
class _View:
    slots: list[int] = field(default_factory=list)
    ticket: Ticket | None = None
    newest: int = -1


class ViewBoard:
    """Views by name; `changed` is notified whenever there may be work."""

    def __init__(self) -> None:
        """Begin without views."""
        self.changed = threading.Condition(threading.RLock())
        self._views: dict[str, _View] = {}
        self._working_on: Ticket | None = None

    def request(self, message: RenderView) -> None:
        """Replace what a view asks for, unless it has asked for something newer already."""
        with self.changed:
            view = self._views.setdefault(message.view, _View())
            self._add_slots(view, message.slots)
            if message.request > view.newest:
                view.newest = message.request
                self._replace(view, message)
                if message.coarse:
                    self._make_way(view)
            self.changed.notify_all()

    def grant(self, name: str, slot: int) -> None:
        """Give a view one more slot; one that is already gone keeps nothing."""
        with self.changed:
            view = self._views.get(name)
            if view is not None:
                self._add_slots(view, (slot,))
                self.changed.notify_all()

    def cancel(self, name: str) -> None:
        """Forget a view; afterwards nothing touches its slots."""
        with self.changed:
            view = self._views.pop(name, None)
            if view is not None and view.ticket is not None:
                view.ticket.dropped = True

    def cancel_all(self) -> None:
        """Forget every view."""
        with self.changed:
            for name in list(self._views):
                self.cancel(name)

    def scene_changed(self, scene_id: str) -> None:
        """Begin the requests of a scene anew."""
        with self.changed:
            for view in self._views.values():
                if view.ticket is not None and view.ticket.request.scene_id == scene_id:
                    self._replace(view, view.ticket.request)
            self.changed.notify_all()

    def refresh(self, scene_id: str) -> None:
        """Draw finished views of a scene once more, each in one step: something behind the scene has become better.

        What is still being drawn goes on with it.
        """
        with self.changed:
            for view in self._views.values():
                ticket = view.ticket
                if ticket is None or not ticket.finished or ticket.request.scene_id != scene_id:
                    continue
                if ticket.request.progressive and not ticket.request.coarse:
                    self._replace(view, replace(ticket.request, progressive=False))
            self.changed.notify_all()

    def wait_for_work(self) -> Ticket:
        """Wait, at no cost, for a ticket that can go on: a picture to deliver, else the next round."""
        with self.changed:
            while (ticket := self._choose()) is None:
                self._working_on = None
                self.changed.wait()
            ticket.served = time.monotonic()
            self._working_on = ticket
            return ticket

    def take_slot(self, ticket: Ticket) -> int | None:
        """Give a free slot of the ticket's view; call and write under the lock."""
        view = self._views.get(ticket.request.view)
        if ticket.dropped or view is None or not view.slots:
            return None
        return view.slots.pop(0)

    def has_slot(self, ticket: Ticket) -> bool:
        """Whether a picture of the ticket could be delivered; call under the lock."""
        view = self._views.get(ticket.request.view)
        return not ticket.dropped and view is not None and bool(view.slots)

    def _add_slots(self, view: _View, slots: tuple[int, ...]) -> None:
        view.slots += [slot for slot in slots if slot not in view.slots]

    def _replace(self, view: _View, request: RenderView) -> None:
        if view.ticket is not None:
            view.ticket.dropped = True
        view.ticket = Ticket(request)

    def _make_way(self, moving: _View) -> None:
        """Let a moving view go before another one's refinement, which then begins anew."""
        busy = self._working_on
        if busy is None or busy.finished or busy.request.coarse or not busy.request.progressive:
            return
        for view in self._views.values():
            if view is not moving and view.ticket is busy:
                self._replace(view, busy.request)

    def _choose(self) -> Ticket | None:
        tickets = [view.ticket for view in self._views.values() if view.ticket is not None]
        deliverable = [t for t in tickets if t.undelivered is not None and self.has_slot(t)]
        unfinished = [t for t in tickets if not t.finished]
        unfinished.sort(key=lambda t: (not t.request.coarse, t.served))
        return next(iter(deliverable + unfinished), None)
