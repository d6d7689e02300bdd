"""Gets everything ready that a conversion or a picture needs, so that the next one begins at once.

Kernels are compiled the first time (a minute of processor time and more) and loaded from the user's cache later; those for
tracing in a process of their own, while this one compiles those for fitting. What has been compiled is noted by empty files in
the cache, named by the sources that it was made from.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from .cache import use_cache_folder
from .errors import FitError
from .kernel_sources import ENGINE, kernels_digest
from .protocol.scene import ArrayBlob, Camera, Light, MeshGeometry, MeshObject, NeuralObject, Scene
from .protocol.weights import Architecture, Description, NeuralWeights, Source

log = logging.getLogger(__name__)

Use = Literal["fitting", "tracing", "rendering"]
ROOTS = {
    "fitting": "conversion/convert.py",
    "tracing": "tracing/cpu.py",
    "rendering": "rendering/renderer.py",
}  # modules from which all kernels are reached
ELSEWHERE_TIMEOUT_S = 600.0  # a slow machine; it takes half a minute
SAMPLES = 8192  # one batch: enough to call every kernel
OCTAHEDRON = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], np.float64)
FACES = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])


def is_compiled(use: Use) -> bool:
    """Whether the kernels for a use are in the cache, made from these very sources; takes milliseconds."""
    return _note(use).exists()


def warm_up(use: Use) -> None:
    """Call every kernel of a use once."""
    start = time.monotonic()
    if use == "fitting":
        elsewhere = None if is_compiled("tracing") else _start_elsewhere()
        _fit_a_little(lambda: _wait_for(elsewhere))
    _trace_a_little()
    if use == "rendering":
        _render_a_little(all_kinds=not is_compiled("rendering"))
    for done in {use, "tracing"}:
        with contextlib.suppress(OSError):  # then it is looked for again next time
            _note(done).parent.mkdir(parents=True, exist_ok=True)
            _note(done).touch()
    log.info("ready for %s in %.1f s", use, time.monotonic() - start)


def _note(use: str) -> Path:
    use_cache_folder()
    digest = kernels_digest(ENGINE / ROOTS[use])[:16]
    return Path(os.environ["NUMBA_CACHE_DIR"]) / f"{use}_{digest}_py{platform.python_version()}"


def _start_elsewhere() -> subprocess.Popen[bytes] | None:
    """Start a process that compiles the kernels for tracing and ends with this one; None where it cannot be started."""
    try:
        return subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.warm_up"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=ENGINE.parent,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        log.info("the kernels for tracing are compiled here: %s", error)
        return None


def _wait_for(elsewhere: subprocess.Popen[bytes] | None) -> None:
    """Wait until that process has ended; what it has not compiled is compiled here."""
    if elsewhere is None:
        return
    try:
        elsewhere.wait(ELSEWHERE_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        elsewhere.kill()
        elsewhere.wait()
    assert elsewhere.stdin is not None
    elsewhere.stdin.close()


def _end_with(source: BinaryIO) -> None:
    source.read(1)
    os._exit(0)


def _fit_a_little(before_tracing: Callable[[], None]) -> None:
    """Train a tiny network for two steps on eight triangles and throw it away."""
    from .conversion.announcer import save_result
    from .conversion.presets import SMOOTH
    from .fitting.cpu_optimizer import SoapOptions
    from .fitting.fit import FitOptions, fit
    from .fitting.fitted_weights import neural_weights
    from .ground_truth.mesh import Mesh, check_mesh, to_unit
    from .ground_truth.sign_doctor import examine

    often = SoapOptions(basis_interval=1)  # so that two steps turn the bases
    options = FitOptions(architecture=SMOOTH, num_steps=2, num_samples=SAMPLES, soap=often)
    mesh = check_mesh(Mesh(name="octahedron", vertices=OCTAHEDRON, faces=FACES))
    truth = examine(to_unit(mesh), None).truth
    parameters = fit(truth, options, lambda state: None)
    before_tracing()
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(FitError):  # it may be empty still
        weights = neural_weights(parameters, options, Source(name=mesh.name), truth.mesh.unit_from_object)
        save_result(weights, Path(folder) / "trial.safetensors", Path(folder) / "trial.npz")


def _trace_a_little() -> None:
    """Trace a ray at a network of four units."""
    from .tracing import make_tracer

    tracer = make_tracer(
        _tiny_network(), "cpu"
    )  # whose kernels are compiled here; the GPU's are compiled ahead
    origin, direction = np.array([[0.0, 0.0, -1.0]]), np.array([[0.0, 0.1, 1.0]])
    tracer.trace(origin, direction, np.zeros(1), np.full(1, 2.0))
    tracer.occluded(origin, direction, np.zeros(1), np.full(1, 2.0))
    tracer.value(origin)
    tracer.gradient(origin)


def _tiny_network() -> NeuralWeights:
    """Give random weights of four units."""
    architecture = Architecture(width=4, depth=1)
    description = Description(
        architecture=architecture,
        unit_from_object=_numbers(np.eye(4)),
        bounds_unit=(-1.0, -1.0, -1.0, 1.0, 1.0, 1.0),
    )
    random = np.random.default_rng(0)
    shapes = architecture.layer_shapes()
    return NeuralWeights(
        description=description,
        weights=tuple(random.normal(size=shape).astype(np.float32) for shape in shapes),
        biases=tuple(np.zeros(shape[0], np.float32) for shape in shapes),
    )


def _render_a_little(all_kinds: bool) -> None:
    """Draw that network in a few pixels; `all_kinds`: beside an octahedron, and denoised."""
    from .rendering.renderer import SceneCache, ViewRequest, prepare_scene, render_picture

    view = np.eye(4)
    view[2, 3] = -3.0
    camera = Camera(view_from_world=_numbers(view), clip_from_view=_numbers(np.diag([0.5, 0.5, -0.2, 1.0])))
    request = ViewRequest(camera=camera, width=8, height=8, samples=2, denoise=all_kinds)
    with (
        contextlib.suppress(OSError),
        tempfile.TemporaryDirectory() as folder,
    ):  # no place: they compile when needed
        scene = _tiny_scene(Path(folder), all_kinds)
        render_picture(prepare_scene(scene, SceneCache(Path(folder))), request)


def _tiny_scene(folder: Path, with_triangles: bool) -> Scene:
    """Write what a scene of the tiny network, and of triangles where they are wanted, refers to; give the scene."""

    def blob(data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        (folder / name).write_bytes(data)
        return name

    def array(values: np.ndarray, dtype: Literal["float32", "int32"]) -> ArrayBlob:
        return ArrayBlob(sha256=blob(values.astype(dtype).tobytes()), dtype=dtype, shape=values.shape)

    place = _numbers(np.eye(4))
    neural = NeuralObject(
        name="tiny", object_id=1, weights=blob(_tiny_network().to_bytes()), world_from_object=place
    )
    lamp = Light(type="SUN", world_from_light=place, energy=1.0)
    scene = Scene(neural_objects=(neural,), lights=(lamp,), device="cpu")
    if not with_triangles:
        return scene
    geometry = MeshGeometry(vertices=array(OCTAHEDRON, "float32"), triangles=array(FACES, "int32"))
    mesh = MeshObject(name="octahedron", object_id=2, geometry=0, world_from_object=place)
    return replace(scene, geometries=(geometry,), mesh_objects=(mesh,))


def _numbers(matrix: np.ndarray) -> tuple[float, ...]:
    return tuple(float(number) for number in matrix.ravel())


if __name__ == "__main__":
    threading.Thread(target=_end_with, args=(sys.stdin.buffer,), daemon=True).start()
    warm_up("tracing")
    os._exit(0)  # the thread still reads, and Python's own end would stumble over it
