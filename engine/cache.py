"""Where compiled kernels are kept between runs: a per-user folder, never beside our sources."""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from pathlib import Path

FOLDER_VARIABLE = "NEURAL_IMPLICIT_CACHE"


def cache_folder() -> Path:
    """Give the per-user folder for compiled code; NEURAL_IMPLICIT_CACHE overrides it."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "neural-implicit"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/neural-implicit"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "neural-implicit"


def use_cache_folder() -> None:
    """Point Numba and Warp at the folder; call it before either is imported."""
    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder() / "numba" / _digest_of_sources()))
    os.environ.setdefault("WARP_CACHE_PATH", str(cache_folder() / "warp"))


@functools.cache
def _digest_of_sources() -> str:
    """Give a name for the state of our sources: Numba itself does not notice that a kernel in another file has changed."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
