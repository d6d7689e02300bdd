"""The activations in a Keras architecture (JSON), and the architecture of our networks as Keras 2 and 3 read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..errors import WeightsFileError
from ..network.activations import LEAKY_SLOPE
from ..protocol.weights import Architecture

OURS_FROM_KERAS = {  # Keras' names of activations, where they differ from ours
    "linear": "none",
    "swish": "silu",
    "sin": "sine",
}
KERAS_FROM_OURS = {"none": "linear", "sine": "sin", "silu": "swish"}
OF_LAYERS = {"ReLU": "relu", "ELU": "elu", "LeakyReLU": "leaky_relu"}
WITHOUT_WEIGHTS = (
    "InputLayer",
    "Dropout",
    "GaussianNoise",
    "Flatten",
)  # they do nothing when a net is evaluated
KERAS_VERSION = "2.4.0"  # whose layout we write; later ones read it
SLOPES = ("negative_slope", "alpha")  # of LeakyReLU in Keras 3 and 2


@dataclass(frozen=True, slots=True, kw_only=True)
class KerasArchitecture:
    """What the JSON says of the dense layers, in their order."""

    units: tuple[int, ...]
    activations: tuple[str, ...]  # our names


def parse_architecture(text: str | bytes, name: str) -> KerasArchitecture:
    """Read an architecture.

    Args:
        text: What Keras' `to_json` wrote.
        name: What to call it in an error.

    Raises:
        WeightsFileError: It is none, or has a layer that a plain chain of dense layers does not.
    """
    try:
        plain = json.loads(text)
        layers = plain["config"]
        layers = layers["layers"] if isinstance(layers, dict) else layers
        kinds = [(layer["class_name"], layer["config"]) for layer in layers]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsFileError(
            f"{name} is not the architecture of a Keras model. Give the file that model.to_json() wrote."
        ) from error
    units: list[int] = []
    activations: list[str] = []
    for kind, config in kinds:
        if kind == "Dense":
            units.append(int(config["units"]))
            activations.append(_name_of(config.get("activation", "linear"), name))
        elif kind in WITHOUT_WEIGHTS:
            continue
        elif activations and activations[-1] == "none" and isinstance(config, dict):
            activations[-1] = _of_layer(kind, config, name)
        else:
            raise WeightsFileError(f"{name} has a layer of the kind {kind}, which no shape has.")
    return KerasArchitecture(units=tuple(units), activations=tuple(activations))


def _of_layer(kind: str, config: dict[str, Any], name: str) -> str:
    if kind == "Activation":
        return _name_of(config.get("activation"), name)
    slope = next((config[key] for key in SLOPES if config.get(key) is not None), None)
    if kind == "LeakyReLU" and slope is not None and abs(slope - LEAKY_SLOPE) > 1e-6:
        raise WeightsFileError(f"{name} uses LeakyReLU with slope {slope:g}; only {LEAKY_SLOPE:g} is known.")
    plain_relu = all(not config.get(key) for key in ("max_value", "threshold", "negative_slope"))
    plain_elu = config.get("alpha", 1.0) == 1.0
    if kind not in OF_LAYERS or (kind == "ReLU" and not plain_relu) or (kind == "ELU" and not plain_elu):
        raise WeightsFileError(f"{name} has a layer {kind} with settings that no shape has.")
    return OF_LAYERS[kind]


def _name_of(activation: Any, name: str) -> str:
    if isinstance(activation, dict):  # newer Keras writes some as objects
        activation = activation.get("config")
    if not isinstance(activation, str):
        raise WeightsFileError(f"{name} has an activation that is not named: {activation!r}.")
    if activation == "leaky_relu":  # as a name its slope depends on the version of Keras
        raise WeightsFileError(
            f"{name} uses leaky_relu without its slope; write it as a layer LeakyReLU({LEAKY_SLOPE:g})."
        )
    return OURS_FROM_KERAS.get(activation, activation)


def architecture_json(architecture: Architecture) -> str:
    """Give the architecture of a plain network as JSON for `keras.models.model_from_json`, Keras 2 and 3."""
    layers: list[dict[str, Any]] = []
    for k, (out, _) in enumerate(architecture.layer_shapes()):
        ours = architecture.activation if k < architecture.depth else architecture.output_activation
        leaky = ours == "leaky_relu"
        config: dict[str, Any] = {
            "name": dense_name(k),
            "units": out,
            "activation": "linear" if leaky else KERAS_FROM_OURS.get(ours, ours),
            "use_bias": True,
        }
        layers.append({"module": "keras.layers", "class_name": "Dense", "config": config})
        if leaky:
            name = f"leaky_re_lu{f'_{k}' if k else ''}"
            leaky_config = {"name": name, "alpha": LEAKY_SLOPE}
            layers.append({"module": "keras.layers", "class_name": "LeakyReLU", "config": leaky_config})
    shape = [None, architecture.inputs]
    model = {"name": "sequential", "layers": layers, "build_input_shape": shape}
    whole = {"module": "keras", "class_name": "Sequential", "config": model, "keras_version": KERAS_VERSION}
    return json.dumps(whole | {"backend": "tensorflow"}, indent=1)


def dense_name(k: int) -> str:
    """Give Keras' name of the dense layer number `k`."""
    return f"dense_{k}" if k else "dense"
