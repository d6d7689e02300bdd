"""From the layers that a foreign file holds to a weights file's content.

Our format has one width. Layers of several widths are padded with units that nothing reads, which leaves the network's
values as they are. Foreign files hold no transform: object space is their unit space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

import numpy as np
import numpy.typing as npt

from ..errors import WeightsFileError
from ..protocol.weights import (
    MAX_DEPTH,
    MAX_WIDTH,
    Activation,
    Architecture,
    Description,
    NeuralWeights,
    OutputActivation,
    Source,
)

FloatArray = npt.NDArray[np.floating[Any]]
IDENTITY = tuple(float(x) for x in np.eye(4).ravel())
WHOLE_BOX = (-1.0, -1.0, -1.0, 1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """One affine layer: y = matrix @ x + bias."""

    name: str
    matrix: FloatArray  # (out, in)
    bias: FloatArray  # (out,)


def check_layers(layers: Sequence[Layer], name: str) -> None:
    """Check that layers follow on each other, from three or four inputs to one output, and hold numbers.

    Raises:
        WeightsFileError: They do not.
    """
    if not 2 <= len(layers) <= MAX_DEPTH + 1:
        raise WeightsFileError(
            f"{name} holds {len(layers)} layers; a shape has 2 to {MAX_DEPTH + 1} dense ones. Is it another network?"
        )
    before = layers[0].matrix.shape[1]
    if before not in (3, 4):
        raise WeightsFileError(
            f"{name} takes {before} inputs; a shape takes 3 (x, y, z) or 4 (with time). Is it another network?"
        )
    for layer in layers:
        out, fan_in = layer.matrix.shape
        if fan_in != before or layer.bias.shape != (out,):
            raise WeightsFileError(
                f"{name}: layer {layer.name} takes {fan_in} inputs and gives {out} outputs with {layer.bias.size} "
                f"biases, but the layer before gives {before}. The file is damaged, or not a plain chain of layers."
            )
        if not (np.isfinite(layer.matrix).all() and np.isfinite(layer.bias).all()):
            raise WeightsFileError(
                f"{name}: layer {layer.name} holds numbers that are not finite. Its training failed; train it again."
            )
        before = out
    if before != 1 or max(layer.matrix.shape[0] for layer in layers) > MAX_WIDTH:
        raise WeightsFileError(
            f"{name} gives {before} outputs; a shape gives 1, and no layer is wider than {MAX_WIDTH}. "
            "Is it another network?"
        )


def chain(layers: Sequence[Layer], activation: str, output_activation: str, name: str) -> NeuralWeights:
    """Give the layers of the file `name` as a weights file's content whose object space is its unit space.

    Raises:
        WeightsFileError: The layers or an activation are none that we know.
    """
    check_layers(layers, name)
    for chosen, known in ((activation, Activation), (output_activation, OutputActivation)):
        if chosen not in get_args(known):
            raise WeightsFileError(
                f"{name} uses the activation {chosen!r}; known are {', '.join(get_args(known))} there."
            )
    width = max(layer.matrix.shape[0] for layer in layers[:-1])
    architecture = Architecture(
        inputs=layers[0].matrix.shape[1],
        width=width,
        depth=len(layers) - 1,
        activation=cast("Activation", activation),
        output_activation=cast("OutputActivation", output_activation),
    )
    description = Description(
        architecture=architecture,
        unit_from_object=IDENTITY,
        bounds_unit=WHOLE_BOX,
        source=Source(name=name.removesuffix(".h5").removesuffix(".weights")),
        software="imported",
    )
    shapes = architecture.layer_shapes()
    return NeuralWeights(
        description=description,
        weights=tuple(_padded(layer.matrix, shape) for layer, shape in zip(layers, shapes)),
        biases=tuple(_padded(layer.bias, shape[:1]) for layer, shape in zip(layers, shapes)),
    )


def _padded(array: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    whole = np.zeros(shape, np.float32)
    whole[tuple(slice(0, size) for size in array.shape)] = array
    return whole
