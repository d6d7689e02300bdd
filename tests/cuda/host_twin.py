"""The device functions as a library for the host: compiled by g++ once per session, called through ctypes."""

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest

from engine.cuda import layouts
from engine.cuda.network_data import network_data

HERE = Path(__file__).resolve().parent
KERNELS = HERE.parent.parent / "engine/cuda"
# Rounding as IEEE 754 says and no fused multiply-adds: the same bits on every processor.
FLAGS = ("-O2", "-ffp-contract=off", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas")


@functools.cache
def library():
    """Give the library, or skip the test where there is no g++."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("there is no g++, so the device functions cannot be run on the host")
    sources = sorted([*HERE.glob("*.cpp"), *HERE.glob("*.inc"), *KERNELS.glob("*.cuh")])
    digest = hashlib.sha256(repr(FLAGS).encode() + b"".join(path.read_bytes() for path in sources))
    folder = Path(tempfile.gettempdir()) / f"neural-implicit-host-twin-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"{digest.hexdigest()[:24]}.so"
    if not target.exists():
        half = target.with_suffix(f".{os.getpid()}")
        command = [compiler, *FLAGS, "-shared", "-fPIC", f"-I{KERNELS}", "-o", str(half)]
        subprocess.run([*command, str(HERE / "host_twin.cpp")], check=True)
        half.replace(target)
    twin = ctypes.CDLL(str(target))
    twin.layout_table.restype = ctypes.c_char_p
    twin.activation_derivatives.argtypes = [ctypes.c_int, ctypes.c_float, ctypes.c_void_p]
    for function in (twin.activation_value, twin.activation_slope):
        function.restype, function.argtypes = ctypes.c_float, [ctypes.c_int, ctypes.c_float]
    return twin


def run(name, arguments):
    """Run a kernel by its name, with one struct as its argument."""
    getattr(library(), name)(arguments.ctypes.data_as(ctypes.c_void_p))


def address(array):
    return 0 if array is None else array.ctypes.data


def network_struct(weights, time=0.0):
    """Give the struct and what it points to, which must stay alive."""
    data = network_data(weights, time)
    struct = np.zeros(1, layouts.NETWORK)
    for name, value in data.numbers.items():
        struct[name] = value
    for name in ("parameters", "encoding", "fragments", "fragment_biases"):
        struct[name] = address(getattr(data, name))
    return struct, data


def evaluate(weights, points, gradients=False, half=False, extend=False, time=0.0):
    """Give values (N,), and gradients (N, 3) where wanted."""
    network, data = network_struct(weights, time)
    points = np.ascontiguousarray(points, np.float32)
    values, slopes = np.empty(len(points), np.float32), np.empty((len(points), 3), np.float32)
    arguments = np.zeros(1, layouts.EVALUATE_ARGUMENTS)
    arguments["network"], arguments["points"], arguments["values"] = network, address(points), address(values)
    arguments["gradients"] = address(slopes) if gradients else 0
    arguments["count"], arguments["use_half"], arguments["extend"] = len(points), half, extend
    run(f"evaluate_{data.width}", arguments)
    return (values, slopes) if gradients else values


def march(weights, grid, origins, directions, t_min, t_max, any_hit=False, half_error=None, certified=False):
    """Give t (N,) of rays in unit space, and how many values were taken in full and half precision."""
    network, data = network_struct(weights)
    o, d, low, high = (
        np.ascontiguousarray(a, np.float64).copy() for a in (origins, directions, t_min, t_max)
    )
    keep = [np.ascontiguousarray(a) for a in (grid.distance, grid.cell, grid.gradient, grid.value)]
    arguments = np.zeros(1, layouts.MARCH_ARGUMENTS)
    arguments["network"] = network
    for name, array in zip(("distance", "cell", "gradient", "value"), keep):
        arguments["grid"][name] = address(array)
    arguments["grid"]["error"], arguments["grid"]["half_error"] = grid.error, half_error or 0.0
    arguments["grid"]["resolution"] = grid.distance.shape[0]
    for name, array in zip(("origins", "directions", "t_min", "t_max"), (o, d, low, high)):
        arguments["rays"][name] = address(array)
    arguments["rays"]["count"], arguments["rays"]["any_hit"] = len(o), any_hit
    t_hit, queue, counts = np.full(len(o), np.nan), np.zeros(1, np.int32), np.zeros(3, np.uint64)
    arguments["t_hit"], arguments["queue"], arguments["counts"] = (address(a) for a in (t_hit, queue, counts))
    arguments["use_half"] = half_error is not None
    run(f"march_{data.width}", arguments)
    return t_hit, counts
