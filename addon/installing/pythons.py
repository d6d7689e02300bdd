"""Finds the Python that the engine's environment is made from: Blender's own where it will do, else one that is installed.

A Python is asked rather than judged by its name: some that are found by name only say that they are not there, and some
(Debian's, where python3-venv is not installed) cannot put pip into an environment.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .reports import InstallError

OLDEST, NEWEST = (3, 11), (3, 14)  # that the locked packages are made for
PROBE_TIMEOUT_S = 20.0
CONFUSING_VARIABLES = ("PYTHONHOME", "PYTHONPATH", "PYTHONSAFEPATH", "PYTHONSTARTUP", "PYTHONINSPECT")
PROBE = """
import importlib.util, json, os, platform, sys, sysconfig
has = lambda name: importlib.util.find_spec(name) is not None
base = getattr(sys, "_base_executable", sys.executable) or sys.executable
print(json.dumps({
    "version": list(sys.version_info[:3]), "base": os.path.realpath(base) if os.name != "nt" else base,
    "ensurepip": has("ensurepip"), "pip": has("pip"), "venv": has("venv"),
    "plain": platform.python_implementation() == "CPython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
    and sys.maxsize > 2**32}))
"""


@dataclass(frozen=True, slots=True)
class Python:
    """A Python that answered."""

    path: Path  # not a virtual environment's
    version: tuple[int, int, int]
    ensurepip: bool
    pip: bool
    venv: bool
    plain: bool  # CPython with its lock, 64 bit: what wheels are made for

    @property
    def version_text(self) -> str:
        """Give its version as X.Y.Z."""
        return ".".join(map(str, self.version))

    def complaint(self) -> str:
        """Say why the engine cannot be installed with it; empty where it can."""
        if not OLDEST <= self.version[:2] <= NEWEST:
            return f"is {self.version_text}, not 3.{OLDEST[1]} to 3.{NEWEST[1]}"
        if not self.plain:
            return "is not the usual 64 bit CPython that packages are built for"
        if not self.venv or not (self.ensurepip or self.pip):
            return "cannot make an environment, for its ensurepip or venv is not installed (package python3-venv on Debian)"
        return ""


def probe(path: Path) -> Python | None:
    """Ask a Python what it is; None where it does not answer."""
    try:
        asked = subprocess.run(
            [str(path), "-I", "-c", PROBE],
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            env=clean_environment(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        said = json.loads(asked.stdout)
        said["path"], said["version"] = Path(said.pop("base")), tuple(said["version"])
        return Python(**said)
    except (OSError, ValueError, TypeError, KeyError, subprocess.TimeoutExpired):
        return None


def choose(chosen: str, own: str) -> Python:
    """Give the Python to make the environment from.

    Args:
        chosen: The one that the user named; empty where none. Then no other is tried.
        own: Blender's own, the first to be tried.

    Raises:
        InstallError: None will do; the message says why each will not, and what to do.
    """
    refusals = []
    for path in [Path(chosen).expanduser()] if chosen else candidates(own):
        found = probe(path)
        complaint = "does not answer as a Python" if found is None else found.complaint()
        if found is not None and not complaint:
            return found
        if chosen or found is not None:
            refusals.append(f"{path} {complaint}")
    remedy = f"Install Python 3.{OLDEST[1]}, 3.12 or 3.13 (from python.org, or your system's packages with python3-venv)"
    listed = "; ".join(dict.fromkeys(refusals)) or "no Python was found"
    raise InstallError(
        f"No Python fits the engine: {listed}. {remedy}, or choose its program in Install Engine."
    )


def candidates(own: str) -> Iterator[Path]:
    """Give the Pythons to try, the likeliest first, none twice."""
    seen = set()
    for path in _places(own):
        if path.is_file() and (real := path.resolve()) not in seen:
            seen.add(real)
            yield path


def _places(own: str) -> Iterator[Path]:
    if own:
        yield Path(own)
    versions = [f"3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1)]
    for name in (*(f"python{version}" for version in versions), "python3", "python"):
        found = shutil.which(name)
        if found:
            yield Path(found)
    for version in versions:
        yield from _usual_places(version)


def _usual_places(version: str) -> Iterator[Path]:
    """Give where a Python is often installed without being on PATH, as it is for programs started from a desktop."""
    home = Path.home()
    if sys.platform == "win32":
        programs = Path(os.environ.get("LOCALAPPDATA", home / "AppData/Local")) / "Programs/Python"
        yield programs / f"Python{version.replace('.', '')}/python.exe"
        return
    for folder in (
        "/usr/local/bin",
        "/opt/homebrew/bin",
        f"/Library/Frameworks/Python.framework/Versions/{version}/bin",
    ):
        yield Path(folder) / f"python{version}"
    for pattern in (
        f".pyenv/versions/{version}.*/bin/python",
        f".local/share/uv/python/cpython-{version}.*/bin/python",
    ):
        yield from sorted(home.glob(pattern), reverse=True)


def clean_environment() -> dict[str, str]:
    """Give this process's variables without those that would confuse another Python."""
    return {key: value for key, value in os.environ.items() if key not in CONFUSING_VARIABLES}
