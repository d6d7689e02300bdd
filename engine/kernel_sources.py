"""What a module's compiled kernels depend on: its own source and those of the engine's modules that it imports."""

from __future__ import annotations

import ast
import functools
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

ENGINE = Path(__file__).resolve().parent
DIGEST_LETTERS = 16


def kernel_folder(parent: Path, source: Path) -> Path:
    """Give the folder inside `parent` for the kernels of a module of the engine."""
    return parent / f"{source.stem}_{sources_digest(source.resolve())[:DIGEST_LETTERS]}"


@functools.cache
def sources_digest(source: Path) -> str:
    """Give a SHA-256 of a module and of all modules of the engine that it imports, directly or not."""
    found: set[Path] = set()
    waiting = [source]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += imported(path)
    digest = hashlib.sha256()
    for path in sorted(found):
        digest.update(os.path.relpath(path, ENGINE).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def imported(source: Path) -> Iterator[Path]:
    """Give the modules of the engine that a source file imports; all of the engine's imports are relative."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = source.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            names = [folder.with_suffix(".py"), folder / "__init__.py"]
            names += [folder / f"{alias.name}.py" for alias in node.names]
            yield from (path for path in names if path.is_file() and path.is_relative_to(ENGINE))
