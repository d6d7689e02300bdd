"""Runs a command in a Blender, with a throwaway profile, and gives back all that it left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .blenders import ROOT, Blender, environment

SCRIPTS = ROOT / "tests/blender/scripts"
BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
GRACE_S = 5.0  # between asking a Blender that ran too long to end, and killing it


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run left behind."""

    returncode: int
    stdout: str
    stderr: str
    result: Any  # what the script's `main` returned; None where it did not get that far
    folder: Path  # pictures and files of the script; screenshots are `NAME.png`

    def check(self) -> Outcome:
        """Give itself, if the run ended with exit code 0 and a result.

        Raises:
            AssertionError: It did not; the text holds the end of what it printed.
        """
        if self.returncode != 0 or self.result is None:
            raise AssertionError(
                f"exit code {self.returncode}\n---- stdout\n{self.stdout[-6000:]}\n---- stderr\n{self.stderr[-6000:]}"
            )
        return self


@dataclass(frozen=True, slots=True)
class Profile:
    """A Blender with a profile of its own, in which the extension is installed and enabled."""

    blender: Blender
    folder: Path  # writable; holds the profile, and the outcome of each run
    variables: dict[str, str]  # BLENDER_USER_RESOURCES and such

    @property
    def name(self) -> str:
        """Name of the Blender."""
        return self.blender.name

    def run_script(
        self,
        script: str | Path,
        arguments: dict[str, Any] | None = None,
        *,
        window: bool = False,
        blend: Path | None = None,
        timeout_s: float = 120.0,
        variables: dict[str, str] | None = None,
        options: Sequence[str] = (),
    ) -> Outcome:
        """Run `tests/blender/scripts/SCRIPT` (or a path in the checkout) inside, and wait for its end.

        Args:
            script: A Python file with a function `main(inside)` as `inside.py` describes.
            arguments: What the script finds in `inside.arguments`; JSON values.
            window: Open a window under Xvfb; `main` is then a generator.
            blend: A file to open first.
            timeout_s: After this the run is ended, which raises.
            variables: More environment variables.
            options: Blender's own, such as `--gpu-backend vulkan`.

        Raises:
            TimeoutError: It took longer than `timeout_s`.
        """
        number = sum(1 for _ in self.folder.glob("run-*"))
        folder = self.folder / f"run-{number:02d}"
        folder.mkdir()
        task = {"script": str(SCRIPTS / script), "arguments": arguments or {}, "folder": str(folder)}
        task_path = folder / "task.json"
        task_path.write_text(json.dumps(task))
        command = self.blender.script_command(
            BOOTSTRAP, [str(task_path)], window=window, blend=blend, options=options
        )
        ended = self.run(command, timeout_s=timeout_s, variables=variables)
        result_path = folder / "result.json"
        result = json.loads(result_path.read_text()) if result_path.exists() else None
        return Outcome(ended.returncode, ended.stdout, ended.stderr, result, folder)

    def command_line(
        self, arguments: list[str], *, timeout_s: float = 120.0, variables: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `blender ARGUMENTS`, as a person would; only for a real Blender."""
        return self.run([str(self.blender.program), *arguments], timeout_s=timeout_s, variables=variables)

    def run(
        self, command: list[str], *, timeout_s: float = 120.0, variables: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command with this profile's environment."""
        env = {**environment([self.folder.parent]), **self.variables, **(variables or {})}
        return run_group(command, env=env, timeout_s=timeout_s)


def run_group(
    command: list[str], *, env: dict[str, str], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process group of its own, which ends with it.

    Raises:
        TimeoutError: It took longer; the text holds what it had printed.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=env,
        cwd=ROOT,
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            stdout, stderr = _end_group(process)
            raise TimeoutError(
                f"{command[0]} took longer than {timeout_s} s\n---- stdout\n{stdout[-6000:]}"
                f"\n---- stderr\n{stderr[-6000:]}"
            ) from None
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def _end_group(process: subprocess.Popen[str]) -> tuple[str, str]:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        return process.communicate(timeout=GRACE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()
