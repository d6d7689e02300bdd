"""The option that says which device traces."""

from __future__ import annotations

from typing import Any

import click

from ..tracing.device_choice import DEVICES, choose_device


def _chosen(context: click.Context, parameter: click.Parameter, value: str) -> str:
    choose_device(value)  # type: ignore[arg-type]
    return value


device_option: Any = click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="auto",
    show_default=True,
    callback=_chosen,
    expose_value=False,
    help="What traces: the GPU where one works, else the CPU.",
)
