"""Scenes by name: the newest revision wins, and each is prepared once, when a view first needs it.

The scenes of one job, an animation, keep the bounds that their networks have at its beginning, so that no frame differs from
the next by how it was traced; what is proven meanwhile is used from the next job on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import ProtocolError
from ..protocol.messages import LoadScene
from ..rendering.renderer import PreparedScene, SceneCache, prepare_scene
from ..tracing.certifier import Certifiable, Certifier
from ..tracing.sharpening import sharpen_few

log = logging.getLogger(__name__)


class SceneStore:
    """Scenes that the add-on has sent; `prepared` is called by the worker only."""

    def __init__(
        self,
        blobs: Path,
        better: Callable[[str], None] = lambda scene_id: None,
        certifier: Certifier | None = None,
    ) -> None:
        """Look for blobs in `blobs`, by name only; `better` hears of scenes whose networks were certified meanwhile."""
        self._cache = SceneCache(blobs)
        self._lock = threading.Lock()
        self._loaded: dict[str, LoadScene] = {}
        self._prepared: dict[str, tuple[LoadScene, PreparedScene]] = {}
        self._better = better
        self._certifier = Certifier() if certifier is None else certifier
        self._job = 0

    def load(self, message: LoadScene) -> bool:
        """Keep a scene; whether it replaces an older revision."""
        with self._lock:
            known = self._loaded.get(message.scene_id)
            if known is not None and message.revision <= known.revision:
                return False
            self._loaded[message.scene_id] = message
            return True

    def prepared(self, scene_id: str) -> PreparedScene:
        """Give a scene ready to trace; the first time this builds what its objects need.

        Raises:
            ProtocolError: No such scene was sent.
            EngineError: A blob of it is missing or damaged.
        """
        with self._lock:
            message = self._loaded.get(scene_id)
        if message is None:
            raise ProtocolError(f"The scene {scene_id!r} was never sent to the engine.")
        known = self._prepared.get(scene_id)
        if known is not None and known[0] is message:
            return known[1]
        if message.job != self._job:
            self._job = message.job
            self._certifier.release()
            self._cache.begin_job()
        began = time.monotonic()
        prepared = prepare_scene(message.scene, self._cache)
        self._prepared[scene_id] = (message, prepared)
        log.info(
            "prepared scene %s, revision %d, in %.2f s", scene_id, message.revision, time.monotonic() - began
        )
        self._certify(scene_id, prepared)
        return prepared

    def _certify(self, scene_id: str, prepared: PreparedScene) -> None:
        tracers = {id(instance.tracer): instance.tracer for instance in prepared.neural}
        sampled = [t for t in tracers.values() if isinstance(t, Certifiable) and t.bound == "sampled"]
        if self._job != 0:
            sharpen_few(sampled)
        if sampled:
            self._certifier.request(sampled, lambda: self._better(scene_id), hold=self._job != 0)
