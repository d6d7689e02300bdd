"""`standby`: gets ready for one conversion before it is asked for, so that its first shape is seen soon."""

from __future__ import annotations

import logging
import sys

import click

from ..errors import EngineError, ProtocolError
from ..protocol.messages import Progress, StartConversion
from ..serving.message_stream import MessageStream
from .convert import EXIT_ERROR, answer, prepare

log = logging.getLogger(__name__)


@click.command()
def command() -> None:
    """Get ready for one conversion, wait for its arguments (those of `convert`) on stdin, and do it.

    It speaks messages only, and ends with its input at any time.
    """
    stream = MessageStream.from_stdio()
    stream.handshake()
    stream.exit_at_end_of_input(EXIT_ERROR, keep_messages=True)
    try:
        prepare(stream.send)
        stream.send(Progress(phase="ready", step=0, num_steps=0, fraction=0.0))
    except EngineError as error:
        log.info("not ready beforehand: %s", error)  # the conversion meets it again, and tells
    try:
        message = stream.receive()
    except EOFError:
        sys.exit(EXIT_ERROR)
    if not isinstance(message, StartConversion):
        raise ProtocolError("Only the start of a conversion is understood here; update the add-on.")
    answer(stream, message.arguments)
