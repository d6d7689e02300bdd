"""How this package's kernels are compiled: once for all processes, and without holding up other threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..cache import use_cache_folder

use_cache_folder()
import numba as nb  # noqa: E402

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile a function of numbers and arrays at its first call."""
    kernel: Any = nb.njit(cache=True, nogil=True, error_model="numpy")(function)
    return kernel  # type: ignore[no-any-return]
