"""A network's numbers as rows of four for uniform buffers, each of which holds whole layers.

A hidden layer has for each four of its units the bias, then four columns of weights for each four of its inputs, so that
`bias + column_0 * h.x + column_1 * h.y + ...` is their sum. The last layer has its bias, then one row for each four
inputs, to be multiplied by `dot`. What a part lacks to a multiple of four is zero. The encoded input is (x, y, z, t),
then all sines, then all cosines; the rows of its frequencies, times 2 pi, come before the first layer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...engine.protocol.weights import Architecture, NeuralWeights

MOST_ROWS = 4096  # of four floats: 64 KiB, the largest uniform buffer that every driver has
MOST_BUFFERS = 6  # of the twelve that OpenGL promises to a fragment shader
MOST_WIDTH = 64  # units; more do not fit the registers, and compile for long
MOST_FEATURES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPlace:
    """Where a layer's rows lie."""

    buffer: int
    first: int  # row in the buffer
    input_groups: int  # of four, those of the encoded input included
    output_groups: int
    num_rows: int


def groups(count: int) -> int:
    """Give how many fours hold `count` numbers."""
    return -(-count // 4)


def encoded_groups(arch: Architecture) -> int:
    """Give how many fours hold the encoded input."""
    return 1 + 2 * groups(arch.fourier_features)


def too_large(arch: Architecture) -> str:
    """Say why a network is not drawn by GLSL and what to do; empty where it is."""
    remedy = "The proxy is drawn instead; Rendered shading shows the shape itself."
    if arch.width > MOST_WIDTH or arch.fourier_features > MOST_FEATURES:
        size = max(arch.width, arch.fourier_features)
        return (
            f"Its network is {size} wide, and Solid shading draws networks up to {MOST_WIDTH} wide. {remedy}"
        )
    if num_buffers(arch) > MOST_BUFFERS:
        return f"Its network has {arch.num_parameters():,} numbers, too many for Solid shading. {remedy}"
    return ""


def layer_places(arch: Architecture) -> list[LayerPlace]:
    """Give where each layer's rows lie."""
    places, buffer, first = [], 0, 4 * groups(arch.fourier_features)
    for k in range(arch.depth + 1):
        inputs = encoded_groups(arch) if k == 0 else groups(arch.width)
        inputs += encoded_groups(arch) if k in arch.skips else 0
        outputs = groups(arch.width) if k < arch.depth else 1
        rows = outputs * (1 + 4 * inputs) if k < arch.depth else 1 + inputs
        if first > 0 and first + rows > MOST_ROWS:
            buffer, first = buffer + 1, 0
        place = LayerPlace(
            buffer=buffer, first=first, input_groups=inputs, output_groups=outputs, num_rows=rows
        )
        places.append(place)
        first += rows
    return places


def num_buffers(arch: Architecture) -> int:
    """Count the uniform buffers."""
    return layer_places(arch)[-1].buffer + 1


def buffer_rows(arch: Architecture) -> list[int]:
    """Give how many rows each buffer has."""
    rows = [0] * num_buffers(arch)
    for place in layer_places(arch):
        rows[place.buffer] = place.first + place.num_rows
    return rows


def packed_rows(weights: NeuralWeights) -> list[np.ndarray]:
    """Give each buffer's rows, (R, 4) float32."""
    arch = weights.architecture
    buffers = [np.zeros((rows, 4), np.float32) for rows in buffer_rows(arch)]
    if weights.fourier_matrix is not None:
        turns = 2.0 * np.pi * weights.fourier_matrix.astype(np.float64)
        buffers[0][: len(turns), : arch.inputs] = turns
    for k, place in enumerate(layer_places(arch)):
        matrix = _padded_columns(weights.weights[k], k, arch)
        rows = (
            _last_layer(matrix, weights.biases[k]) if k == arch.depth else _layer(matrix, weights.biases[k])
        )
        buffers[place.buffer][place.first : place.first + place.num_rows] = rows
    return buffers


def _padded_columns(matrix: np.ndarray, layer: int, arch: Architecture) -> np.ndarray:
    """Give a layer's matrix (out, 4 G): each part of its input begins at a multiple of four."""
    encoded = [arch.inputs, arch.fourier_features, arch.fourier_features]
    sizes = encoded if layer == 0 else [arch.width, *(encoded if layer in arch.skips else [])]
    parts, first = [], 0
    for size in sizes:
        part = matrix[:, first : first + size]
        parts.append(np.pad(part, ((0, 0), (0, -size % 4))))
        first += size
    return np.concatenate(parts, axis=1)


def _layer(matrix: np.ndarray, bias: np.ndarray) -> np.ndarray:
    matrix = np.pad(matrix, ((0, -len(matrix) % 4), (0, 0)))
    biases = np.pad(bias, (0, -len(bias) % 4)).reshape(-1, 1, 4)
    columns = matrix.reshape(len(biases), 4, -1).transpose(0, 2, 1)  # (outputs / 4, inputs, 4)
    return np.concatenate([biases, columns], axis=1).reshape(-1, 4)


def _last_layer(matrix: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return np.concatenate([[[bias[0], 0.0, 0.0, 0.0]], matrix.reshape(-1, 4)])
