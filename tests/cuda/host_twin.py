"""The device functions as a library for the host: compiled by g++ once per session, called through ctypes."""

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
KERNELS = HERE.parent.parent / "engine/cuda"
# Rounding as IEEE 754 says and no fused multiply-adds: the same bits on every processor.
FLAGS = ("-O2", "-ffp-contract=off", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas")


def compiled(name, *sources):
    """Give the path of a library made of sources beside this file, or skip the test where there is no g++."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("there is no g++, so the device functions cannot be run on the host")
    read = sorted([*HERE.glob("*.cpp"), *HERE.glob("*.inc"), *KERNELS.glob("*.cuh")])
    digest = hashlib.sha256(repr((FLAGS, sources)).encode() + b"".join(path.read_bytes() for path in read))
    folder = (
        Path(tempfile.gettempdir()) / f"neural-implicit-host-twin-{os.getuid()}" / digest.hexdigest()[:24]
    )
    folder.mkdir(mode=0o700, exist_ok=True, parents=True)
    target = folder / name
    if not target.exists():
        half = target.with_suffix(f".{os.getpid()}")
        command = [compiler, *FLAGS, "-shared", "-fPIC", f"-I{KERNELS}", "-o", str(half)]
        subprocess.run([*command, *(str(HERE / source) for source in sources), "-ldl"], check=True)
        half.replace(target)
    return target


@functools.cache
def library():
    """Give the library, or skip the test where there is no g++."""
    twin = ctypes.CDLL(str(compiled("twin.so", "host_twin.cpp")))
    twin.layout_table.restype = ctypes.c_char_p
    twin.activation_derivatives.argtypes = [ctypes.c_int, ctypes.c_float, ctypes.c_void_p]
    for function in (twin.activation_value, twin.activation_slope):
        function.restype, function.argtypes = ctypes.c_float, [ctypes.c_int, ctypes.c_float]
    return twin


def run(name, arguments):
    """Run a kernel by its name, with one struct as its argument."""
    getattr(library(), name)(arguments.ctypes.data_as(ctypes.c_void_p))
