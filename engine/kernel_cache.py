"""Where Numba keeps compiled kernels: by what they were made from, wherever the sources lie.

Numba's own choice follows the folder of the source file, so that every new place of the extension compiled everything
anew (10 to 20 s), and the content of that one file, so that a change in a module whose functions are compiled into it
went unseen. Here the folder is named by the sources of the module and of all modules of the engine that it imports.

Numba loads `KernelCacheLocator` by its dotted name (NUMBA_CACHE_LOCATOR_CLASSES, set in `cache.py`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba.core.caching import UserProvidedCacheLocator

from .kernel_sources import ENGINE, kernel_folder, sources_digest


class KernelCacheLocator(UserProvidedCacheLocator):
    """Names a module's cache folder by the sources that its kernels depend on; other packages' functions it leaves."""

    def __init__(self, py_func: Callable[..., Any], py_file: str) -> None:
        """Find the folder of a function's module."""
        super().__init__(py_func, py_file)  # type: ignore[no-untyped-call]
        self._digest = sources_digest(Path(py_file).resolve())
        self._cache_path = os.fspath(kernel_folder(Path(self._cache_path).parent, Path(py_file)))

    def get_source_stamp(self) -> str:
        """Give what has to be the same for a compiled function to be used again."""
        return self._digest

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> Any:
        """Give a locator for a function of the engine, None for any other (Numba then asks its own locators)."""
        if not Path(py_file).resolve().is_relative_to(ENGINE):
            return None
        return super().from_function(py_func, py_file)  # type: ignore[no-untyped-call]
