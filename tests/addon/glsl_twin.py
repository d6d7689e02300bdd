"""The generated GLSL of a network as a library for the host, compiled by g++ with a few lines that stand for GLSL."""

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
from neural_implicit.addon.solid_view.network_rows import buffer_rows, packed_rows
from neural_implicit.addon.solid_view.network_source import network_source

HERE = Path(__file__).resolve().parent
FLAGS = ("-O0", "-std=c++17", "-shared", "-fPIC", "-fsingle-precision-constant")


def evaluate(weights, points, time=0.0):
    """Give values (N,), and values (N,) and gradients (N, 3) of the function with slopes, by the generated code."""
    library = _library(weights.architecture)
    library.set_time(ctypes.c_float(time))
    for k, rows in enumerate(packed_rows(weights)):
        place = getattr(library, f"rows_of_{k}")
        place.restype = ctypes.c_void_p
        ctypes.memmove(place(), np.ascontiguousarray(rows).ctypes.data, rows.nbytes)
    points = np.ascontiguousarray(points, np.float32)
    results = np.zeros((len(points), 5), np.float32)
    library.run(len(points), *(a.ctypes.data_as(ctypes.c_void_p) for a in (points, results)))
    return results[:, 0], results[:, 1], results[:, 2:]


def _library(arch):
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("there is no g++, so the generated GLSL cannot be run on the host")
    text = _program(arch)
    digest = hashlib.sha256(repr(FLAGS).encode() + text.encode() + (HERE / "glsl_shim.hpp").read_bytes())
    folder = Path(tempfile.gettempdir()) / f"neural-implicit-glsl-twin-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"{digest.hexdigest()[:24]}.so"
    if not target.exists():
        source, half = target.with_suffix(f".{os.getpid()}.cpp"), target.with_suffix(f".{os.getpid()}")
        source.write_text(text)
        subprocess.run([compiler, *FLAGS, f"-I{HERE}", "-o", str(half), str(source)], check=True)
        source.unlink()
        half.replace(target)
    library = ctypes.CDLL(str(target))
    return library


def _program(arch):
    counts = buffer_rows(arch)
    buffers = "\n".join(
        f"struct NetworkRows{k} {{ vec4 rows[{count}]; }} network_{k};\n"
        f'extern "C" void *rows_of_{k}() {{ return network_{k}.rows; }}'
        for k, count in enumerate(counts)
    )
    tail = """
extern "C" void set_time(float time) { moment = time; }
extern "C" void run(int count, const float *points, float *results)
{
  for (int i = 0; i < count; i++) {
    vec3 p(points[3 * i], points[3 * i + 1], points[3 * i + 2]);
    results[5 * i] = network_value(p);
    for (int k = 0; k < 3; k++) {
      vec2 found = network_slope(p, vec3(k == 0, k == 1, k == 2));
      results[5 * i + 1] = found.x;
      results[5 * i + 2 + k] = found.y;
    }
  }
}
"""
    head = f'#include "glsl_shim.hpp"\nstatic float moment;\nfloat network_time() {{ return moment; }}\n{buffers}\n'
    return head + _with_scalar_exp(network_source(arch)) + tail


def _with_scalar_exp(text):
    """Let `exp` of a number be found beside that of a vector."""
    return re.sub(r"float output_value", "using std::exp;\nfloat output_value", text)
