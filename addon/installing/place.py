"""Where the installed engine is, the stamp that says it is complete, and the state that this adds up to.

All of it lies in one folder of the user's extension folder, so a new version of the extension, and of a Blender that shares
the folder, finds it again. The environment counts once its stamp is written; without the stamp an installation goes on.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .locked import LISTS, lock_digest, package_key, wanted

INSTALL = "Install Engine"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What was installed."""

    lock: str  # `lock_digest` of its packages
    python: str  # version of its Python, X.Y.Z
    torch: bool = False
    megabytes: int = 0  # on disk
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of the installed engine, and what is where in it."""

    folder: Path

    @property
    def environment(self) -> Path:
        """The virtual environment."""
        return self.folder / "environment"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return environment_python(self.environment)

    @property
    def wheels(self) -> Path:
        """What was downloaded completely, kept until everything is installed."""
        return self.folder / "wheels"

    @property
    def temporary(self) -> Path:
        """What is under way."""
        return self.folder / "temporary"

    @property
    def log(self) -> Path:
        """All that pip said in the last run."""
        return self.folder / "install.log"

    @property
    def stamp_path(self) -> Path:
        """The file that makes the environment count."""
        return self.folder / "installed.json"

    @property
    def site_packages(self) -> Path | None:
        """Where its packages are; None where there is no environment."""
        if sys.platform == "win32":
            found = [self.environment / "Lib/site-packages"]
        else:
            found = sorted(self.environment.glob("lib/python3.*/site-packages"))
        return next((path for path in found if path.is_dir()), None)

    def stamp(self) -> Stamp | None:
        """Give the stamp; None where there is none that can be read."""
        try:
            values = json.loads(self.stamp_path.read_text(encoding="utf-8"))
            return Stamp(**{**values, "warnings": tuple(values.get("warnings", ()))})
        except (OSError, ValueError, TypeError):
            return None

    def write_stamp(self, stamp: Stamp) -> None:
        """Make the environment count; atomic.

        Raises:
            OSError: There is no room.
        """
        half = self.stamp_path.with_suffix(".part")
        half.write_text(json.dumps(asdict(stamp)), encoding="utf-8")
        half.replace(self.stamp_path)

    def packages(self) -> dict[str, str]:
        """Give the installed packages, name by `package_key`, with their versions, less a build's own part (`+cpu`)."""
        site = self.site_packages
        found = (path.stem.rpartition("-") for path in (site.glob("*.dist-info") if site is not None else ()))
        return {package_key(name): version.partition("+")[0] for name, _, version in found}

    def configuration(self) -> dict[str, str]:
        """Give what the environment's `pyvenv.cfg` says; empty where there is none."""
        try:
            lines = (self.environment / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
        except OSError:
            return {}
        pairs = (line.partition("=") for line in lines)
        return {name.strip().lower(): value.strip() for name, _, value in pairs}


@dataclass(frozen=True, slots=True)
class EngineState:
    """What there is of the installed engine, in words."""

    kind: str = "absent"  # absent, incomplete, broken, out of date, ready
    sentence: str = f"No engine is installed. {INSTALL} makes one."
    packages: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()  # NAME VERSION of what the lists name and is not there in that version
    stamp: Stamp | None = None

    @property
    def usable(self) -> bool:
        """Whether the engine can run with it."""
        return self.kind in ("ready", "out of date")


def environment_python(environment: Path) -> Path:
    """Give the interpreter inside a virtual environment's folder."""
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def python_is_gone(place: Place) -> bool:
    """Whether the environment lost the Python it was made from, as with an update of Blender."""
    home = place.configuration().get("home")
    return not place.python.exists() or home is None or not Path(home).is_dir()


def look(place: Place, lists: Path = LISTS) -> EngineState:
    """Find out what is installed; reads a few files for each package and starts nothing."""
    stamp = place.stamp()
    if stamp is None and not place.environment.exists() and not place.wheels.exists():
        return EngineState()
    needed = wanted(lists, torch=stamp is not None and stamp.torch)
    packages = place.packages()
    missing = tuple(f"{p.name} {p.version}" for p in needed if packages.get(p.key) != p.version)
    found: dict[str, Any] = {"packages": packages, "missing": missing, "stamp": stamp}
    if stamp is None:
        here = len(needed) - len(missing)
        sentence = f"The installation is not complete: {here} of {len(needed)} packages are there. {INSTALL} goes on from here."
        return EngineState("incomplete", sentence, **found)
    if python_is_gone(place):
        sentence = f"The Python that the engine was made with is gone, as after an update of Blender. {INSTALL} puts it right."
        return EngineState("broken", sentence, **found)
    gone = [p.name for p in needed if p.key not in packages]
    if stamp.lock == lock_digest(needed) and missing:
        names = ", ".join(missing[:4]) + (" and more" if len(missing) > 4 else "")
        return EngineState("broken", f"Missing from the engine: {names}. {INSTALL} puts it right.", **found)
    if stamp.lock != lock_digest(needed):
        kind = "broken" if gone else "out of date"
        number = f"{len(missing)} package{'' if len(missing) == 1 else 's'}"
        return EngineState(
            kind, f"This version of the extension needs {number} anew: press Update Engine.", **found
        )
    return EngineState(
        "ready", f"Installed: Python {stamp.python}, {len(packages)} packages, {stamp.megabytes} MB.", **found
    )
