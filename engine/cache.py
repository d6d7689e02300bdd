"""Where compiled kernels are kept between runs: a per-user folder, never beside our sources."""

from __future__ import annotations

import os
import sys
from pathlib import Path

FOLDER_VARIABLE = "NEURAL_IMPLICIT_CACHE"
NUMBAS_OWN = "UserProvidedCacheLocator,UserWideCacheLocator"  # for functions of other packages


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
    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder() / "numba"))
    # not by default: a parent's value may name a package that this process does not have
    os.environ["NUMBA_CACHE_LOCATOR_CLASSES"] = f"{__package__}.kernel_cache.KernelCacheLocator,{NUMBAS_OWN}"
    os.environ.setdefault("WARP_CACHE_PATH", str(cache_folder() / "warp"))
