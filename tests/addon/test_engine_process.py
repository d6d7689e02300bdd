"""The engine as a child process: each way to fail is one clear sentence, and nothing is left behind.

The engine is the real one; what a broken one does is played by small programs in its place.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from neural_implicit.addon import engine_variables
from neural_implicit.addon.engine_conversion import EngineConversion
from neural_implicit.addon.engine_process import EngineProcess, EngineProcessError
from neural_implicit.addon.engine_python import EngineNotFoundError, find_engine_python
from neural_implicit.engine import VERSION
from neural_implicit.engine.protocol import messages
from neural_implicit.engine.protocol.messages import CancelView, Failure

ROOT = Path(__file__).resolve().parents[2]

WELCOME = (
    messages.encode(
        messages.Welcome(
            protocol_version=messages.PROTOCOL_VERSION,
            engine_version=VERSION,
            python_version="3",
            devices=(),
            packages={},
        )
    )
    .decode()
    .strip()
)
PROGRESS = (
    messages.encode(messages.Progress(phase="fitting", step=1, num_steps=2, fraction=0.5)).decode().strip()
)
CONVERTED = (
    messages.encode(
        messages.Converted(path="o", proxy=None, report={"missed_aim": True}, num_bytes=1, seconds=1.0)
    )
    .decode()
    .strip()
)

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="plays the engine by a shell script")


@pytest.fixture
def start():
    """Start processes that are gone after the test."""
    processes = []

    def make(python, *arguments, **options):
        processes.append(EngineProcess(Path(python), **options))
        processes[-1].start(arguments)
        return processes[-1]

    yield make
    for process in processes:
        process.kill()


@pytest.fixture
def pretend(tmp_path):
    """Give a program that stands for the engine's Python."""

    def make(script: str) -> Path:
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return make


def error_of(process: EngineProcess, timeout_s: float = 20.0) -> str:
    with pytest.raises(EngineProcessError) as caught:
        listen_until_end(process, timeout_s)
    return str(caught.value)


def listen_until_end(process: EngineProcess, timeout_s: float = 20.0) -> list:
    deadline, received = time.monotonic() + timeout_s, []
    while not process.ended and time.monotonic() < deadline:
        message = process.receive(0.1)
        received += [message] if message is not None else []
    assert process.ended
    return received


def wait_until_greeted(process: EngineProcess) -> None:
    deadline = time.monotonic() + 20.0
    while process.welcome is None and time.monotonic() < deadline:
        process.receive(0.05)
    assert process.welcome is not None


def test_doctor_answers_the_greeting_with_what_works(start):
    process = start(sys.executable, "doctor", "--messages")
    assert listen_until_end(process, 60.0) == []
    assert {d.name: d.works for d in process.welcome.devices}["python"]
    assert process.exit_code == 0


def test_serve_ends_when_it_is_told_to(start, tmp_path):
    process = start(sys.executable, "serve", "--session", str(tmp_path))
    wait_until_greeted(process)
    began = time.monotonic()
    process.end()
    assert process.exit_code == 0
    assert time.monotonic() - began < 2.0  # END_TIMEOUT_S, after which it would have been killed


def test_a_missing_interpreter_is_named(start, tmp_path):
    with pytest.raises(EngineProcessError, match=r"nowhere cannot be started.*Choose another"):
        start(tmp_path / "nowhere", "serve")


def test_a_program_that_is_no_python_is_told(start):
    assert "ended at start (exit code" in error_of(start("/bin/false", "serve"))


def test_a_python_without_the_packages_names_the_missing_one(start, tmp_path):
    bare = tmp_path / "bare"
    bare.write_text(f"#!/bin/sh\nexec {sys.executable} -S -I -c 'import click'\n")
    bare.chmod(0o755)
    error = error_of(start(bare, "serve"))
    assert "No module named 'click'" in error
    assert "Check Engine" in error


@posix_only
def test_an_engine_that_hangs_at_start_is_ended(start, pretend):
    process = start(pretend("exec sleep 60"), "serve", start_timeout_s=0.3)
    assert "did not answer within" in error_of(process, 5.0)
    assert not process.running


@posix_only
def test_an_engine_of_another_version_is_refused(start, pretend):
    welcome = '{"kind":"welcome","protocol_version":1,"engine_version":"9.9","python_version":"3","devices":[],"packages":{}}'
    process = start(pretend(f"echo '{welcome}'; exec sleep 60"), "serve")
    assert "engine is version 9.9" in error_of(process, 5.0)
    assert not process.running


@posix_only
def test_an_engine_that_talks_garbage_is_ended(start, pretend):
    process = start(pretend("echo Hello, World; exec sleep 60"), "serve")
    assert "no message" in error_of(process, 5.0)
    assert not process.running


@posix_only
@pytest.mark.parametrize(
    ("signal_number", "said"), [(signal.SIGKILL, "memory ran out"), (signal.SIGSEGV, "signal 11")]
)
def test_a_killed_engine_is_told_once(start, tmp_path, signal_number, said):
    process = start(sys.executable, "serve", "--session", str(tmp_path), log_path=tmp_path / "engine.log")
    wait_until_greeted(process)
    os.kill(process.process_id, signal_number)
    error = error_of(process, 5.0)
    assert said in error
    assert "engine.log" in error
    assert process.poll() == []


def test_an_engine_that_says_why_it_ends_raises_nothing_more(start, tmp_path):
    process = start(
        sys.executable,
        "convert",
        str(tmp_path / "none.obj"),
        "-o",
        str(tmp_path / "o.safetensors"),
        "--messages",
    )
    (failure,) = [m for m in listen_until_end(process, 60.0) if isinstance(m, Failure)]
    assert "none.obj" in failure.message


def wait_for_exit(process: EngineProcess) -> None:
    deadline = time.monotonic() + 5.0
    while process.exit_code is None and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)  # its output is read on another thread


@posix_only
def test_a_result_that_missed_its_aim_is_no_error(start, pretend):
    process = start(pretend(f"echo '{WELCOME}'; echo '{CONVERTED}'; exit 4"), "convert")
    wait_for_exit(process)
    assert [message.kind for message in process.poll()] == ["converted"]
    assert process.poll() == []
    assert process.ended


@posix_only
def test_messages_before_a_crash_are_given_before_its_error(start, pretend):
    process = start(pretend(f"echo '{WELCOME}'; echo '{PROGRESS}'; exit 1"), "convert")
    wait_for_exit(process)
    assert [message.kind for message in process.poll()] == ["progress"]
    assert not process.ended
    with pytest.raises(EngineProcessError, match="exit code 1"):
        process.poll()
    assert process.ended


@posix_only
def test_a_conversion_keeps_a_result_that_comes_with_its_end(pretend, tmp_path):
    conversion = EngineConversion(pretend(f"echo '{WELCOME}'; echo '{CONVERTED}'; exit 4"), tmp_path)
    conversion.start([])
    wait_for_exit(conversion._process)
    assert conversion.poll()
    assert conversion.failure == "" and conversion.converted.report == {"missed_aim": True}


def test_what_the_engine_logs_is_kept(start, tmp_path):
    log = tmp_path / "engine.log"
    process = start(sys.executable, "no-such-verb", log_path=log)
    error_of(process)
    assert "no-such-verb" in process.log_tail
    assert "no-such-verb" in log.read_text()


@posix_only
def test_sending_to_a_stopped_engine_does_not_block(start, tmp_path):
    process = start(sys.executable, "serve", "--session", str(tmp_path))
    wait_until_greeted(process)
    os.kill(process.process_id, signal.SIGSTOP)
    began = time.monotonic()
    for _ in range(50):
        process.send(CancelView(view="v" * 100_000))  # 5 MB, a pipe holds 64 kB
    assert time.monotonic() - began < 1.0  # encoding takes milliseconds
    process.end(timeout_s=0.2)
    assert not process.running


@posix_only
def test_the_engine_ends_when_its_owner_is_killed(tmp_path):
    import subprocess

    root = Path(__file__).resolve().parents[2]
    script = (
        "import sys, time; sys.path.insert(0, 'tests'); import conftest\n"
        "from pathlib import Path\n"
        "from neural_implicit.addon.engine_process import EngineProcess\n"
        f"p = EngineProcess(Path(sys.executable)); p.start(['serve', '--session', {str(tmp_path)!r}])\n"
        "while p.welcome is None: p.receive(0.05)\n"
        "print(p.process_id, flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen([sys.executable, "-c", script], cwd=root, stdout=subprocess.PIPE)
    engine = int(owner.stdout.readline())
    owner.kill()
    owner.communicate()
    deadline = time.monotonic() + 5.0  # no orphan within 5 s
    while Path(f"/proc/{engine}").exists() and time.monotonic() < deadline:
        if Path(f"/proc/{engine}/stat").read_text().split()[2] == "Z":
            break
        time.sleep(0.02)
    else:
        assert not Path(f"/proc/{engine}").exists()


def test_the_environment_variable_goes_before_the_preference(monkeypatch, tmp_path):
    monkeypatch.setenv("NEURAL_IMPLICIT_PYTHON", sys.executable)
    assert find_engine_python("/some/other/python") == Path(sys.executable)
    monkeypatch.setenv("NEURAL_IMPLICIT_PYTHON", str(tmp_path / "gone"))
    with pytest.raises(EngineNotFoundError, match="NEURAL_IMPLICIT_PYTHON names"):
        find_engine_python("")


def test_without_the_variable_the_preference_counts(monkeypatch):
    monkeypatch.delenv("NEURAL_IMPLICIT_PYTHON", raising=False)
    assert find_engine_python(sys.executable) == Path(sys.executable)
    assert (
        find_engine_python(sys.prefix) == Path(sys.prefix) / "bin/python"
    )  # the environment's folder will do
    with pytest.raises(EngineNotFoundError, match="preference Engine Python names"):
        find_engine_python("/nowhere/python")


WRITES_TO_A_DEAD_ENGINE = """
import signal, sys, tests.conftest
from pathlib import Path
from neural_implicit.addon.engine_process import EngineProcess
from neural_implicit.engine.protocol.messages import CancelView
signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as Blender has it
process = EngineProcess(Path(sys.argv[1]))
process.start([])
process._process.wait()
process.send(CancelView(view="view"))
for thread in process._threads[:2]:
    thread.join(5)
print("alive")
"""


@posix_only
def test_writing_to_a_dead_engine_leaves_blender_alive():
    command = [sys.executable, "-c", WRITES_TO_A_DEAD_ENGINE, "/bin/false"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (ended.returncode, ended.stdout) == (0, "alive\n"), ended.stderr


@posix_only
@pytest.mark.parametrize(
    "outer, chosen, told", [(None, " H100 ", "H100"), ("1", "H100", "1"), (None, "", "none")]
)
def test_engines_are_told_the_gpu_of_the_preferences(
    start, pretend, monkeypatch, tmp_path, outer, chosen, told
):
    if outer is None:
        monkeypatch.delenv(engine_variables.GPU_VARIABLE, raising=False)
    else:
        monkeypatch.setenv(engine_variables.GPU_VARIABLE, outer)
    monkeypatch.setattr(engine_variables, "_chosen_gpu", "")
    engine_variables.choose_gpu(chosen)
    heard = tmp_path / "heard"
    start(
        pretend(
            f'printf "%s" "${{{engine_variables.GPU_VARIABLE}-none}}" > "{heard}.part" && mv "{heard}.part" "{heard}"'
        )
    )
    deadline = time.monotonic() + 30.0
    while not heard.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert heard.read_text() == told
