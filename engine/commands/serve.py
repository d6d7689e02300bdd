"""`serve`: answers the Blender add-on on stdin and stdout until stdin ends."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path

import click

from ..protocol.messages import Progress
from ..serving.message_stream import MessageStream
from ..warm_up import is_compiled, warm_up
from .devices import device_option

log = logging.getLogger(__name__)


@click.command()
@click.option(
    "--session",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder shared with the add-on; large inputs are files in its `blobs`.",
)
@device_option
def command(session: Path) -> None:
    """Answer the add-on: scenes in, pictures out, one JSON message per line.

    It ends when its input ends.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for Blender; our input ends with it
    stream = MessageStream.from_stdio()
    stream.handshake()
    stream.exit_at_end_of_input(keep_messages=True)  # also while it still imports
    if is_compiled("rendering"):  # loads them while the add-on still writes its scene
        threading.Thread(target=warm_up, args=("rendering",), name="warm up", daemon=True).start()
    else:
        stream.send(Progress(phase="compiling", step=0, num_steps=0, fraction=0.0))
        warm_up("rendering")
    from ..serving.server import (
        Server,  # numba and warp: after the greeting, so that the add-on never waits for them
    )

    Server(stream, session).run()
    logging.shutdown()
    os._exit(0)  # the worker may be deep inside compiled code
