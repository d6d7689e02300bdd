"""The engine as a child process: started, greeted, listened to, ended.

Nothing here blocks Blender: one thread writes, one reads messages, one reads what the engine logs. Whoever owns
the process polls it, and learns from `EngineProcessError` when it is missing, hangs, is of another version or has
crashed. The engine ends by itself when this process does, since its input ends then.
"""

from __future__ import annotations

import collections
import contextlib
import io
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

from ..engine import VERSION
from ..engine.errors import ProtocolError
from ..engine.protocol import messages
from ..engine.protocol.lines import read_messages
from ..engine.protocol.messages import Converted, Failure, Hello, Message, Welcome
from .engine_python import EXTENSION_FOLDER
from .engine_variables import engine_environment

START_TIMEOUT_S = 60.0  # a first import of torch from a cold disk has taken 30 s
END_TIMEOUT_S = 2.0
LOG_LINES = 200


class EngineProcessError(Exception):
    """The engine is not there, did not answer, is of another version, or ended; the message says what to do."""


class EngineProcess:
    """One `python -m engine VERB ...` that speaks messages; used by one thread at a time, except `send` and `kill`."""

    def __init__(
        self, python: Path, log_path: Path | None = None, start_timeout_s: float = START_TIMEOUT_S
    ) -> None:
        """Prepare a process; nothing runs before `start`.

        Args:
            python: The engine's interpreter (`find_engine_python`).
            log_path: File that gets everything the engine writes to stderr; None: the last lines are kept only.
            start_timeout_s: How long the engine may take until its `Welcome`.
        """
        self.python = python
        self.log_path = log_path
        self.welcome: Welcome | None = None
        self._start_timeout_s = start_timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._inbox: queue.SimpleQueue[Message | ProtocolError | None] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._log: collections.deque[str] = collections.deque(maxlen=LOG_LINES)
        self._drained = False  # everything the process said has been handed out
        self._ending = False  # we asked for the end
        self._killed = False
        self._told = (
            False  # the engine itself said how it ends: a failure, or a result with or without its aim
        )
        self._error: EngineProcessError | None = None  # to be raised once all messages are handed out
        self._threads: list[threading.Thread] = []

    def start(self, arguments: Sequence[str], pass_fds: Sequence[int] = ()) -> None:
        """Start `python -m engine ARGUMENTS` and greet it; returns at once.

        Args:
            arguments: Verb and options.
            pass_fds: Descriptors that the engine inherits under the same numbers (Linux and macOS).

        Raises:
            EngineProcessError: The interpreter could not be started.
        """
        try:
            self._process = subprocess.Popen(
                [str(self.python), "-m", "engine", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                cwd=EXTENSION_FOLDER,
                env=engine_environment(),
                pass_fds=tuple(pass_fds),
                start_new_session=sys.platform != "win32",  # Ctrl-C in Blender's terminal is not meant for it
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise EngineProcessError(
                f"The engine's Python {self.python} cannot be started: {error.strerror}. Choose another one in "
                "Preferences > Add-ons > Neural Implicit > Engine Python."
            ) from error
        self._deadline = time.monotonic() + self._start_timeout_s
        for target in (self._read, self._write, self._read_log):
            thread = threading.Thread(target=target, name=f"engine{target.__name__}", daemon=True)
            self._threads.append(thread)
            thread.start()
        software = f"Neural Implicit add-on {VERSION}"
        self.send(Hello(protocol_version=messages.PROTOCOL_VERSION, software=software))

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and not self._killed and self._process.poll() is None

    @property
    def process_id(self) -> int | None:
        """Process id; None before `start`."""
        return None if self._process is None else self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process is gone and all its messages have been handed out."""
        return self._drained and self._error is None and not self.running

    @property
    def exit_code(self) -> int | None:
        """Exit code; negative: the signal that killed it; None while it runs."""
        return None if self._process is None else self._process.poll()

    @property
    def log_tail(self) -> str:
        """The last lines the engine wrote to stderr."""
        return "\n".join(self._log)

    def send(self, message: Message) -> None:
        """Queue a message; never blocks, and is dropped where nobody listens any more."""
        self._outbox.put(messages.encode(message))

    def poll(self) -> list[Message]:
        """Give the messages that have come since the last call; never blocks.

        Raises:
            EngineProcessError: It hangs at start, is of another version, sent garbage, or ended on its own with an
                error of which no message told. The process is gone then; what came before is given first.
        """
        received: list[Message] = []
        try:
            while (message := self.receive(0.0)) is not None:
                received.append(message)
        except EngineProcessError as error:
            if not received:
                raise
            self._error = error  # what came before it counts first
        return received

    def receive(self, timeout_s: float) -> Message | None:
        """Wait for one message; None when the time has passed or the process has ended in order.

        Raises:
            EngineProcessError: As in `poll`.
        """
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        wait_until = time.monotonic() + timeout_s
        while not self._drained:
            limit = wait_until if self.welcome is not None else min(wait_until, self._deadline)
            try:
                item = self._inbox.get(timeout=max(0.0, limit - time.monotonic()))
            except queue.Empty:
                self._check_start()
                return None
            if item is None:
                self._drained = True
                self._check_end()
            elif isinstance(item, ProtocolError):
                self._give_up(f"The engine sent something that is no message ({item}).")
            elif isinstance(item, Welcome):
                self._check_version(item)
            else:
                self._told = self._told or isinstance(item, Failure | Converted)
                return item
        return None

    def end(self, timeout_s: float = END_TIMEOUT_S) -> None:
        """Close the engine's input and wait for its end; kill it when the time has passed."""
        self._ending = True
        self._outbox.put(None)
        if self._process is not None:
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End the process at once; what it has written to disk stays. Nobody waits until its memory is freed."""
        self._ending = True
        self._outbox.put(None)
        if self._process is not None and not self._killed:
            self._killed = True
            self._process.kill()
            threading.Thread(target=self._process.wait, name="engine end", daemon=True).start()

    def _check_start(self) -> None:
        if self.welcome is None and time.monotonic() >= self._deadline:
            self._give_up(f"The engine did not answer within {self._start_timeout_s:.0f} s.")

    def _check_version(self, welcome: Welcome) -> None:
        ours = (messages.PROTOCOL_VERSION, VERSION)
        if (welcome.protocol_version, welcome.engine_version) != ours:
            self._give_up(
                f"The engine is version {welcome.engine_version}, the add-on {VERSION}. Install the same version "
                "of both, then restart Blender."
            )
        self.welcome = welcome

    def _check_end(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_TIMEOUT_S)  # its output has ended, so it is on its way out
        for thread in self._threads[2:]:
            thread.join(END_TIMEOUT_S)  # the last words are in the log
        told = (
            self._told and self.exit_code is not None and self.exit_code > 0
        )  # a signal is news in any case
        if self._ending or self.exit_code == 0 or told:
            return
        when = "at start" if self.welcome is None else "unexpectedly"
        self._give_up(f"The engine ended {when} ({_describe_exit(self.exit_code)}){self._last_words()}.")

    def _last_words(self) -> str:
        last = next((line.strip() for line in reversed(self._log) if line.strip()), "")
        return f": {last.rstrip('.')}" if last else ""

    def _give_up(self, what: str) -> None:
        self._drained = True
        self.kill()
        remedy = f" Check {self.python} with Preferences > Add-ons > Neural Implicit > Check Engine."
        where = f" Its log is {self.log_path}." if self.log_path is not None else ""
        raise EngineProcessError(what + ("" if "version" in what else remedy) + where)

    def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        with (
            contextlib.suppress(OSError),
            io.BufferedReader(cast("io.RawIOBase", self._process.stdout)) as stream,
        ):
            for item in read_messages(stream):
                self._inbox.put(item)
        self._inbox.put(None)

    def _write(self) -> None:
        assert self._process is not None and self._process.stdin is not None
        stdin = self._process.stdin
        if sys.platform != "win32":  # Blender leaves SIGPIPE on, which would end it when the engine is gone
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
        with contextlib.suppress(OSError):  # the engine is gone: reading tells
            while (line := self._outbox.get()) is not None:
                rest = memoryview(line)
                while rest:
                    rest = rest[stdin.write(rest) or 0 :]
        with contextlib.suppress(OSError):
            stdin.close()

    def _read_log(self) -> None:
        assert self._process is not None and self._process.stderr is not None
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(io.BufferedReader(cast("io.RawIOBase", self._process.stderr)))
            file: BinaryIO | None = None
            if self.log_path is not None:
                with contextlib.suppress(OSError):  # without a file the last lines do
                    file = stack.enter_context(self.log_path.open("ab", buffering=0))
            for line in stream:
                self._log.append(line.decode(errors="replace").rstrip())
                if file is not None:
                    with contextlib.suppress(OSError):
                        file.write(line)


def _describe_exit(code: int | None) -> str:
    if code is None:
        return "it closed its output"
    if code in (-9, 137):
        return "it was killed, perhaps because memory ran out"
    return f"signal {-code}" if code < 0 else f"exit code {code}"
