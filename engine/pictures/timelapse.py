"""A film of a fit: the zero set, its distance to the source, a slice through the field, and the error against time.

Moments lie evenly on a logarithmic scale of steps, since most happens early. The camera frames the source, so that the
shape grows into its place.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from ..errors import OptionError
from ..fitting.fit import FitOptions, FitState, fit
from ..fitting.fitted_weights import neural_weights
from ..ground_truth.mesh import Mesh
from ..ground_truth.sign_doctor import Diagnosis
from ..ground_truth.signed_distance import SurfaceDistance
from ..protocol.weights import NeuralWeights, Source
from ..rendering.renderer import Shader, ViewRequest, render_picture
from ..rendering.scene import PreparedScene
from ..rendering.surfaces import Surfaces
from ..tracing.network_values import NetworkValues
from ..transforms import Array, transform_points
from .picture_files import display_bytes, linear_from_srgb, over
from .portrait import Portrait, View
from .slices import slice_picture

BACKGROUND = np.array([0.93, 0.94, 0.95], np.float32)
INK, GREY, CURVE = (30, 30, 34), (168, 170, 176), (184, 92, 30)
ERROR_STOPS = np.array([0.0, 0.25, 0.5, 1.0])
ERROR_COLORS = np.array([[0.16, 0.33, 0.60], [0.93, 0.93, 0.88], [0.95, 0.62, 0.20], [0.70, 0.08, 0.10]])
WORST_ERROR = 0.02  # unit space: the last colour
CURVE_HEIGHT = 0.42  # of a panel
FIRST_STEP = 10  # before it the zero set is chance, almost flat, and takes most of a film's time to trace


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moment:
    """The network at one time of a fit."""

    step: int
    seconds: float
    error: float  # running mean |f - d|
    weights: NeuralWeights


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmOptions:
    """What a picture shows."""

    panel: int = 320  # pixels a side
    samples: int = 8
    view: View = field(default_factory=View)
    axis: str = "x"
    at: float = 0.0

    def __post_init__(self) -> None:
        if not 64 <= self.panel <= 2048:
            raise OptionError(f"A panel has 64 to 2048 pixels a side, got {self.panel}.")


def record(
    mesh: Mesh, diagnosis: Diagnosis, options: FitOptions, count: int, tell: Callable[[float], None]
) -> list[Moment]:
    """Fit, and give up to `count` moments of it, the last one included.

    Args:
        mesh: The source.
        diagnosis: Its distances.
        options: The run.
        count: How many.
        tell: Called with the share of the run that is done.

    Raises:
        FitError: The fit went astray.
    """
    first = min(FIRST_STEP, options.num_steps)
    due = list(np.unique(np.geomspace(first, options.num_steps, count).astype(int)))
    moments: list[Moment] = []
    begun: list[float] = []  # when the first step was done: samples and compiled kernels come before

    def report(state: FitState) -> None:
        tell(state.step / state.num_steps)
        if state.error is None:
            return
        if not begun:
            begun.append(clock.perf_counter())
        if not due or state.step < due[0]:
            return
        while due and state.step >= due[0]:
            due.pop(0)
        weights = neural_weights(
            state.parameters, options, Source(name=mesh.name), diagnosis.truth.mesh.unit_from_object
        )
        seconds = begun[-1] - begun[0]
        moments.append(Moment(step=state.step, seconds=seconds, error=state.error, weights=weights))

    fit(diagnosis.truth, options, report)
    return moments


def pictures(
    mesh: Mesh, truth: SurfaceDistance, moments: list[Moment], options: FilmOptions
) -> Iterator[npt.NDArray[np.uint8]]:
    """Give a picture (h, 3 panels, 3) of each moment."""
    for number in range(len(moments)):
        moment = moments[number]
        portrait = Portrait([moment.weights])
        prepared, camera = portrait.view(options.view, options.panel, options.panel, mesh.vertices)
        request: dict[str, Any] = {
            "camera": camera,
            "width": options.panel,
            "height": options.panel,
            "planes": ("combined",),
            "samples": options.samples,
        }
        lit = _drawn(prepared, ViewRequest(**request))
        colored = _drawn(prepared, ViewRequest(**request, shader=error_shader(truth)))
        cut = slice_picture(NetworkValues(moment.weights), options.axis, options.at, options.panel)
        strip = _curve(moments, number, 3 * options.panel, round(CURVE_HEIGHT * options.panel))
        yield np.concatenate([np.concatenate([lit, colored, cut], axis=1), strip])


def error_shader(truth: SurfaceDistance) -> Shader:
    """Color points by their distance to the source: blue none, white, orange, red from 0.02 of unit space on."""
    unit_from_object = truth.mesh.unit_from_object

    def shader(scene: PreparedScene, surfaces: Surfaces, x: Array, y: Array, sample: int, seed: int) -> Array:
        distances = truth.distance_up_to(WORST_ERROR, transform_points(unit_from_object, surfaces.points))
        share = distances / WORST_ERROR
        colors = np.stack([np.interp(share, ERROR_STOPS, ERROR_COLORS[:, k]) for k in range(3)], axis=1)
        facing = np.clip((surfaces.normals * surfaces.view).sum(axis=1), 0.0, 1.0)
        shaded: Array = linear_from_srgb(colors * (0.45 + 0.55 * facing)[:, None]).astype(np.float32)
        return shaded

    return shader


def _drawn(prepared: PreparedScene, request: ViewRequest) -> npt.NDArray[np.uint8]:
    combined = render_picture(prepared, request).planes["combined"]
    return display_bytes(over(combined, linear_from_srgb(BACKGROUND)))


def _curve(moments: list[Moment], number: int, width: int, height: int) -> npt.NDArray[np.uint8]:
    """Draw the error over the steps, both logarithmic, up to one moment, and what it was."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    font: Any = ImageFont.load_default(max(11, height // 9))
    margin = max(8, height // 8)
    steps = np.log([m.step for m in moments])
    errors = np.log([max(m.error, 1e-9) for m in moments])
    x = margin + (steps - steps[0]) / max(float(np.ptp(steps)), 1e-9) * (width - 2 * margin)
    low, high = float(errors.min()), float(errors.max())
    y = height - margin - (errors - low) / max(high - low, 1e-9) * (height - 3.5 * margin)
    draw.line([(margin, height - margin), (width - margin, height - margin)], GREY)
    points = list(zip(x.tolist(), y.tolist()))
    if number > 0:
        draw.line(points[: number + 1], CURVE, max(2, height // 60))
    across, down = points[number]
    radius = max(3, height // 36)
    draw.ellipse([across - radius, down - radius, across + radius, down + radius], CURVE)
    moment = moments[number]
    text = f"step {moment.step:,}   {moment.seconds:.1f} s   mean |f - d| {moment.error:.5f}"
    draw.text((margin, margin // 2), text, INK, font)
    return np.asarray(image)
