"""Drops files into the window under a place of the screen, as a file manager does: the source's side of XDND, version 5.

    python3 drop.py X Y FILE...

It needs libX11 and nothing else, since it runs in the root of a Blender. Exit code 0: the window took the drop and said
that it was done with it; else a sentence on stderr. Protocol: freedesktop.org, "Drag-and-Drop Protocol for the X Window
System".
"""

import ctypes
import ctypes.util
import sys
import time
from pathlib import Path

VERSION = 5
SELECTION_REQUEST, SELECTION_NOTIFY, CLIENT_MESSAGE = 30, 31, 33
ANSWER_S, MOVES, MOVE_S = 20.0, 4, 0.1
LONG = ctypes.c_ulong

x11 = ctypes.CDLL("libX11.so.6")


class _Message(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("serial", LONG),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", LONG),
        ("kind", LONG),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
    ]


class _Request(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("serial", LONG),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("owner", LONG),
        ("requestor", LONG),
        ("selection", LONG),
        ("target", LONG),
        ("property", LONG),
        ("time", LONG),
    ]


class _Answer(ctypes.Structure):
    _fields_ = [field for field in _Request._fields_ if field[0] != "owner"]


class _Event(ctypes.Union):
    _fields_ = [
        ("type", ctypes.c_int),
        ("message", _Message),
        ("request", _Request),
        ("answer", _Answer),
        ("pad", ctypes.c_long * 24),
    ]


def _declare():
    """Tell ctypes what is a pointer and what a number of 64 bits."""
    pointer, number = ctypes.c_void_p, ctypes.c_int
    x11.XOpenDisplay.restype = pointer
    kinds = {
        "XDefaultRootWindow": (LONG, [pointer]),
        "XInternAtom": (LONG, [pointer, ctypes.c_char_p, number]),
        "XCreateSimpleWindow": (LONG, [pointer, LONG, *[number] * 2, *[ctypes.c_uint] * 3, LONG, LONG]),
        "XSetSelectionOwner": (number, [pointer, LONG, LONG, LONG]),
        "XTranslateCoordinates": (number, [pointer, LONG, LONG, number, number, *[pointer] * 3]),
        "XGetWindowProperty": (
            number,
            [pointer, LONG, LONG, ctypes.c_long, ctypes.c_long, number, LONG, *[pointer] * 5],
        ),
        "XChangeProperty": (
            number,
            [pointer, LONG, LONG, LONG, number, number, ctypes.c_char_p, number],
        ),
        "XSendEvent": (number, [pointer, LONG, number, ctypes.c_long, pointer]),
        "XPending": (number, [pointer]),
        "XNextEvent": (number, [pointer, pointer]),
        "XFlush": (number, [pointer]),
    }
    for name, (result, arguments) in kinds.items():
        function = getattr(x11, name)
        function.restype, function.argtypes = result, arguments


class Source:
    """A window of its own that has files to drag."""

    def __init__(self, paths):
        """Open the display and own the selection."""
        self.display = x11.XOpenDisplay(None)
        if not self.display:
            raise SystemExit("no display can be opened")
        self.root = x11.XDefaultRootWindow(self.display)
        self.window = x11.XCreateSimpleWindow(self.display, self.root, 0, 0, 1, 1, 0, 0, 0)
        self.uris = "".join(path.resolve().as_uri() + "\r\n" for path in paths).encode()
        x11.XSetSelectionOwner(self.display, self.atom("XdndSelection"), self.window, 0)

    def atom(self, name):
        """Give the number of a name."""
        return x11.XInternAtom(self.display, name.encode(), 0)

    def target(self, x, y):
        """Give the topmost window at a place that takes drops."""
        window, child, found = self.root, LONG(0), 0
        inner = (ctypes.c_int * 2)()
        while True:
            at = (ctypes.addressof(inner), ctypes.addressof(inner) + 4)
            x11.XTranslateCoordinates(self.display, self.root, window, x, y, *at, ctypes.byref(child))
            if self._takes_drops(window):
                found = window
            if not child.value:
                break
            window = child.value
        if not found:
            raise SystemExit(f"no window at {x}, {y} has the property XdndAware")
        return found

    def _takes_drops(self, window):
        kind, form, count, rest, data = LONG(0), ctypes.c_int(0), LONG(0), LONG(0), ctypes.c_void_p()
        out = [ctypes.byref(value) for value in (kind, form, count, rest, data)]
        x11.XGetWindowProperty(self.display, window, self.atom("XdndAware"), 0, 1, 0, 0, *out)
        return bool(count.value)

    def send(self, window, name, *data):
        """Send a message of the protocol."""
        event = _Event()
        event.message.type, event.message.window = CLIENT_MESSAGE, window
        event.message.kind, event.message.format = self.atom(name), 32
        event.message.data[:] = [self.window, *data, *[0] * (4 - len(data))]
        x11.XSendEvent(self.display, window, 0, 0, ctypes.byref(event))
        x11.XFlush(self.display)

    def wait(self, name):
        """Serve the files until a message of this name comes; give its five numbers."""
        deadline = time.monotonic() + ANSWER_S
        event = _Event()
        while time.monotonic() < deadline:
            if not x11.XPending(self.display):
                time.sleep(0.005)
                continue
            x11.XNextEvent(self.display, ctypes.byref(event))
            if event.type == SELECTION_REQUEST:
                self._serve(event.request)
            elif event.type == CLIENT_MESSAGE and event.message.kind == self.atom(name):
                return list(event.message.data)
        raise SystemExit(f"the window sent no {name} in {ANSWER_S:.0f} s")

    def _serve(self, request):
        known = request.target == self.atom("text/uri-list")
        if known:
            form = (8, 0, self.uris, len(self.uris))
            x11.XChangeProperty(self.display, request.requestor, request.property, request.target, *form)
        event = _Event()
        event.answer.type, event.answer.requestor = SELECTION_NOTIFY, request.requestor
        event.answer.selection, event.answer.target = request.selection, request.target
        event.answer.property, event.answer.time = request.property if known else 0, request.time
        x11.XSendEvent(self.display, request.requestor, 0, 0, ctypes.byref(event))
        x11.XFlush(self.display)


def main():
    """Drag, then drop."""
    _declare()
    x, y, *paths = sys.argv[1:]
    x, y = int(x), int(y)
    source = Source([Path(path) for path in paths])
    target = source.target(x, y)
    copy = source.atom("XdndActionCopy")
    source.send(target, "XdndEnter", VERSION << 24, source.atom("text/uri-list"))
    accepted = False
    for step in range(MOVES):  # a hand moves a little on its way
        source.send(target, "XdndPosition", 0, (x - MOVES + 1 + step) << 16 | y, 0, copy)
        accepted = bool(source.wait("XdndStatus")[1] & 1)
        time.sleep(MOVE_S)
    if not accepted:
        source.send(target, "XdndLeave")
        raise SystemExit("the window does not take the drop")
    source.send(target, "XdndDrop", 0, 0)
    source.wait("XdndFinished")


main()
