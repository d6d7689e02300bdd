"""What works on this machine, and what to do about what does not.

`installed` looks at package versions only and takes milliseconds, so it fits into a handshake. `checked` imports
each package and runs something small on it. No CUDA context of ours is created, since torch's and another one in the same
process fight: the driver is asked for its devices, and the kernels run in a process of their own.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import logging
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .errors import DeviceError
from .protocol.messages import DeviceStatus
from .warp_start import start_warp

log = logging.getLogger(__name__)

OLDEST_PYTHON = (3, 11)
TRIAL_TIMEOUT_S = 60.0  # a driver that starts, and PTX that is compiled
PACKAGES: dict[str, str] = {  # distribution -> what needs it
    "numpy": "everything",
    "torch": "fitting on a GPU (--device)",
    "warp-lang": "exact distances and native geometry",
    "numba": "tracing on the CPU",
    "trimesh": "reading mesh files",
    "scikit-image": "meshing",
    "click": "the command line",
    "rich": "the command line",
    "pillow": "writing pictures",
    "h5py": "reading and writing Keras weights",
}
REMEDY = "install it into the engine's environment: {python} -m pip install {package}"


def package_versions() -> dict[str, str]:
    """Give the installed version of each package the engine uses; missing ones are left out."""
    versions = {}
    for package in PACKAGES:
        version = _version(package)
        if version is not None:
            versions[package] = version
    return versions


def installed() -> tuple[DeviceStatus, ...]:
    """Say what should work, by the versions that are installed; nothing is imported."""
    return (_python(), *(_package(package, purpose) for package, purpose in PACKAGES.items()))


def checked() -> tuple[DeviceStatus, ...]:
    """Say what works, by doing a little of it with each package and device; takes a few seconds."""
    trials: tuple[tuple[str, Callable[[], str]], ...] = (
        ("fitting on cuda", _try_torch_cuda),
        ("native geometry on cpu", _try_warp),
        ("fitting and tracing on cpu", _try_numba),
        ("NVIDIA driver", _try_driver),
        ("tracing on cuda", _try_cuda_kernels),
    )
    return (*installed(), *(_attempt(name, trial) for name, trial in trials))


def required_works(devices: tuple[DeviceStatus, ...]) -> bool:
    """Whether everything works that the engine cannot do without; a GPU is not part of it."""
    optional = ("torch", "fitting on cuda", "NVIDIA driver", "tracing on cuda")
    return all(device.works for device in devices if device.name not in optional)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _python() -> DeviceStatus:
    works = sys.version_info[:2] >= OLDEST_PYTHON
    detail = f"{platform.python_version()} at {sys.executable}"
    if not works:
        detail += "; the engine needs Python 3.11 or later: make its environment with one"
    return DeviceStatus(name="python", works=works, detail=detail)


def _package(package: str, purpose: str) -> DeviceStatus:
    version = _version(package)
    if version is not None:
        return DeviceStatus(name=package, works=True, detail=f"{version}, for {purpose}")
    remedy = REMEDY.format(python=sys.executable, package=package)
    return DeviceStatus(name=package, works=False, detail=f"not installed; needed for {purpose}: {remedy}")


def _attempt(name: str, trial: Callable[[], str]) -> DeviceStatus:
    try:
        return DeviceStatus(name=name, works=True, detail=trial())
    except DeviceError as error:
        return DeviceStatus(name=name, works=False, detail=str(error))
    except Exception as error:  # anything a foreign library raises is what we report here
        log.debug("%s does not work", name, exc_info=True)
        detail = f"{type(error).__name__}: {error}".splitlines()[0]
        return DeviceStatus(name=name, works=False, detail=detail)


def _try_torch_cuda() -> str:
    if _version("torch") is None:
        raise DeviceError("torch is not installed; fitting uses the CPU")
    import torch

    if not torch.cuda.is_available():
        raise DeviceError(
            "torch sees no CUDA device; fitting uses the CPU. For a GPU install torch's CUDA build"
        )
    return f"{torch.cuda.get_device_name(0)} by torch {torch.__version__}"


def _try_warp() -> str:
    wp: Any = importlib.import_module("warp")  # its type hints are partial
    start_warp()
    points = wp.array(np.eye(3, dtype=np.float32), dtype=wp.vec3, device="cpu")
    mesh = wp.Mesh(points=points, indices=wp.array(np.arange(3, dtype=np.int32), device="cpu"))
    if mesh.id == 0:
        raise DeviceError("warp cannot build a mesh; install warp-lang again")
    cuda = "with CUDA" if wp.is_cuda_available() else "without CUDA"
    return f"warp {_version('warp-lang')}, {cuda}"


def _try_numba() -> str:
    import numba

    if numba.njit(lambda x: x + 1)(41) != 42:
        raise DeviceError("numba gives wrong numbers; install numba again")
    return f"numba {numba.__version__}, {numba.get_num_threads()} threads"


def _try_driver() -> str:
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(library)
    except OSError as error:
        raise DeviceError(f"{library} is not there; without an NVIDIA GPU the CPU does everything") from error
    count, version = ctypes.c_int(0), ctypes.c_int(0)
    status = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    status = status or driver.cuDriverGetVersion(ctypes.byref(version))
    if status != 0 or count.value == 0:
        raise DeviceError(f"the driver gives no device (status {status}); reboot or reinstall the driver")
    return f"{count.value} device(s), CUDA {version.value // 1000}.{version.value % 1000 // 10}"


def _try_cuda_kernels() -> str:
    """Trace a ray on the GPU in a process of its own."""
    command = [sys.executable, "-m", f"{__package__}.cuda.trial"]
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=TRIAL_TIMEOUT_S)
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    if done.returncode != 0 or not lines:
        raise DeviceError(lines[-1] if lines else f"the trial ended with code {done.returncode}")
    return lines[-1]
