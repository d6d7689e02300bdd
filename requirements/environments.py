"""Makes the environments that `build.py` works in, from the pinned lists in this folder. Standard library only.

An environment is complete once its stamp names the lists, the Python and the place it was made from; then nothing
is done. Without the stamp pip runs again on what is there, and an environment whose pip is broken is made anew.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from addon.installing.failures import CERTIFICATE, DISK, NETWORK

ROOT = Path(__file__).resolve().parent.parent
LISTS = Path(__file__).resolve().parent
PYTHON = (3, 11)  # the one that bpy 5.0.1 is built for
STAMP = ".complete"

SHOWN = ("Downloading", "Installing", "Building", "Successfully", "ERROR")  # of what pip prints


class BuildError(Exception):
    """Something the person at the keyboard can put right; the message says what and how."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment and the lists it is made from."""

    name: str
    lists: tuple[str, ...]
    purpose: str
    download_mb: int  # measured on Linux x86-64 with the CPU build of torch
    disk_mb: int  # when complete, and as much again is used for a moment while pip unpacks
    note: str = ""

    def folder(self, root: Path) -> Path:
        """Give where it is."""
        return root / self.name

    def python(self, root: Path) -> Path:
        """Give its interpreter."""
        inside = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
        return self.folder(root) / inside

    def stamp(self, root: Path) -> str:
        """Give what identifies a complete one: its lists, its Python and its place."""
        digest = hashlib.sha256(f"{sys.version}\n{self.folder(root)}\n".encode())
        for name in self.lists:
            digest.update((LISTS / name).read_bytes())
        return digest.hexdigest()

    def is_complete(self, root: Path) -> bool:
        """Whether there is nothing to do."""
        stamp = self.folder(root) / STAMP
        return stamp.is_file() and stamp.read_text() == self.stamp(root) and self.python(root).exists()


ENGINE = Environment(
    name=".venv",
    lists=("engine.txt", "torch.txt", "tests.txt"),
    purpose="the engine and the tests",
    download_mb=560,
    disk_mb=1900,
    note=(
        "torch is 190 MB of it as a CPU build; where pip finds the CUDA build instead, as it does on Linux unless told "
        "otherwise, it is several GB. To choose, set PIP_INDEX_URL, PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS to an "
        "index or a folder of wheels."
    ),
)
HEADLESS_BLENDER = Environment(
    name=".venv-bpy-5.0.1",
    lists=("bpy-5.0.1.txt",),
    purpose="headless Blender 5.0.1",
    download_mb=400,
    disk_mb=970,
)
OLDEST_BLENDER = Environment(
    name=".venv-bpy-4.2.0",
    lists=("bpy-4.2.0.txt",),
    purpose="headless Blender 4.2.0, the oldest the extension runs in",
    download_mb=540,
    disk_mb=1600,
)
LONG_TERM_BLENDER = Environment(
    name=".venv-bpy-4.5.15",
    lists=("bpy-4.5.15.txt",),
    purpose="headless Blender 4.5, which has long-term support",
    download_mb=400,
    disk_mb=970,
)
OLDER_BLENDERS = (OLDEST_BLENDER, LONG_TERM_BLENDER)
BENCH = Environment(
    name=".venv-bench",
    lists=("bench.txt",),
    purpose="what the benchmarks compare with",
    download_mb=40,
    disk_mb=150,
)


def check_python() -> None:
    """Refuse a Python that the environments cannot be made with.

    Raises:
        BuildError: It is not 3.11.
    """
    if sys.version_info[:2] == PYTHON:
        return
    other = shutil.which("python3.11")
    remedy = f"Run it with {other}." if other else "Install Python 3.11 and run it with that."
    version = ".".join(map(str, sys.version_info[:3]))
    raise BuildError(
        f"This needs Python 3.11, which headless Blender is built for, but runs on {version}. {remedy}"
    )


def prepare(environment: Environment, root: Path = ROOT) -> Path:
    """Make an environment, or find that it is complete; give its interpreter.

    Raises:
        BuildError: Wrong Python, no network, no disk space, or pip failed for another reason.
    """
    check_python()
    if environment.is_complete(root):
        return environment.python(root)
    folder = environment.folder(root)
    print(
        f"Making {environment.name} ({environment.purpose}): downloads about {environment.download_mb} MB, ",
        end="",
    )
    print(f"needs about {environment.disk_mb} MB of disk. {environment.note}".rstrip(), flush=True)
    (folder / STAMP).unlink(missing_ok=True)
    _check_disk(environment, root)
    python = environment.python(root)
    if not _has_pip(python):
        _run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)], environment)
        _run([str(python), "-m", "ensurepip", "--default-pip"], environment)
    lists = [argument for name in environment.lists for argument in ("-r", str(LISTS / name))]
    _run([str(python), "-m", "pip", "install", "--disable-pip-version-check", *lists], environment)
    (folder / STAMP).write_text(environment.stamp(root))
    return python


def _check_disk(environment: Environment, root: Path) -> None:
    present = environment.folder(root)
    needed = environment.disk_mb if not present.exists() else environment.disk_mb // 4
    free = shutil.disk_usage(root).free // 1_000_000
    if free < needed:
        raise BuildError(
            f"Not enough disk space for {environment.name}: about {needed} MB are needed in {root}, {free} MB are free. "
            "Free some space and run it again."
        )


def _has_pip(python: Path) -> bool:
    if not python.exists():
        return False
    return subprocess.run([str(python), "-m", "pip", "--version"], capture_output=True).returncode == 0


def _run(command: list[str], environment: Environment) -> None:
    """Run a step, show what matters of its output, and turn its failure into a sentence."""
    lines = []
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    try:
        process = subprocess.Popen(command, text=True, errors="replace", **pipes)
    except OSError as error:
        raise BuildError(f"{command[0]} cannot be started: {error.strerror}.") from error
    with process:
        for line in process.stdout or ():
            lines.append(line)
            if line.strip().startswith(SHOWN):
                print(f"  {line.strip()[:100]}", flush=True)
    if process.returncode != 0:
        raise BuildError(_why("".join(lines), environment))


def _why(output: str, environment: Environment) -> str:
    if DISK.search(output):
        return (
            f"The disk is full: {environment.name} needs about {environment.disk_mb} MB. "
            "Free some space (or set TMPDIR to a folder on another disk) and run it again; it goes on where it stopped."
        )
    if CERTIFICATE.search(output):
        return (
            f"pip does not trust the certificate of its package index, so {environment.name} cannot be made: a proxy of your "
            "network signs it, perhaps. Name a file with that proxy's certificate in PIP_CERT, and run it again."
        )
    if NETWORK.search(output):
        return (
            f"No network: pip cannot reach its package index to make {environment.name}. Connect, or name another index "
            "or a folder of wheels (PIP_INDEX_URL, PIP_FIND_LINKS), and run it again; it goes on where it stopped."
        )
    errors = [line for line in output.splitlines() if line.startswith("ERROR")] or output.splitlines()[-1:]
    reason = errors[0] if errors else "it printed nothing"
    return f"{environment.name} cannot be made: {reason}"
