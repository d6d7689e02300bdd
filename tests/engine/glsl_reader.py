"""Runs the GLSL that we write, line by line in Python: vec3, vec4, mat4, their arithmetic and a dozen functions."""

import re

import numpy as np

DECLARED = re.compile(r"^(float|vec3|vec4) (\w+) = ")
FUNCTION = re.compile(r"^(float|vec4) (\w+)\((?:vec3|vec4) (\w+)\) \{ ?(.*)$")
BUILT_IN = {name: getattr(np, name) for name in ("abs", "sign", "exp", "log", "sin", "cos", "dot")} | {
    "max": np.maximum,
    "min": np.minimum,
    "clamp": np.clip,
    "length": np.linalg.norm,
}


class Vector(np.ndarray):
    """An array with GLSL's swizzles."""

    x = property(lambda self: self[0])
    y = property(lambda self: self[1])
    z = property(lambda self: self[2])
    w = property(lambda self: self[3])
    xyz = property(lambda self: self[:3])


class Matrix:
    """A mat4; its numbers come column by column."""

    def __init__(self, *numbers):
        self._columns = np.array(numbers, np.float64).reshape(4, 4)

    def __mul__(self, vector):
        return vector_of(vector @ self._columns)


def vector_of(values):
    return np.asarray(values, np.float64).view(Vector)


def vector(size):
    def make(*parts):
        flat = np.concatenate([np.atleast_1d(np.asarray(part, np.float64)) for part in parts])
        return vector_of(np.full(size, flat[0]) if len(flat) == 1 else flat)

    return make


def function(text, name):
    """Give the function `name` of a GLSL text as one of a NumPy vector."""
    lines = []
    for raw in text.splitlines():
        line = raw.split("//")[0].strip()
        if not line or line == "}":
            continue
        head = FUNCTION.match(line)
        if head:
            lines.append(f"def {head[2]}({head[3]}):")
            if head[4]:
                lines.append("  " + head[4].removesuffix(" }").rstrip(";"))
            continue
        assert line.endswith(";"), line
        lines.append("  " + DECLARED.sub(r"\2 = ", line).rstrip(";"))
    scope = BUILT_IN | {"vec3": vector(3), "vec4": vector(4), "mat4": Matrix}
    exec("\n".join(lines), scope)
    return lambda point: float(scope[name](vector_of(point)))
