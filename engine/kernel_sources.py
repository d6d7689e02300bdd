"""What a module's compiled kernels depend on: its own source and those of the engine's modules that it imports."""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

ENGINE = Path(__file__).resolve().parent
DIGEST_LETTERS = 16
COMPILED = re.compile(r"\b(numba|warp)\b|\.compiled import ")  # what modules with kernels import
RELATIVE_IMPORT = re.compile(r"^[ \t]*from (\.+)([\w.]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)


def kernel_folder(parent: Path, source: Path) -> Path:
    """Give the folder inside `parent` for the kernels of a module of the engine."""
    return parent / f"{source.stem}_{sources_digest(source.resolve())[:DIGEST_LETTERS]}"


@functools.cache
def sources_digest(source: Path) -> str:
    """Give a SHA-256 of a module and of all modules of the engine that it imports, directly or not."""
    return _digest(_reached(source))


def kernels_digest(source: Path) -> str:
    """Give a SHA-256 of all that the kernels depend on which a module reaches by its imports."""
    kernels = [path for path in _reached(source) if COMPILED.search(path.read_text(encoding="utf-8"))]
    return _digest(set().union(*(_reached(path) for path in kernels)))


def _digest(paths: set[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(os.path.relpath(path, ENGINE).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _reached(source: Path) -> set[Path]:
    found: set[Path] = set()
    waiting = [source]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += imported(path)
    return found


def imported(source: Path) -> Iterator[Path]:
    """Give the modules of the engine that a source file imports; all of the engine's imports are relative."""
    for dots, module, names in RELATIVE_IMPORT.findall(source.read_text(encoding="utf-8")):
        folder = source.parents[len(dots) - 1].joinpath(*module.split("."))
        candidates = [folder.with_suffix(".py"), folder / "__init__.py"]
        candidates += [folder / f"{name}.py" for name in re.findall(r"\w+", names)]
        yield from (path for path in candidates if path.is_file() and path.is_relative_to(ENGINE))
