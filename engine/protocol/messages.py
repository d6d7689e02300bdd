"""Every message that passes between the add-on and the engine: one JSON object per line.

The add-on starts the engine and says `Hello`; the engine answers `Welcome` or `Failure`. `convert` reports
`Progress`, `Snapshot` and at last `Converted` or `Failure`. `serve` takes scenes and views and gives frames.
A frame slot belongs to the engine from the `RenderView` that grants it until the `FrameReady` that returns it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from ..errors import ProtocolError
from .codec import from_plain, to_plain
from .scene import Camera, PlaneName, Scene

PROTOCOL_VERSION = 1
MAX_LINE_BYTES = 64 * 1024 * 1024  # a longer line is refused, not read into memory


class Message:
    """Base of all messages; `kind` names the class on the wire."""

    __slots__ = ()
    kind: ClassVar[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello(Message):
    """First message of the add-on."""

    kind: ClassVar[str] = "hello"
    protocol_version: int
    software: str  # name and version of the sender


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStatus:
    """One device or backend, whether it works, and if not why and what to do."""

    name: str
    works: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome(Message):
    """First message of the engine."""

    kind: ClassVar[str] = "welcome"
    protocol_version: int
    engine_version: str
    python_version: str
    devices: tuple[DeviceStatus, ...]
    packages: dict[str, str]  # name -> version


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(Message):
    """An error the user can act on, or a bug (`code` "internal")."""

    kind: ClassVar[str] = "failure"
    code: str
    message: str
    view: str = ""
    request: int = -1


# ---- convert


@dataclass(frozen=True, slots=True, kw_only=True)
class StartConversion(Message):
    """Asks an engine that stands by for a conversion."""

    kind: ClassVar[str] = "start_conversion"
    arguments: tuple[str, ...]  # those of `python -m engine convert`


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(Message):
    """Where a conversion stands; a serving engine says only whether it starts or compiles."""

    kind: ClassVar[str] = "progress"
    phase: Literal[
        "starting", "compiling", "ready", "reading", "checking", "sampling", "fitting", "measuring", "writing"
    ]
    step: int
    num_steps: int
    fraction: float  # of the whole job, 0 to 1
    error: float | None = None  # running mean |f - d| near the surface, unit space
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(Message):
    """The output file holds newer weights, and the proxy file a newer proxy, if one was asked for."""

    kind: ClassVar[str] = "snapshot"
    path: str
    proxy: str | None
    step: int
    error: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted(Message):
    """The conversion ended; the output file is final."""

    kind: ClassVar[str] = "converted"
    path: str
    proxy: str | None
    report: dict[str, Any]
    num_bytes: int
    seconds: float
    warnings: tuple[str, ...] = ()


# ---- serve


@dataclass(frozen=True, slots=True, kw_only=True)
class MapFrames(Message):
    """The frame file to map from now on: `num_slots` slots of `slot_bytes`.

    Every slot granted before is the add-on's again, and frames of earlier requests are not to be read.
    """

    kind: ClassVar[str] = "map_frames"
    path: str  # a file, or "fd:N" for an inherited descriptor
    slot_bytes: int
    num_slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadScene(Message):
    """Replaces the scene named `scene_id` (one per view layer and purpose); views of it start again."""

    kind: ClassVar[str] = "load_scene"
    scene_id: str
    revision: int
    scene: Scene
    job: int = (
        0  # one still or animation, whose networks keep the bounds it began with; 0: better ones as they come
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderView(Message):
    """Asks for pictures of a view; the newest request of a view wins."""

    kind: ClassVar[str] = "render_view"
    view: str
    request: int  # grows with each request of this view
    scene_id: str
    camera: Camera
    width: int  # of the whole picture, pixels
    height: int
    region: tuple[int, int, int, int] | None = None  # x0, y0, x1, y1 in pixels, y up; None: all
    planes: tuple[PlaneName, ...] = ("combined", "depth")
    samples: int = 16  # per pixel when complete
    noise_threshold: float = 0.0  # pixels that have settled get fewer; 0: all get all
    denoise: bool = False  # smooth the complete picture, edges apart
    coarse: bool = False  # a moving view: one cheap picture, at a reduced size
    progressive: bool = True  # a frame after each round of samples, where a slot is free
    slots: tuple[int, ...] = ()  # granted to the engine


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantSlot(Message):
    """Gives a slot to the engine for a view's next frame."""

    kind: ClassVar[str] = "grant_slot"
    view: str
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameReady(Message):
    """A frame is complete in `slot`, which belongs to the add-on again.

    Planes lie one after the other in the order asked for, each (height, width, channels) float32, bottom row first.
    """

    kind: ClassVar[str] = "frame_ready"
    view: str
    request: int
    slot: int
    width: int  # of this frame; smaller than asked for while coarse
    height: int
    samples: int
    complete: bool
    seconds: float
    left_to_cpu: str = ""  # why the CPU drew what a GPU was to draw, or a part of it; empty: it did not


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderProgress(Message):
    """How far a request is; sent between frames."""

    kind: ClassVar[str] = "render_progress"
    view: str
    request: int
    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelView(Message):
    """Stops work on a view; the engine answers with `ViewCancelled`, and its slots are the add-on's again."""

    kind: ClassVar[str] = "cancel_view"
    view: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewCancelled(Message):
    """The engine no longer touches the view's slots."""

    kind: ClassVar[str] = "view_cancelled"
    view: str


MESSAGES: dict[str, type[Message]] = {
    message.kind: message
    for message in (
        *(Hello, Welcome, Failure, StartConversion, Progress, Snapshot, Converted),
        *(MapFrames, LoadScene, RenderView, GrantSlot, FrameReady, RenderProgress, CancelView, ViewCancelled),
    )
}


def encode(message: Message) -> bytes:
    """Give the line that carries `message`, newline included."""
    plain = {"kind": message.kind, **to_plain(message)}
    return json.dumps(plain, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Read one line.

    Raises:
        ProtocolError: The line is not JSON, of an unknown kind, or its fields do not fit.
    """
    try:
        plain = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not a message: {line[:80]!r} ({error})") from error
    kind = plain.pop("kind", None) if isinstance(plain, dict) else None
    if not isinstance(kind, str) or kind not in MESSAGES:
        raise ProtocolError(f"unknown message {kind!r}: update the add-on and the engine to the same version")
    return from_plain(MESSAGES[kind], plain, kind)
