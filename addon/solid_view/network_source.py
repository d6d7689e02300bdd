"""The GLSL of a network: its value and its derivative along a direction, for one architecture and any weights.

    float network_value(vec3 p)
    vec2 network_slope(vec3 p, vec3 d)    value and derivative along d, by forward differentiation

in [-1, 1]^3 of unit space. The weights come from uniform buffers `network_0`, `network_1`, ... (`network_rows.py`); the
moment of a moving shape from `float network_time()`, which the shader around this defines. Each layer is written out, so
that its units stay in registers; hidden layers that are alike are a loop, which is shorter to compile.
"""

from __future__ import annotations

from ...engine.protocol.weights import Architecture
from .activations_glsl import TANH, activation_source
from .network_rows import LayerPlace, encoded_groups, groups, layer_places


def network_source(arch: Architecture) -> str:
    """Give the text of both functions and of the activation."""
    output = TANH if arch.output_activation == "tanh" else "z"
    return "\n".join(
        [
            activation_source(arch.activation),
            f"float output_value(float z)\n{{\n  return {output};\n}}",
            "float network_value(vec3 p)",
            *_body(arch, slope=False),
            "vec2 network_slope(vec3 p, vec3 d)",
            *_body(arch, slope=True),
            "",
        ]
    )


def _body(arch: Architecture, slope: bool) -> list[str]:
    lines, encoded = _encoded_input(arch, slope)
    places = layer_places(arch)
    hidden = [f"h{j}" for j in range(groups(arch.width))]
    lines += [f"  vec4 {name}, next_{name};" for name in hidden]
    if slope:
        lines += [f"  vec4 d_{name}, d_next_{name};" for name in hidden]
    k = 0
    while k < arch.depth:
        count = max(1, _num_alike(arch, places, k))
        inputs = [*(hidden if k > 0 else encoded), *(encoded if k in arch.skips else [])]
        lines += _layers(places[k], count, inputs, hidden, slope)
        k += count
    return ["{", *lines, *_last_layer(arch, places[-1], hidden, slope), "}"]


def _num_alike(arch: Architecture, places: list[LayerPlace], first: int) -> int:
    """Count the layers from `first` on that read hidden units only and whose rows follow one another."""
    count = 0
    for k in range(first, arch.depth):
        if k == 0 or k in arch.skips or places[k].buffer != places[first].buffer:
            break
        count += 1
    return count


def _encoded_input(arch: Architecture, slope: bool) -> tuple[list[str], list[str]]:
    """Give the lines that make x, y, z, t, the sines and the cosines, and the names of these fours."""
    time = "network_time()" if arch.inputs == 4 else "0.0"
    lines = [f"  vec4 e0 = vec4(p, {time});"]
    lines += ["  vec4 d_e0 = vec4(d, 0.0);"] if slope else []
    count = groups(arch.fourier_features)
    for j in range(count):
        rows = [f"network_0.rows[{4 * j + i}]" for i in range(4)]
        sine, cosine = f"e{1 + j}", f"e{1 + count + j}"
        lines.append(f"  vec4 phase{j} = vec4({', '.join(f'dot({row}, e0)' for row in rows)});")
        lines.append(f"  vec4 {sine} = sin(phase{j}), {cosine} = cos(phase{j});")
        if slope:
            lines.append(f"  vec4 turning{j} = vec4({', '.join(f'dot({row}, d_e0)' for row in rows)});")
            lines.append(f"  vec4 d_{sine} = turning{j} * {cosine}, d_{cosine} = -turning{j} * {sine};")
    return lines, [f"e{j}" for j in range(encoded_groups(arch))]


def _layers(place: LayerPlace, count: int, inputs: list[str], hidden: list[str], slope: bool) -> list[str]:
    """Give one layer, or a loop over several that are alike."""
    lines = []
    for j, name in enumerate(hidden):
        rows = [_row(place, j * (1 + 4 * len(inputs)) + i) for i in range(1 + 4 * len(inputs))]
        units = [f"{unit}.{axis}" for unit in inputs for axis in "xyzw"]
        terms = [f"{row} * {unit}" for row, unit in zip(rows[1:], units)]
        lines.append(f"    next_{name} = {rows[0]} + {' + '.join(terms)};")
        if slope:
            terms = [f"{row} * d_{unit}" for row, unit in zip(rows[1:], units)]
            lines.append(f"    d_next_{name} = {' + '.join(terms)};")
    for name in hidden:
        lines.append(f"    {name} = activate(next_{name});")
        if slope:
            lines.append(f"    d_{name} = d_next_{name} * activation_slope(next_{name}, {name});")
    head = f"  for (int k = 0; k < {count}; k++) {{" if count > 1 else "  {"
    first = f"{place.first} + k * {place.num_rows}" if count > 1 else str(place.first)
    return [head, f"    int first = {first};", *lines, "  }"]


def _row(place: LayerPlace, number: int) -> str:
    return f"network_{place.buffer}.rows[first + {number}]"


def _last_layer(arch: Architecture, place: LayerPlace, hidden: list[str], slope: bool) -> list[str]:
    rows = [_row(place, i) for i in range(1 + len(hidden))]
    terms = [f"dot({row}, {unit})" for row, unit in zip(rows[1:], hidden)]
    lines = [
        f"  int first = {place.first};",
        f"  float last = output_value({rows[0]}.x + {' + '.join(terms)});",
    ]
    if not slope:
        return [*lines, "  return last;"]
    terms = [f"dot({row}, d_{unit})" for row, unit in zip(rows[1:], hidden)]
    outer = "(1.0 - last * last) * " if arch.output_activation == "tanh" else ""
    return [*lines, f"  return vec2(last, {outer}({' + '.join(terms)}));"]
