"""The options of `convert` that set a training up in single settings, in a group of their own in its help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

TITLE = "Training (any of these makes a run in epochs over a fixed set of samples)"
FILE, FOLDER = click.Path(path_type=Path), click.Path(path_type=Path, file_okay=False)

FLAGS: dict[str, dict[str, Any]] = {
    "--recipe": {
        "type": click.Choice(["paper", "paper-512", "paper-8152"]),
        "help": "Settings of the paper: its defaults, or 10 x 256 at batches of 512 or 8152. Others override them.",
    },
    "--sampling": {
        "type": click.Choice(["default", "importance", "surface", "vertex", "uniform"]),
        "help": "Where samples fall: near the surface at all scales (default); by the weight exp(-w |d|); "
        "surface or vertices with noise and a tenth uniform; or uniform.",
    },
    "--importance-weight": {"type": float, "help": "w of importance sampling; 60 by default."},
    "--noise": {"type": float, "help": "Of surface and vertex samples, in unit space; 0.01 by default."},
    "--queries": {
        "type": FILE,
        "help": "Train on these points (.npz or .h5: points or queries, and distances or sdf if known).",
    },
    "--loss": {
        "type": click.Choice(["l1", "l2", "clamped"]),
        "help": "Of f - d; by default l1 with an extra share of large errors. Clamped at 0.1.",
    },
    "--loss-weight": {"type": float, "help": "Weigh a sample with exp(-k |d|) by this k; the paper's is 50."},
    "--output-activation": {"type": click.Choice(["none", "tanh"]), "help": "Of the last layer."},
    "--fourier": {"type": int, "help": "Encode places by so many random Fourier features."},
    "--fourier-scale": {"type": float, "help": "Their cycles in a unit of length; 1 by default."},
    "--optimizer": {"type": click.Choice(["soap", "adam"]), "help": "SOAP by default."},
    "--learning-rate": {"type": float, "help": "As the preset's by default, of Adam 0.001."},
    "--schedule": {
        "type": click.Choice(["cosine", "constant", "exponential", "plateau"]),
        "help": "Of the learning rate: warm-up and cosine by default; a plateau's falls to 0.8 after 30 epochs "
        "without a better loss, an exponential one to a hundredth.",
    },
    "--batch": {"type": int, "help": "Samples of a step; as the preset's by default, 1024."},
    "--epochs": {"type": int, "help": "By default as many as give the preset's steps."},
    "--epoch-length": {"type": int, "help": "Samples of an epoch; by default all of them."},
    "--device": {"type": str, "help": "cpu, or one that torch knows, as cuda or cuda:1."},
    "--validate": {
        "type": int,
        "help": "Measure |f - d| on a grid of so many points a side after each epoch.",
    },
    "--reconstruct": {
        "type": click.IntRange(8, 2048),
        "help": "At the end, write the zero set as a .ply beside the weights, on a grid of so many cells a side.",
    },
    "--checkpoint": {
        "type": FILE,
        "help": "Keep where the run stands in this file; where it is there already, go on from it.",
    },
    "--snapshots": {"type": int, "help": "Keep the weights of each so many epochs as NAME_0010.safetensors."},
    "--plot": {"type": FILE, "help": "Draw the losses over the epochs into this .png."},
    "--log": {"type": FOLDER, "help": "Write a log for TensorBoard (an optional package) into this folder."},
}
NAMES = tuple(flag.removeprefix("--").replace("-", "_") for flag in FLAGS)


def training_flags(function: Function) -> Function:
    """Add the options to a command."""
    for flag, settings in reversed(FLAGS.items()):
        function = click.option(flag, **settings)(function)
    return function


class GroupedHelp(click.Command):
    """A command whose help lists the training's options after all others."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write both lists."""
        groups: dict[str, list[tuple[str, str]]] = {"Options": [], TITLE: []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                groups[TITLE if parameter.name in NAMES else "Options"].append(record)
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)


def training_of(settings: dict[str, Any]) -> dict[str, Any]:
    """Take the training's settings out of a command's, those of its recipe among them; single ones come first."""
    from ..fitting.recipes import RECIPES

    given = {name: settings.pop(name) for name in NAMES if name in settings}
    recipe = dict(RECIPES.get(given.pop("recipe", None) or "", {}))
    given = {**recipe, **{name: value for name, value in given.items() if value is not None}}
    for name in ("width", "depth", "activation", "precision"):  # of the network and its file
        of_recipe = given.pop(name, None)
        if of_recipe is not None and settings.get(name) in (None, "auto"):
            settings[name] = of_recipe
    settings["reconstruct"] = given.pop("reconstruct", None)
    return given
