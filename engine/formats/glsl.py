"""Weights as GLSL: one function `float NAME(vec3 p)` (and `float NAME(vec4 p)` with time), for any shader.

GLSL 3.30, GLSL ES 3.00 and WebGL 2 compile it: no arrays, no loops, only vec4 and mat4, four units each. `p` is in
unit space; outside [-1, 1]^3 the function gives the value at the nearest point plus the distance to it.
"""

from __future__ import annotations

import re

import numpy as np

from ..errors import OptionError
from ..network.activations import LEAKY_SLOPE
from ..protocol.weights import NeuralWeights

FUNCTIONS = {  # of one vec4; the exponentials stay finite for any argument
    "relu": "max(z, 0.0)",
    "leaky_relu": f"max(z, {LEAKY_SLOPE} * z)",
    "elu": "max(z, 0.0) + exp(min(z, 0.0)) - 1.0",
    "softplus": "max(z, 0.0) + log(1.0 + exp(-abs(z)))",
    "tanh": "1.0 - 2.0 / (1.0 + exp(min(2.0 * z, 80.0)))",
    "sigmoid": "1.0 / (1.0 + exp(min(-z, 80.0)))",
    "sine": "sin(z)",
    "silu": "z / (1.0 + exp(min(-z, 80.0)))",
}
GELU = """vec4 {name}_act(vec4 z) {{  // the error function by Abramowitz and Stegun 7.1.26
  vec4 x = abs(z) * 0.70710678;
  vec4 t = 1.0 / (1.0 + 0.3275911 * x);
  vec4 p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  vec4 tail = 0.5 * p * exp(-x * x);
  return z * (vec4(0.5) + sign(z) * (vec4(0.5) - tail));
}}
"""
HARD_GELU = """vec4 {name}_act(vec4 z) {{
  vec4 u = clamp(0.4 * z, -1.0, 1.0);
  return z * (vec4(0.5) + u * (vec4(0.9375) + u * u * (0.1875 * u * u - vec4(0.625))));
}}
"""
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def to_text(weights: NeuralWeights, name: str = "neural_sdf") -> str:
    """Give the function's text.

    Args:
        weights: Any network.
        name: Of the function.

    Raises:
        OptionError: The name is none in GLSL.
    """
    if NAME.fullmatch(name) is None or name.startswith("gl_") or "__" in name:
        raise OptionError(f"{name!r} is no name in GLSL. Use letters, digits and single underscores.")
    arch = weights.architecture
    lines = [
        f"// Signed distance of {_comment(weights.description.source.name)} in unit space, negative inside: "
        f"{arch.depth} x {arch.width}, {arch.activation}.",
        *_transform_comment(weights),
        _activation(arch.activation, name),
        f"float {name}({'vec4' if arch.inputs == 4 else 'vec3'} p) {{",
        "  vec3 inner = clamp(p.xyz, vec3(-1.0), vec3(1.0));",
        *_body(weights, name),
        "  return value + length(p.xyz - inner);",
        "}",
        "",
    ]
    return "\n".join(lines)


def _comment(text: str) -> str:
    return re.sub(r"[^ -~]|[\\?]", " ", text) or "a shape"


def _transform_comment(weights: NeuralWeights) -> list[str]:
    scale, offset = weights.unit_from_object[0, 0], weights.unit_from_object[:3, 3]
    place = ", ".join(_number(x) for x in offset)
    return [
        f"// From object space: p = {_number(scale)} * x + vec3({place}); distances divide by {_number(scale)}."
    ]


def _activation(activation: str, name: str) -> str:
    longer = {"gelu": GELU, "hard_gelu": HARD_GELU}
    if activation in longer:
        return longer[activation].format(name=name).rstrip()
    return f"vec4 {name}_act(vec4 z) {{ return {FUNCTIONS[activation]}; }}"


def _body(weights: NeuralWeights, name: str) -> list[str]:
    arch = weights.architecture
    lines, encoded = _encode(weights)
    hidden = encoded
    for k, (matrix, bias) in enumerate(zip(weights.weights, weights.biases)):
        inputs = [*hidden, *encoded] if k in arch.skips else hidden
        columns = matrix
        if k in arch.skips:  # both parts begin at a multiple of four
            parts = matrix[:, : arch.width], matrix[:, arch.width :]
            columns = np.concatenate([_whole_columns(part) for part in parts], axis=1)
        sums = _affine(_whole_rows(_whole_columns(columns)), _whole_rows(bias[:, None])[:, 0], inputs)
        if k == arch.depth:
            result = f"({sums[0]}).x"
            if arch.output_activation == "tanh":
                result = f"{FUNCTIONS['tanh'].replace('z', 'last')}"
                lines.append(f"  float last = ({sums[0]}).x;")
            lines.append(f"  float value = {result};")
            continue
        hidden = [f"h{k}_{j}" for j in range(len(sums))]
        lines += [f"  vec4 {unit} = {name}_act({text});" for unit, text in zip(hidden, sums)]
    return lines


def _encode(weights: NeuralWeights) -> tuple[list[str], list[str]]:
    arch = weights.architecture
    first = "vec4(inner, p.w)" if arch.inputs == 4 else "vec4(inner, 0.0)"
    lines, names = [f"  vec4 x = {first};"], ["x"]
    if weights.fourier_matrix is None:
        return lines, names
    # The encoding x, sin, cos is packed without gaps, as the matrices expect it.
    turns = 2.0 * np.pi * weights.fourier_matrix.astype(np.float64)
    entries = [f"x.{axis}" for axis in "xyzw"[: arch.inputs]]
    for j, row in enumerate(turns):
        phase = f"dot(vec4({', '.join(_number(v) for v in np.resize(np.append(row, 0.0), 4))}), x)"
        lines.append(f"  float phase{j} = {phase};")
    entries += [f"sin(phase{j})" for j in range(len(turns))] + [f"cos(phase{j})" for j in range(len(turns))]
    entries += ["0.0"] * (-len(entries) % 4)
    names = [f"e{j}" for j in range(len(entries) // 4)]
    for j, encoded in enumerate(names):
        lines.append(f"  vec4 {encoded} = vec4({', '.join(entries[4 * j : 4 * j + 4])});")
    return lines, names


def _affine(matrix: np.ndarray, bias: np.ndarray, inputs: list[str]) -> list[str]:
    """Give one expression for each four outputs; mat4 lists its columns."""
    texts = []
    for row in range(0, len(matrix), 4):
        terms = [f"vec4({', '.join(_number(v) for v in bias[row : row + 4])})"]
        for number, unit in enumerate(inputs):
            block = matrix[row : row + 4, 4 * number : 4 * number + 4]
            if block.any():
                terms.append(f"mat4({', '.join(_number(v) for v in block.T.ravel())}) * {unit}")
        texts.append(" + ".join(terms))
    return texts


def _whole_rows(matrix: np.ndarray) -> np.ndarray:
    return np.pad(matrix, ((0, -len(matrix) % 4), (0, 0)))


def _whole_columns(matrix: np.ndarray) -> np.ndarray:
    return np.pad(matrix, ((0, 0), (0, -matrix.shape[1] % 4)))


def _number(value: float) -> str:
    text = np.format_float_scientific(np.float32(value), trim="0", exp_digits=1)
    plain = np.format_float_positional(np.float32(value), trim="0")
    shortest = plain if len(plain) <= len(text) else text
    return shortest
