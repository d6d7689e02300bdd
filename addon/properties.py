"""The settings of a conversion: as properties of the scene, and as the engine's arguments."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import bpy

from ..engine.protocol.weights import Activation

PRESETS = (
    ("DRAFT", "Draft", "Seconds: to see whether a shape converts well"),
    ("STANDARD", "Standard", "Under a minute: 8 x 32 network, 17 kB"),
    ("FINE", "Fine", "Minutes: 8 x 64 network, 61 kB, half the error"),
)
GOALS = (
    ("NETWORK", "Network", "Train the preset's network, or one of your own"),
    ("ERROR", "Error", "Find the smallest network whose surface is right to a length, on average"),
    ("SIZE", "Size", "Find the best network within a number of bytes"),
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
    tolerance_object: float | None = None  # mean surface error, a length in the object's own space
    num_bytes: int | None = None
    seed: int = 0
    hide_source: bool = True
    frames: tuple[int, int, int] | None = None  # first, last and step of an animation to convert
    warm_start: bool = True  # where a changed source is converted again

    def replaced(self, changes: dict[str, Any]) -> ConversionSettings:
        """Give a copy with some settings changed; a size of the network takes the place of an error or a size in bytes."""
        if changes.get("width") is not None or changes.get("depth") is not None:
            changes = {"tolerance_object": None, "num_bytes": None} | changes
        return dataclasses.replace(self, **changes)

    def goes_on_from(self, report: Mapping[str, Any]) -> bool:
        """Whether a run with these settings can begin with the network that a conversion's report is of."""
        asked = (self.tolerance_object, self.num_bytes, self.frames)
        if not self.warm_start or any(one is not None for one in asked):
            return False
        there = report.get("architecture", {})
        named = {"width": self.width, "depth": self.depth, "activation": self.activation}
        alike = all(
            value is None or str(value).lower() == str(there.get(name)) for name, value in named.items()
        )
        return alike and report.get("preset") == self.preset.lower()

    def arguments(self) -> list[str]:
        """Give the options of `python -m engine convert`."""
        arguments = ["--preset", self.preset.lower(), "--seed", str(self.seed)]
        for name in ("width", "depth", "activation", "samples"):
            value = getattr(self, name)
            if value is not None:
                arguments += [f"--{name}", str(value).lower()]
        if self.tolerance_object is not None:
            arguments += ["--tolerance-object", repr(self.tolerance_object)]
        if self.num_bytes is not None:
            arguments += ["--bytes", str(self.num_bytes)]
        if self.frames is not None:
            arguments.append("--moving")
        return arguments


class NeuralImplicitSettings(bpy.types.PropertyGroup):
    """What the panel shows and the operator takes where it is not told otherwise."""

    preset: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Preset",
        description="How long to train, and how large a network",
        items=PRESETS,
        default="STANDARD",
    )
    goal: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Goal", description="What chooses the network", items=GOALS, default="NETWORK"
    )
    tolerance: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Error",
        description="Mean distance of the surfaces, in the object's own space, before its scale",
        default=0.002,
        min=1e-9,
        precision=5,
        subtype="DISTANCE",
    )
    num_bytes: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Bytes", description="Largest size of the weights", default=8192, min=2600, soft_max=1 << 17
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
        name="Activation", description="Function of the hidden layers", items=ACTIVATIONS, default="HARD_GELU"
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

    animated: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Animation",
        description="Convert the object's motion over the scene's frames: one network that moves with the timeline",
    )
    frame_step: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Frame Step", description="Train on each so many frames", default=1, min=1, soft_max=20
    )

    def conversion_settings(self) -> ConversionSettings:
        """Give the settings the panel shows."""
        sized = self.custom and self.goal == "NETWORK"
        scene = self.id_data
        frames = (scene.frame_start, scene.frame_end, self.frame_step) if self.animated else None
        return ConversionSettings(
            preset=self.preset,
            width=self.width if sized else None,
            depth=self.depth if sized else None,
            tolerance_object=self.tolerance if self.goal == "ERROR" else None,
            num_bytes=self.num_bytes if self.goal == "SIZE" else None,
            activation=self.activation if self.custom else None,
            samples=self.samples if self.custom else None,
            seed=self.seed,
            hide_source=self.hide_source,
            frames=frames,
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
