"""One conversion as the engine does it: a process, its messages, and the files it leaves. No Blender in here.

The engine replaces the weights and the proxy in one step each, so what is read is whole at any time, also after the
engine was killed.
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.errors import WeightsFileError
from ..engine.protocol.messages import Converted, Failure, Message, Progress, Snapshot, StartConversion
from ..engine.protocol.weights import NeuralWeights
from .engine_process import EngineProcess, EngineProcessError

SILENCE_TIMEOUT_S = 120.0  # torch's first import took 30 s, and a million faces take a while to check


class ConversionError(Exception):
    """The engine's result cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EngineResult:
    """What a snapshot or a finished conversion consists of."""

    weights: bytes
    vertices_unit: np.ndarray  # (V, 3) float32
    triangles: np.ndarray  # (T, 3) int32
    report: dict[str, Any]
    more: dict[str, np.ndarray]  # beside the proxy: those of a moving shape's moments


class EngineConversion:
    """Runs `convert` in a folder of its own; whoever owns it polls."""

    def __init__(
        self,
        python: Path,
        folder: Path,
        silence_timeout_s: float = SILENCE_TIMEOUT_S,
        *,
        moving: bool = False,
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            python: The engine's interpreter.
            folder: Where the source is and the result goes.
            silence_timeout_s: How long the engine may say nothing before it counts as hanging.
            moving: The source is a folder of frames.
        """
        self.source = folder / ("frames" if moving else "source.npz")
        self.weights = folder / "result.safetensors"
        self.proxy = folder / "proxy.npz"
        self.report = folder / "result.report.json"
        self.progress: Progress | None = None
        self.converted: Converted | None = None
        self.failure = ""  # why it ended without a finished result
        self._snapshot: Snapshot | None = None
        self._fresh = False  # a snapshot or the result has not been taken yet
        self._silence_timeout_s = silence_timeout_s
        self._heard = time.monotonic()
        self._process = EngineProcess(python, log_path=folder / "engine.log")

    def start(self, settings: Sequence[str], ready: EngineProcess | None = None) -> None:
        """Start the engine on the source file; returns at once.

        Args:
            settings: Options of `python -m engine convert`.
            ready: An engine that stands by; None: another one is started.

        Raises:
            EngineProcessError: The interpreter cannot be started.
        """
        files = ["-o", str(self.weights), "--report", str(self.report), "--proxy", str(self.proxy)]
        self._heard = time.monotonic()
        arguments = (str(self.source), *files, *settings)
        if ready is None:
            self._process.start(["convert", "--messages", *arguments])
            return
        self._process = ready
        ready.send(StartConversion(arguments=arguments))

    @property
    def running(self) -> bool:
        """Whether it has neither finished nor failed."""
        return self.converted is None and not self.failure

    def poll(self, timeout_s: float = 0.0) -> bool:
        """Take in what the engine has said; wait for it no longer than `timeout_s`. Whether there was anything."""
        if not self.running:
            return False
        try:
            heard = self._listen(timeout_s)
            if self.running and not heard:
                self._check_silence()
        except EngineProcessError as error:
            if self.running:
                self._fail(str(error))
            return True
        if self.converted is not None:
            self._process.kill()  # its files are final
        return heard or not self.running

    def take_result(self) -> EngineResult | None:
        """Give the newest weights and proxy, once; None where there is nothing new, or nothing to see yet.

        Raises:
            ConversionError: The files cannot be read or hold nonsense.
        """
        if not self._fresh:
            return None
        self._fresh = False
        return self._read_result()

    def stop(self) -> None:
        """End the engine at once; its files stay."""
        self._process.kill()

    def _listen(self, timeout_s: float) -> bool:
        message = self._process.receive(timeout_s)
        if message is None:
            return False
        self._take_in(message)
        for message in self._process.poll():
            self._take_in(message)
        return True

    def _take_in(self, message: Message) -> None:
        self._heard = time.monotonic()
        if isinstance(message, Progress):
            self.progress = message
        elif isinstance(message, Snapshot):
            self._snapshot, self._fresh = message, True
        elif isinstance(message, Converted):
            self.converted, self._fresh = message, True
        elif isinstance(message, Failure):
            self._fail(message.message)

    def _check_silence(self) -> None:
        if self._process.ended:
            self._fail("The engine ended without a result. Run Check Engine in the add-on's preferences.")
        elif time.monotonic() - self._heard > self._silence_timeout_s and self._process.welcome is not None:
            self._fail(
                f"The engine has said nothing for {self._silence_timeout_s:.0f} s and was ended. Convert again; if it "
                "happens again, use fewer samples or a mesh with fewer faces."
            )

    def _fail(self, why: str) -> None:
        self.failure = why
        self._fresh = (
            self.weights.exists() and self.proxy.exists()
        )  # the last one may be newer than its message
        self._process.kill()

    def _read_result(self) -> EngineResult | None:
        try:
            weights = self.weights.read_bytes()
            NeuralWeights.from_bytes(weights)
            with np.load(self.proxy, allow_pickle=False) as arrays:
                vertices, triangles = arrays["vertices_unit"], arrays["triangles"]
                more = {name: arrays[name] for name in arrays.files if name.startswith("moment_")}
        except (OSError, KeyError, ValueError, zipfile.BadZipFile, WeightsFileError) as error:
            raise ConversionError(f"The engine's result cannot be read: {error}. Convert again.") from error
        if not _is_mesh(vertices, triangles):
            raise ConversionError("The engine's proxy mesh is damaged. Convert again.")
        if len(triangles) == 0:
            return None
        return EngineResult(
            weights=weights, vertices_unit=vertices, triangles=triangles, report=self._report(), more=more
        )

    def _report(self) -> dict[str, Any]:
        if self.converted is not None:
            return self.converted.report | {"warnings": list(self.converted.warnings)}
        if self._snapshot is None:
            return {}
        return {"step": self._snapshot.step, "training_error": self._snapshot.error}


def _is_mesh(vertices: np.ndarray, triangles: np.ndarray) -> bool:
    if vertices.ndim != 2 or triangles.ndim != 2 or vertices.shape[1] != 3 or triangles.shape[1] != 3:
        return False
    if triangles.dtype.kind not in "iu" or vertices.dtype.kind != "f" or not np.isfinite(vertices).all():
        return False
    return len(triangles) == 0 or (int(triangles.min()) >= 0 and int(triangles.max()) < len(vertices))
