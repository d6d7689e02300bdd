"""Messages out of a byte stream, line by line; what is not a message becomes an error, never a crash."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from ..errors import ProtocolError
from . import messages
from .messages import Message

DISCARD_BYTES = 1 << 16


def read_messages(stream: BinaryIO) -> Iterator[Message | ProtocolError]:
    """Give each line's message until the stream ends.

    A line that cannot be understood gives the `ProtocolError` that says why. A line longer than
    `MAX_LINE_BYTES` is skipped without being kept.
    """
    while line := stream.readline(messages.MAX_LINE_BYTES + 1):
        if len(line) > messages.MAX_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = stream.readline(DISCARD_BYTES)
            yield ProtocolError(
                f"A message is longer than {messages.MAX_LINE_BYTES >> 20} MiB and was refused."
            )
            continue
        try:
            yield messages.decode(line)
        except ProtocolError as error:
            yield error
