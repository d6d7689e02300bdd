"""`doctor`: says what works on this machine, and what to do about what does not."""

from __future__ import annotations

import json
import sys

import click
from rich.console import Console
from rich.table import Table

from .. import VERSION, capabilities
from ..protocol.codec import to_plain
from ..protocol.messages import DeviceStatus
from ..serving.message_stream import MessageStream

EXIT_ERROR = 3


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, for programs.")
@click.option("--messages", is_flag=True, help="Answer the add-on's greeting with the result, then end.")
def command(as_json: bool, messages: bool) -> None:
    """Say what works on this machine, and what to do about what does not.

    Exit code 3 if something is missing that the engine cannot do without; a GPU is not.
    """
    if messages:
        MessageStream.from_stdio().handshake(capabilities.checked)
        return
    devices = capabilities.checked()
    works = capabilities.required_works(devices)
    if as_json:
        plain = {"engine_version": VERSION, "works": works, "devices": [to_plain(d) for d in devices]}
        click.echo(json.dumps(plain, indent=2))
    else:
        _show(devices, works)
    if not works:
        sys.exit(EXIT_ERROR)


def _show(devices: tuple[DeviceStatus, ...], works: bool) -> None:
    table = Table(title=f"Neural Implicit engine {VERSION}", title_justify="left")
    for column in ("what", "works", "detail"):
        table.add_column(column, overflow="fold")
    for device in devices:
        table.add_row(device.name, "[green]yes[/]" if device.works else "[yellow]no[/]", device.detail)
    console = Console()
    console.print(table)
    console.print(
        "All that is needed works." if works else "Something that is needed does not work; see above."
    )
