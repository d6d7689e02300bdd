"""A run's losses over its epochs as a PNG, the losses on a logarithmic scale."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from .epochs import EpochRecord

WIDTH, HEIGHT = 960, 560
LEFT, RIGHT, TOP, BOTTOM = 96, 28, 56, 60  # margins
INK, GRID, TRAINING, VALIDATION = (30, 30, 34), (226, 227, 231), (184, 92, 30), (44, 92, 160)
MOST_TICKS = 10
SCALE = 2  # drawn larger and shrunk, so that lines are smooth


def loss_plot(history: Sequence[EpochRecord]) -> bytes:
    """Give the bytes of a PNG with the training loss and, where there is one, the error on the validation grid."""
    curves = {"training loss": (TRAINING, [record.loss for record in history])}
    checked = [record.validation for record in history if record.validation is not None]
    if len(checked) == len(history):
        curves["validation: mean |f - d| on the grid"] = (VALIDATION, checked)
    epochs = [record.epoch for record in history]
    plot = _Plot(epochs, [value for _, values in curves.values() for value in values])
    plot.axes()
    for number, (name, (color, values)) in enumerate(curves.items()):
        plot.curve(epochs, values, color)
        plot.label(number, f"{name} {values[-1]:.3g}", color)
    return plot.png()


class _Plot:
    def __init__(self, epochs: Sequence[int], values: Sequence[float]) -> None:
        self._image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), "white")
        self._draw = ImageDraw.Draw(self._image)
        self._font: Any = ImageFont.load_default(17 * SCALE)
        positive = [value for value in values if value > 0.0] or [1.0]
        low, high = math.log10(min(positive)), math.log10(max(positive))
        room = max(0.05, 0.06 * (high - low))
        self._low, self._high = low - room, high + room
        self._first, self._last = epochs[0], max(epochs[-1], epochs[0] + 1)

    def axes(self) -> None:
        for value in _ticks(self._low, self._high):
            y = self._y(value)
            self._line([(LEFT, y), (WIDTH - RIGHT, y)], GRID, 1)
            self._text((LEFT - 10, y), f"{value:g}", "rm")
        step = max(1, math.ceil((self._last - self._first) / MOST_TICKS))
        for epoch in range(self._first, self._last + 1, step):
            self._line([(self._x(epoch), HEIGHT - BOTTOM), (self._x(epoch), HEIGHT - BOTTOM + 5)], INK, 1)
            self._text((self._x(epoch), HEIGHT - BOTTOM + 10), str(epoch), "mt")
        self._text(((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8), "epoch", "mb")
        self._line([(LEFT, TOP), (LEFT, HEIGHT - BOTTOM), (WIDTH - RIGHT, HEIGHT - BOTTOM)], INK, 1)

    def curve(self, epochs: Sequence[int], values: Sequence[float], color: tuple[int, int, int]) -> None:
        points = [(self._x(epoch), self._y(value)) for epoch, value in zip(epochs, values) if value > 0.0]
        if len(points) > 1:
            self._line(points, color, 3)
        for x, y in points if len(points) <= 40 else points[-1:]:
            box = [(x - 4) * SCALE, (y - 4) * SCALE, (x + 4) * SCALE, (y + 4) * SCALE]
            self._draw.ellipse(box, color)

    def label(self, number: int, text: str, color: tuple[int, int, int]) -> None:
        x = LEFT + number * 300
        self._line([(x, TOP / 2), (x + 26, TOP / 2)], color, 4)
        self._text((x + 36, TOP / 2), text, "lm")

    def png(self) -> bytes:
        stream = io.BytesIO()
        self._image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).save(stream, "PNG")
        return stream.getvalue()

    def _x(self, epoch: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (epoch - self._first) / (self._last - self._first)

    def _y(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    def _line(self, points: Sequence[tuple[float, float]], color: tuple[int, int, int], width: int) -> None:
        self._draw.line([(x * SCALE, y * SCALE) for x, y in points], color, width * SCALE, "curve")

    def _text(self, at: tuple[float, float], text: str, anchor: str) -> None:
        self._draw.text((at[0] * SCALE, at[1] * SCALE), text, INK, self._font, anchor)


def _ticks(low: float, high: float) -> list[float]:
    """Give round values whose logarithms lie between two: tenths of decades where there are few decades."""
    steps = (1.0, 2.0, 5.0) if high - low < 4.0 else (1.0,)
    decades = range(math.floor(low), math.ceil(high) + 1)
    values = [float(f"{step}e{decade}") for decade in decades for step in steps]
    return [value for value in values if low <= math.log10(value) <= high]
