"""The locked lists of packages that the extension brings along, and what identifies their state."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

LISTS = Path(__file__).resolve().parents[2] / "requirements"
ENGINE_LIST, TORCH_LIST, CUDA_LIST = "engine.txt", "torch.txt", "cuda.txt"
PINNED = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;]+)")


@dataclass(frozen=True, slots=True)
class Locked:
    """One package of a list at its one version."""

    name: str
    version: str
    line: str  # as pip reads it, with hashes and markers where the list has some

    @property
    def key(self) -> str:
        """Give the name by which packages are compared."""
        return package_key(self.name)


def package_key(name: str) -> str:
    """Give a package's name in the one spelling that all its spellings share."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_list(path: Path) -> tuple[Locked, ...]:
    """Give a list's packages in its order.

    Raises:
        OSError: It is not there.
        ValueError: A line pins no version.
    """
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = PINNED.match(text)
        if match is None:
            raise ValueError(f"{path}: {text!r} pins no version")
        found.append(Locked(match["name"], match["version"], text))
    return tuple(found)


def wanted(lists: Path, torch: bool) -> tuple[Locked, ...]:
    """Give the packages that the engine is installed with; torch and what it needs come last."""
    packages = read_list(lists / ENGINE_LIST)
    return (*packages, *read_list(lists / TORCH_LIST)) if torch else packages


def lock_digest(packages: tuple[Locked, ...]) -> str:
    """Give what changes whenever a package or a version does."""
    return hashlib.sha256("\n".join(package.line for package in packages).encode()).hexdigest()
