"""The settings of a conversion: as properties of the scene, and as the engine's arguments."""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass
from typing import Any

import bpy

from ..engine.protocol.weights import Activation

PRESETS = (
    ("DRAFT", "Draft", "Seconds: to see whether a shape converts well"),
    ("STANDARD", "Standard", "Under a minute: 8 x 32 network, 17 kB"),
    ("FINE", "Fine", "Minutes: 8 x 64 network, 61 kB, half the error"),
)
ACTIVATION_NAMES = {
    name: name.replace("_", " ").title().replace("Relu", "ReLU") for name in typing.get_args(Activation)
} | {"elu": "ELU", "silu": "SiLU", "gelu": "GELU", "hard_gelu": "Hard GELU"}
ACTIVATIONS = tuple((name.upper(), label, "") for name, label in ACTIVATION_NAMES.items())
MAX_SEED = (1 << 31) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionSettings:
    """What to convert with; None leaves a setting to the preset."""

    preset: str = "STANDARD"
    width: int | None = None
    depth: int | None = None
    activation: str | None = None
    samples: int | None = None
    seed: int = 0
    hide_source: bool = True

    def replaced(self, changes: dict[str, Any]) -> ConversionSettings:
        """Give a copy with some settings changed."""
        return dataclasses.replace(self, **changes)

    def arguments(self) -> list[str]:
        """Give the options of `python -m engine convert`."""
        arguments = ["--preset", self.preset.lower(), "--seed", str(self.seed)]
        for name in ("width", "depth", "activation", "samples"):
            value = getattr(self, name)
            if value is not None:
                arguments += [f"--{name}", str(value).lower()]
        return arguments


class NeuralImplicitSettings(bpy.types.PropertyGroup):
    """What the panel shows and the operator takes where it is not told otherwise."""

    preset: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Preset",
        description="How long to train, and how large a network",
        items=PRESETS,
        default="STANDARD",
    )
    custom: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Custom Network",
        description="Choose the network's size and the samples in place of the preset's",
    )
    width: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Width", description="Units of each hidden layer", default=32, min=4, max=4096, soft_max=256
    )
    depth: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Depth", description="Number of hidden layers", default=8, min=1, max=64, soft_max=16
    )
    activation: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Activation", description="Function of the hidden layers", items=ACTIVATIONS, default="GELU"
    )
    samples: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Samples",
        description="Exact distances to train on",
        default=1 << 21,
        min=10_000,
        max=1 << 30,
        soft_max=1 << 24,
    )
    seed: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Seed", description="Equal seeds give equal shapes", default=0, min=0, max=MAX_SEED
    )
    hide_source: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Hide Source", description="Hide the source once its neural implicit is there", default=True
    )

    def conversion_settings(self) -> ConversionSettings:
        """Give the settings the panel shows."""
        return ConversionSettings(
            preset=self.preset,
            width=self.width if self.custom else None,
            depth=self.depth if self.custom else None,
            activation=self.activation if self.custom else None,
            samples=self.samples if self.custom else None,
            seed=self.seed,
            hide_source=self.hide_source,
        )


def scene_settings(scene: bpy.types.Scene) -> NeuralImplicitSettings:
    """Give the settings of a scene."""
    return scene.neural_implicit


_register_classes, _unregister_classes = bpy.utils.register_classes_factory((NeuralImplicitSettings,))


def register() -> None:
    """Add the settings to every scene."""
    _register_classes()
    bpy.types.Scene.neural_implicit = bpy.props.PointerProperty(type=NeuralImplicitSettings)


def unregister() -> None:
    """Take the settings away again; what a file holds of them stays in the file."""
    del bpy.types.Scene.neural_implicit
    _unregister_classes()
