"""Messages on stdin and stdout, one JSON object per line, safe from everything else that writes there.

At start file descriptor 1 is moved aside and replaced by stderr, so that a library's print, from Python or
from C, cannot corrupt the stream; stdin is moved aside too. One thread reads; any thread may send. The other
side's end of input is the only signal to stop: there are no ports, and no process outlives Blender.
"""

from __future__ import annotations

import io
import logging
import os
import platform
import queue
import threading
import time
from collections.abc import Callable

from .. import VERSION, capabilities
from ..errors import EngineError, ProtocolError
from ..protocol import messages
from ..protocol.lines import read_messages
from ..protocol.messages import DeviceStatus, Failure, Hello, Message, Welcome

log = logging.getLogger(__name__)

HANDSHAKE_TIMEOUT_S = 30.0  # the add-on greets at once; a busy machine may need a while


class MessageStream:
    """Both directions of one connection; `send` is safe from any thread."""

    def __init__(self, input_fd: int, output_fd: int) -> None:
        """Read from and write to two descriptors, which belong to the stream from now on."""
        self._input = io.BufferedReader(io.FileIO(input_fd, "r"))
        self._output = io.FileIO(output_fd, "w")
        self._sending = threading.Lock()
        self._received: queue.SimpleQueue[Message | ProtocolError | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._exit_code: int | None = None
        self._keep_messages = True
        threading.Thread(target=self._read, name="message reader", daemon=True).start()

    @classmethod
    def from_stdio(cls) -> MessageStream:
        """Take over stdin and stdout; from now on prints go to stderr."""
        input_fd, output_fd = os.dup(0), os.dup(1)
        os.dup2(2, 1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        return cls(input_fd, output_fd)

    @property
    def ended(self) -> bool:
        """Whether the other side has closed its end."""
        return self._ended.is_set()

    def handshake(self, devices: Callable[[], tuple[DeviceStatus, ...]] = capabilities.installed) -> Hello:
        """Wait for `Hello` and answer it.

        Args:
            devices: What the `Welcome` says of this machine; the default looks at versions only and is quick.

        Raises:
            ProtocolError: Nothing came in time, it was no `Hello`, or it is of another version. The other side
                has been told.
        """
        try:
            hello = self._expect_hello()
        except ProtocolError as error:
            self.send_failure(error)
            raise
        self.send(
            Welcome(
                protocol_version=messages.PROTOCOL_VERSION,
                engine_version=VERSION,
                python_version=platform.python_version(),
                devices=devices(),
                packages=capabilities.package_versions(),
            )
        )
        return hello

    def send(self, message: Message) -> None:
        """Write one message; where nobody listens any more it is dropped (the end of input follows)."""
        line = memoryview(messages.encode(message))
        with self._sending:
            try:
                while line:
                    line = line[self._output.write(line) or 0 :]
            except OSError as error:
                log.info("a %s message was dropped: %s", message.kind, error)

    def send_failure(self, error: EngineError, view: str = "", request: int = -1) -> None:
        """Tell the other side of an error that the user can act on."""
        self.send(Failure(code=error.code, message=str(error), view=view, request=request))

    def receive(self, timeout_s: float | None = None) -> Message | None:
        """Give the next message, or None when the time has passed without one.

        Raises:
            ProtocolError: A line could not be understood; the stream goes on with the next one.
            EOFError: The other side has ended.
        """
        try:
            item = self._received.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if item is None:
            self._received.put(None)  # for whoever asks again
            raise EOFError("the other side ended the connection")
        if isinstance(item, ProtocolError):
            raise item
        return item

    def exit_at_end_of_input(self, exit_code: int = 0, keep_messages: bool = False) -> None:
        """From now on end the process as soon as the other side ends; messages are kept only where asked for."""
        self._exit_code, self._keep_messages = exit_code, keep_messages
        if self.ended:
            os._exit(exit_code)

    def _expect_hello(self) -> Hello:
        deadline = time.monotonic() + HANDSHAKE_TIMEOUT_S
        try:
            hello = self.receive(max(0.0, deadline - time.monotonic()))
        except EOFError as error:
            raise ProtocolError("The other side ended before it said hello.") from error
        if hello is None:
            raise ProtocolError(
                f"No hello within {HANDSHAKE_TIMEOUT_S:.0f} s. This verb talks to the Blender add-on; "
                "without it use `python -m engine convert` or `render`."
            )
        if not isinstance(hello, Hello):
            raise ProtocolError(
                f"Expected hello, got {hello.kind!r}: update the add-on and the engine together."
            )
        if hello.protocol_version != messages.PROTOCOL_VERSION:
            raise ProtocolError(
                f"{hello.software} speaks protocol {hello.protocol_version}, the engine {VERSION} speaks "
                f"{messages.PROTOCOL_VERSION}. Install the add-on and the engine of the same version."
            )
        return hello

    def _read(self) -> None:
        try:
            for item in read_messages(self._input):
                if self._exit_code is None or self._keep_messages:
                    self._received.put(item)
        except OSError as error:
            log.warning("reading messages failed: %s", error)
        self._ended.set()
        self._received.put(None)
        if self._exit_code is not None:
            os._exit(self._exit_code)
