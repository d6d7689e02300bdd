"""The message stream against a real child process: prints, garbage, long lines, versions and the end of input."""

import contextlib
import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from engine.protocol.messages import MAX_LINE_BYTES, PROTOCOL_VERSION

ROOT = Path(__file__).resolve().parents[2]
HELLO = {"kind": "hello", "protocol_version": PROTOCOL_VERSION, "software": "a test"}
CANCEL = {"kind": "cancel_view", "view": "a"}
ECHO = """
    stream.handshake()
    while True:
        try:
            stream.send(stream.receive())
        except ProtocolError as error:
            stream.send_failure(error)
        except EOFError:
            break
"""


class Child:
    """A Python process whose script has a `stream` on its stdio."""

    def __init__(self, script: str) -> None:
        head = "import os, sys, time\nfrom engine.errors import ProtocolError\n"
        head += (
            "from engine.serving.message_stream import MessageStream\nstream = MessageStream.from_stdio()\n"
        )
        command = [sys.executable, "-c", head + textwrap.dedent(script)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe)

    def write(self, data: bytes) -> None:
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def say(self, message: dict) -> None:
        self.write(json.dumps(message).encode() + b"\n")

    def hear(self) -> dict:
        return json.loads(self.process.stdout.readline())


@pytest.fixture
def child():
    children = []

    def start(script: str) -> Child:
        children.append(Child(script))
        return children[-1]

    yield start
    for one in children:
        one.process.kill()
        one.process.wait()
        for pipe in (one.process.stdin, one.process.stdout, one.process.stderr):
            with contextlib.suppress(OSError):
                pipe.close()


def test_prints_of_python_and_of_c_go_to_stderr(child):
    echo = child('print("from python")\nos.system("echo from a child")\n' + textwrap.dedent(ECHO))
    echo.say(HELLO)
    assert echo.hear()["kind"] == "welcome"
    echo.say(CANCEL)
    assert echo.hear() == CANCEL
    out, error = echo.process.communicate()
    assert out == b""
    assert error.split(b"\n")[:2] == [b"from python", b"from a child"]


def test_the_welcome_says_what_is_installed(child):
    echo = child(ECHO)
    echo.say(HELLO)
    welcome = echo.hear()
    assert welcome["protocol_version"] == PROTOCOL_VERSION
    assert welcome["packages"]["numpy"].startswith("2.")
    assert {"python", "torch", "numba"} <= {device["name"] for device in welcome["devices"]}


@pytest.mark.parametrize(
    "line",
    [b"garbage\n", b"\xff\xfe\x00\n", b"[]\n", b"null\n", b'{"kind":"nonsense"}\n', b"[" * 100_000 + b"\n",
     b'{"kind":"cancel_view"}\n', b'{"kind":"cancel_view","view":3}\n', b"\n"],
)  # fmt: skip
def test_after_garbage_the_stream_goes_on(child, line):
    echo = child(ECHO)
    echo.say(HELLO)
    echo.hear()
    echo.write(line)
    failure = echo.hear()
    assert (failure["kind"], failure["code"]) == ("failure", "protocol")
    echo.say(CANCEL)
    assert echo.hear() == CANCEL


def test_a_huge_line_is_refused_without_being_kept(child):
    echo = child(ECHO)
    echo.say(HELLO)
    echo.hear()
    chunk = b"x" * (1 << 20)
    for _ in range((MAX_LINE_BYTES >> 20) + 8):
        echo.write(chunk)
    echo.write(b"\n")
    assert "longer than 64 MiB" in echo.hear()["message"]
    echo.say(CANCEL)
    assert echo.hear() == CANCEL


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ({**HELLO, "protocol_version": 999}, "same version"),
        (CANCEL, "Expected hello"),
        ({"kind": "hello"}, "differ in version"),
    ],
)
def test_a_wrong_greeting_is_told_to_both_sides(child, first, said):
    echo = child(ECHO)
    echo.say(first)
    failure = echo.hear()
    assert failure["code"] == "protocol"
    assert said in failure["message"]
    assert echo.process.wait(10) != 0


def test_no_greeting_at_all_ends_with_a_sentence(child):
    echo = child(
        "import engine.serving.message_stream as m\nm.HANDSHAKE_TIMEOUT_S = 0.2\n" + textwrap.dedent(ECHO)
    )
    assert "No hello within" in echo.hear()["message"]
    assert echo.process.wait(10) != 0


def test_receive_gives_none_when_the_time_has_passed(child):
    patient = child("stream.handshake()\nt = time.monotonic()\nassert stream.receive(0.2) is None\n"
                    "assert time.monotonic() - t < 5\nos._exit(7)")  # fmt: skip
    patient.say(HELLO)
    patient.hear()
    assert patient.process.wait(10) == 7


def test_exit_at_end_of_input_ends_a_busy_process(child):
    busy = child("stream.handshake()\nstream.exit_at_end_of_input()\nwhile True: sum(range(1000))")
    busy.say(HELLO)
    busy.hear()
    busy.process.stdin.close()
    began = time.monotonic()
    assert busy.process.wait(5) == 0
    assert time.monotonic() - began < 2.0  # the promise is 5 s; a switch of Python threads takes milliseconds


def test_sending_to_nobody_is_no_error(child):
    lonely = child("stream.handshake()\ntime.sleep(0.3)\n"
                   "from engine.protocol.messages import CancelView\n"
                   "for _ in range(100): stream.send(CancelView(view='v'))\nos._exit(7)")  # fmt: skip
    lonely.say(HELLO)
    lonely.hear()
    lonely.process.stdout.close()
    assert lonely.process.wait(10) == 7
