"""Gets everything ready that a conversion needs, so that the next one begins at once: imports, kernels, Warp.

The kernels are compiled the first time (10 to 20 s of two cores) and loaded from the user's cache later.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from .cache import use_cache_folder
from .errors import FitError
from .kernel_sources import ENGINE, kernel_folder

log = logging.getLogger(__name__)

FITTING_KERNELS = ("fused_kernels.py", "tracing/network_kernel.py")  # modules that a conversion runs
TRACING_KERNELS = ("tracing/network_kernel.py", "tracing/march_kernel.py")  # and that a picture does
SAMPLES = 8192  # one batch: enough to call every kernel
OCTAHEDRON = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], np.float64)
FACES = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])


def kernels_are_compiled(modules: tuple[str, ...]) -> bool:
    """Whether kernels made from these very sources of modules are in the cache; takes milliseconds."""
    use_cache_folder()
    parent = Path(os.environ["NUMBA_CACHE_DIR"])
    return all(any(kernel_folder(parent, ENGINE / name).glob("*.nbc")) for name in modules)


def warm_up() -> None:
    """Train a tiny network for two steps on eight triangles and throw it away."""
    from .announcer import save_result
    from .conversion import neural_weights
    from .fitting import FitOptions, fit
    from .mesh import Mesh, check_mesh, to_unit
    from .presets import SMOOTH
    from .sign_doctor import examine

    start = time.monotonic()
    options = FitOptions(architecture=SMOOTH, num_steps=2, num_samples=SAMPLES)
    mesh = check_mesh(Mesh(name="octahedron", vertices=OCTAHEDRON, faces=FACES))
    truth = examine(to_unit(mesh), None).truth
    parameters = fit(truth, options, lambda state: None)
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(FitError):  # it may be empty still
        weights = neural_weights(parameters, options, mesh, truth.mesh.unit_from_object)
        save_result(weights, Path(folder) / "trial.safetensors", Path(folder) / "trial.npz")
    log.info("warmed up in %.1f s", time.monotonic() - start)
