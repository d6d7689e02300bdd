"""How Numba compiles: into the per-user folder, and with 512-bit vectors where the processor has them.

LLVM prefers 256-bit vectors on processors that have wider ones, which costs a third of the speed of our loops.
"""

from __future__ import annotations

import os
import sys

from ..cache import use_cache_folder


def prepare_compiler() -> None:
    """Set Numba up; without effect once it is imported."""
    use_cache_folder()
    if "numba" in sys.modules or "NUMBA_CPU_FEATURES" in os.environ:
        return
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    if features.get("avx512f"):
        os.environ["NUMBA_CPU_FEATURES"] = features.flatten() + ",-prefer-256-bit"
