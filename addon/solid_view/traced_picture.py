"""The traced picture of one 3D view: coarse at once, then full, then smooth at its edges, some rows in each redraw.

What a pixel costs is measured on the first pictures, by waiting for the GPU, and now and then later; from then on each
redraw traces as many pixels as fit its time. A view that did not change traces nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import gpu
import numpy as np

from ...engine.protocol.weights import Architecture
from .programs import draw_part, march_program
from .shape_uniforms import ShapeDrawing

BUDGET_S = 0.04  # of a redraw in which the view changed
REFINE_BUDGET_S = 0.1  # of one that refines: Blender's own drawing is the larger part where pixels are slow
FEWEST = 2048  # pixels of a pass; smaller ones are all overhead
FIRST_RATE = 1e5  # pixels a second, before any was measured: a software renderer's
COARSEST = 8  # pixels a side
SAMPLES = 2  # of a pixel along each axis, at its best
MOST_SMOOTH = 1 << 21  # pixels of a view whose edges are smoothed: 160 MB
EDGE_SHARE = 0.2  # of the pixels, about, that lie on edges and are traced again
MEASURED_FIRST, MEASURED_EACH = 12, 64  # passes
BACKGROUND = (0.0, 0.0, 0.0, 1.0)


class Speed:
    """How many pixels a second the GPU traces."""

    def __init__(self) -> None:
        self.rate = FIRST_RATE
        self._passes = 0
        self._warm: set[Architecture] = set()

    @property
    def budget(self) -> float:
        """Pixels that a redraw with a new view may trace."""
        return max(self.rate * BUDGET_S, FEWEST)

    @property
    def refine_budget(self) -> float:
        """Pixels that a redraw of the same view may trace."""
        return max(self.rate * REFINE_BUDGET_S, FEWEST)

    def warm_up(self, framebuffer: Any, shapes: dict[Architecture, ShapeDrawing]) -> None:
        """Let the driver compile what it has not drawn yet, so that this counts as no pixel's time."""
        for architecture in shapes.keys() - self._warm:
            shader = march_program(architecture)
            shader.bind()
            shapes[architecture].bind(shader, (1, 1), 1.0, None)
            draw_part(shader, 0, 0, 1, 1)
            _finish(framebuffer)
            framebuffer.clear(color=BACKGROUND, depth=1.0)  # a new network begins a new picture
            self._warm.add(architecture)

    def begin(self, framebuffer: Any) -> float | None:
        """Give the time where this pass is to be measured."""
        self._passes += 1
        if self._passes > MEASURED_FIRST and self._passes % MEASURED_EACH:
            return None
        _finish(framebuffer)
        return time.perf_counter()

    def end(self, framebuffer: Any, begun: float | None, pixels: float) -> None:
        """Take a measured pass into account."""
        if begun is None or pixels < 0.5 * FEWEST:
            return
        _finish(framebuffer)
        measured = pixels / max(time.perf_counter() - begun, 1e-5)
        self.rate = measured if self._passes <= 2 else 0.5 * (self.rate + measured)


speed = Speed()


@dataclass(eq=False)
class Layer:
    """One picture being traced, from its lowest row up."""

    target: gpu.types.GPUOffScreen
    scale: float  # its pixels along an axis for one of the view's
    rows: int = 0  # of the target, done

    @property
    def complete(self) -> bool:
        """Whether all rows are."""
        return self.rows >= self.target.height


class TracedPicture:
    """Pictures of one region; drawing them needs its GPU context."""

    def __init__(self) -> None:
        self._key: Hashable = None
        self._size = (0, 0)
        self._layers: dict[float, Layer] = {}  # by scale
        self.known: Layer | None = None
        self.denser: Layer | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is left to trace."""
        newest = self.denser or self.known
        return newest is not None and newest.scale == self._best_scale and newest.complete

    @property
    def _best_scale(self) -> float:
        return float(SAMPLES if self._size[0] * self._size[1] <= MOST_SMOOTH else 1)

    def trace(self, key: Hashable, size: tuple[int, int], shapes: list[ShapeDrawing]) -> None:
        """Trace what fits a redraw; `key` names all that the picture depends on."""
        if size != self._size:
            self._layers.clear()
            self._size = size
        if key != self._key:
            self._key = key
            self._restart(shapes)
        elif not self.complete:
            self._advance(shapes)

    def _restart(self, shapes: list[ShapeDrawing]) -> None:
        pixels = sum(shape.share for shape in shapes) * self._size[0] * self._size[1]
        divisor = 1
        while divisor < COARSEST and pixels / divisor**2 > speed.budget:
            divisor *= 2
        self.known, self.denser = self._layer(1.0 / divisor), None
        self._pass(self.known, shapes, self.known.target.height, None)

    def _advance(self, shapes: list[ShapeDrawing]) -> None:
        if self.denser is not None and self.denser.complete:
            self.known, self.denser = self.denser, None
        assert self.known is not None
        if self.denser is None:
            self.denser = self._layer(1.0 if self.known.scale < 1.0 else self._best_scale)
        layer = self.denser
        self._pass(layer, shapes, _rows_that_fit(layer, shapes), self.known)

    def _layer(self, scale: float) -> Layer:
        width, height = (max(1, math.ceil(n * scale)) for n in self._size)
        if scale not in self._layers:
            self._layers[scale] = Layer(gpu.types.GPUOffScreen(width, height, format="RGBA32F"), scale)
        layer = self._layers[scale]
        layer.rows = 0
        with layer.target.bind():
            gpu.state.active_framebuffer_get().clear(color=BACKGROUND, depth=1.0)
        return layer

    def _pass(self, layer: Layer, shapes: list[ShapeDrawing], end: int, coarser: Layer | None) -> None:
        """Trace the layer's rows up to `end`."""
        width, height = layer.target.width, layer.target.height
        begin, layer.rows = layer.rows, end
        smooths = layer.scale > 1.0 and coarser is not None
        with layer.target.bind():
            framebuffer = gpu.state.active_framebuffer_get()
            gpu.state.depth_test_set("LESS_EQUAL")
            gpu.state.depth_mask_set(True)
            gpu.state.blend_set("NONE")
            speed.warm_up(framebuffer, {shape.network.architecture: shape for shape in shapes})
            begun = speed.begin(framebuffer)
            pixels = 0
            for shape in shapes:
                x0, y0, x1, y1 = _pixels(shape.rectangle, width, height)
                y0, y1 = max(y0, begin), min(y1, end)
                if y0 >= y1 or x0 >= x1:
                    continue
                shader = march_program(shape.network.architecture)
                shader.bind()
                shape.bind(shader, (width, height), layer.scale, coarser.target if smooths else None)
                draw_part(shader, x0, y0, x1, y1)
                pixels += (x1 - x0) * (y1 - y0)
            speed.end(framebuffer, begun, pixels * (EDGE_SHARE if smooths else 1.0))


def _rows_that_fit(layer: Layer, shapes: list[ShapeDrawing]) -> int:
    """Give up to which row a redraw that refines may trace; rows without shapes cost nothing."""
    height = layer.target.height
    rectangles = np.array([shape.rectangle for shape in shapes]).reshape(-1, 4)
    widths = 0.5 * layer.target.width * (rectangles[:, 2] - rectangles[:, 0]).clip(0.0)
    first, last = (
        np.floor(0.5 * (rectangles[:, k] + 1.0) * height).astype(int).clip(0, height) for k in (1, 3)
    )
    pixels = np.zeros(height + 1)
    np.add.at(pixels, first, widths)
    np.subtract.at(pixels, last, widths)
    done = np.cumsum(np.cumsum(pixels)[layer.rows : height]) * (EDGE_SHARE if layer.scale > 1.0 else 1.0)
    return layer.rows + max(int(np.searchsorted(done, speed.refine_budget)), 1)


def _pixels(rectangle: tuple[float, ...], width: int, height: int) -> tuple[int, int, int, int]:
    """Give the pixels from x0, y0 to before x1, y1 that a rectangle in [-1, 1]^2 meets, with one more on each side."""
    x0, y0, x1, y1 = (0.5 * (place + 1.0) * n for place, n in zip(rectangle, (width, height) * 2))
    if x0 >= x1 or y0 >= y1:
        return 0, 0, 0, 0  # beside the view
    low = max(math.floor(x0) - 1, 0), max(math.floor(y0) - 1, 0)
    return *low, min(math.ceil(x1) + 1, width), min(math.ceil(y1) + 1, height)


def _finish(framebuffer: Any) -> None:
    """Wait for the GPU by reading one pixel."""
    framebuffer.read_color(0, 0, 1, 1, 4, 0, "FLOAT")
