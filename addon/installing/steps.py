"""The steps of an installation, in order: room, a Python, an environment, wheels, packages, the GPU's extra, the stamp.

Each step looks first at what is there, so running it again after a broken download, a cancelled run or a new version of the
extension does only what is left. The environment counts when the stamp is written, at the end.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from .children import Children
from .downloads import Downloads
from .failures import AGAIN, why
from .locked import CUDA_LIST, LISTS, Locked, lock_digest, read_list, wanted
from .place import Place, Stamp, python_is_gone
from .pythons import Python, choose
from .reports import InstallError

DISK_MB = {
    False: 1400,
    True: 2400,
}  # by whether torch is wanted: at the fullest, with the wheels beside what is unpacked
TICK_S = 0.5
LONGEST_REMOVAL_S, REST_S = 5.0, 0.05  # of half-done work, and between two tries


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallOptions:
    """What to install, where, from what."""

    folder: Path
    lists: Path = LISTS
    own_python: str = sys.executable  # Blender's
    python: str = ""  # one that the user chose, and no other
    wheels: Path | None = None  # a folder of wheels, and no index
    torch: bool = False
    cuda: str = "auto"  # the GPU's extra: auto (where there is a driver), always, never
    disk_mb: int = 0  # what it needs; 0: as measured


class Installation:
    """One run of all steps."""

    def __init__(self, options: InstallOptions, tell: Callable[[str, float], None]) -> None:
        """Prepare; `tell` hears a sentence and how far the whole is, in [0, 1]."""
        self._options = options
        self._tell = tell
        self._place = Place(options.folder)
        self._packages = wanted(options.lists, options.torch)
        options.folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._place.temporary, ignore_errors=True)
        self._children = Children(self._place.log)
        self.warnings: list[str] = []

    def run(self) -> Stamp:
        """Do what is left to do; give what is installed then.

        Raises:
            InstallError: The sentence says why not, and what to do.
        """
        try:
            return self._run()
        finally:
            self._children.close()

    def _run(self) -> Stamp:
        place, options = self._place, self._options
        self._check_folder_of_wheels()
        self._check_disk()
        pip, version = self._environment()
        place.stamp_path.unlink(missing_ok=True)
        missing = self._missing()
        if missing and options.wheels is None:
            Downloads(place, pip, version, self._children, self._tell_download).fetch(missing)
        if missing:
            self._install(pip, version, len(missing))
        self._add_cuda(pip, version)
        self._tell("Counting what is installed", 0.99)
        megabytes = _size(place.environment) // 1_000_000
        stamp = Stamp(lock_digest(self._packages), version, options.torch, megabytes, tuple(self.warnings))
        place.write_stamp(stamp)
        shutil.rmtree(place.wheels, ignore_errors=True)
        shutil.rmtree(place.temporary, ignore_errors=True)
        return stamp

    def end(self) -> None:
        """End what is under way and remove what is half done; complete wheels stay for the next run."""
        self._children.end()
        temporary, deadline = self._place.temporary, time.monotonic() + LONGEST_REMOVAL_S
        while (
            temporary.exists() and time.monotonic() < deadline
        ):  # a thread may have been about to write there
            shutil.rmtree(temporary, ignore_errors=True)
            time.sleep(REST_S)

    def _tell_download(self, text: str, fraction: float) -> None:
        self._tell(text, 0.05 + 0.6 * fraction)

    def _missing(self) -> list[Locked]:
        installed = self._place.packages()
        return [package for package in self._packages if installed.get(package.key) != package.version]

    def _check_folder_of_wheels(self) -> None:
        folder = self._options.wheels
        if folder is not None and not any(folder.glob("*.whl")):
            raise InstallError(
                f"There are no wheels (files *.whl) in {folder}. Choose the folder that holds them."
            )

    def _check_disk(self) -> None:
        needed = self._options.disk_mb or DISK_MB[self._options.torch]
        needed = needed * len(self._missing()) // len(self._packages)
        free = shutil.disk_usage(self._options.folder).free // 1_000_000
        if free < needed:
            raise InstallError(
                f"Not enough disk space: about {needed} MB are needed in {self._options.folder}, {free} MB are free. "
                f"Free some space there. {AGAIN}"
            )

    def _environment(self) -> tuple[list[str], str]:
        """Make the environment or keep the one that works; give its pip's command and its Python's version."""
        place, chosen = self._place, self._options.python
        pip = [str(place.python), "-m", "pip"]
        kept = place.configuration().get("version", "")
        if not chosen and not python_is_gone(place) and self._works(pip):
            return pip, kept
        self._tell("Looking for a Python", 0.01)
        python = choose(chosen, self._options.own_python)
        self._tell(f"Making an environment with Python {python.version_text}", 0.02)
        place.stamp_path.unlink(missing_ok=True)
        same = kept.split(".")[:2] == python.version_text.split(".")[:2]
        self._make(python, clear=not same)
        if not python.ensurepip:  # Debian's, without python3-venv: its own pip installs into the environment
            return [str(python.path), "-m", "pip", "--python", str(place.python)], python.version_text
        if not self._works(pip):
            self._must([str(place.python), "-m", "ensurepip", "--default-pip"], "The environment")
        return pip, python.version_text

    def _make(self, python: Python, clear: bool) -> None:
        environment = self._place.environment
        if not clear:  # packages stay; venv keeps links that lead nowhere, so they go first
            for path in self._place.python.parent.glob("python*"):
                path.unlink()
        clearing = ["--clear"] if clear else []
        self._must(
            [str(python.path), "-m", "venv", *clearing, "--without-pip", str(environment)], "The environment"
        )

    def _works(self, pip: list[str]) -> bool:
        return (
            Path(pip[0]).exists() and self._children.run([*pip, "--version"], self._place.temporary)[0] == 0
        )

    def _install(self, pip: list[str], version: str, num_missing: int) -> None:
        """Install from wheels alone: those downloaded, or the user's folder."""
        folder = self._options.wheels or self._place.wheels
        requirements = self._place.temporary / "requirements.txt"
        requirements.parent.mkdir(parents=True, exist_ok=True)
        requirements.write_text("".join(f"{package.line}\n" for package in self._packages), encoding="utf-8")
        command = [*pip, "install", "--no-index", "--find-links", str(folder), "-r", str(requirements)]
        with ThreadPoolExecutor(1, thread_name_prefix="install") as pool:
            running = pool.submit(self._children.run, command, self._place.temporary)
            while not wait([running], TICK_S).done:
                done = max(0, num_missing - len(self._missing()))
                self._tell(f"Installing {done} of {num_missing} packages", 0.65 + 0.3 * done / num_missing)
        code, output = running.result()
        if code != 0:
            raise InstallError(
                self._damaged(folder) or why(output, "The engine", str(folder), version, offline=True)
            )

    def _damaged(self, folder: Path) -> str:
        """Say which wheels are damaged; ours are removed, so that the next run fetches them again."""
        damaged = [path for path in sorted(folder.glob("*.whl")) if not _is_whole(path)]
        if not damaged:
            return ""
        names = ", ".join(path.name for path in damaged)
        if self._options.wheels is not None:
            return f"Damaged: {names} in {folder}. Download it again, then press Install Engine."
        for path in damaged:
            path.unlink()
        return f"Damaged, and removed: {names}. {AGAIN}"

    def _add_cuda(self, pip: list[str], version: str) -> None:
        """Install what reaches a GPU where there is one; without it the CPU does everything, so a failure is a warning."""
        if self._options.cuda == "never" or (self._options.cuda == "auto" and not has_nvidia_driver()):
            return
        packages, installed = read_list(self._options.lists / CUDA_LIST), self._place.packages()
        if all(installed.get(package.key) == package.version for package in packages):
            return
        self._tell("Adding what reaches the NVIDIA GPU", 0.96)
        folder = self._options.wheels
        source = [] if folder is None else ["--no-index", "--find-links", str(folder)]
        command = [
            *pip,
            "install",
            "--only-binary=:all:",
            *source,
            "-r",
            str(self._options.lists / CUDA_LIST),
        ]
        code, output = self._children.run(command, self._place.temporary)
        if code != 0:
            said = why(
                output, "The packages that reach the GPU", str(folder), version, offline=folder is not None
            )
            self.warnings.append(f"{said} Until then the engine uses the CPU.")

    def _must(self, command: list[str], what: str) -> None:
        code, output = self._children.run(command, self._place.temporary)
        if code != 0:
            raise InstallError(why(output, what, str(self._place.folder)))


def has_nvidia_driver() -> bool:
    """Whether NVIDIA's driver can be loaded; nothing of it is started."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _is_whole(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, EOFError):
        return False


def _size(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        total += sum(os.lstat(Path(root, name)).st_size for name in names)
    return total
