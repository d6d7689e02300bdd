"""Compiles the CUDA kernels ahead: a cubin for each chip, PTX for later ones, into one archive. Standard library only.

Compiled files are kept in build/cuda by the digest of all sources, so a second run does nothing. nvcc's warnings are errors,
and what ptxas says of each kernel (registers, shared memory, spills) is read, shown and limited.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from engine.cuda.archive import (
    ARCHITECTURES,
    FOLDER,
    MANIFEST,
    NAME,
    PTX_ARCHITECTURE,
    member,
    sources_digest,
)

from .environments import ROOT, BuildError

FLAGS = ("-std=c++17", "-O3", "-Werror", "all-warnings", "-lineinfo")
MOST_SPILLED = 512  # bytes a thread stores and loads around a loop's body; more would be traffic that shows
MOST_REGISTERS = 255
ENTRY = re.compile(r"Compiling entry function '(\w+)' for '(\w+)'")
SPILLS = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers(?:.*?(\d+) bytes smem)?")


@dataclass(frozen=True)
class KernelUse:
    """What ptxas says of one kernel on one chip."""

    kernel: str
    architecture: str
    registers: int
    shared_bytes: int  # static; what a launch asks for comes on top
    stack_bytes: int
    spill_stores: int
    spill_loads: int

    @property
    def within_limits(self) -> bool:
        """Whether the stated limits hold."""
        return max(self.spill_stores, self.spill_loads) <= MOST_SPILLED and self.registers <= MOST_REGISTERS


def find_nvcc() -> str:
    """Give the compiler.

    Raises:
        BuildError: There is none.
    """
    found = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
    if found is None:
        raise BuildError("There is no nvcc on the PATH. Install NVIDIA's CUDA toolkit, 12.8 or newer.")
    return found


def parse(text: str) -> list[KernelUse]:
    """Read what `ptxas -v` printed."""
    uses, lines = [], text.splitlines()
    for number, line in enumerate(lines):
        entry = ENTRY.search(line)
        if entry is None:
            continue
        rest = "\n".join(lines[number + 1 : number + 5])
        spills, used = SPILLS.search(rest), USED.search(rest)
        if spills is None or used is None:
            raise BuildError(f"ptxas says nothing of {entry[1]}; its output has another form than is known.")
        stack, stores, loads = (int(x) for x in spills.groups())
        uses.append(KernelUse(entry[1], entry[2], int(used[1]), int(used[2] or 0), stack, stores, loads))
    return uses


def compile_source(source: str, architecture: int, ptx: bool, folder: Path) -> tuple[Path, list[KernelUse]]:
    """Compile one source for one chip, unless it has been; gives the file and what ptxas said.

    Raises:
        BuildError: nvcc failed or warned.
    """
    target = folder / member(source, architecture, ptx)
    notes = target.with_suffix(target.suffix + ".txt")
    if not (target.exists() and notes.exists()):
        kind = [f"-arch=compute_{architecture}", "-ptx"] if ptx else [f"-arch=sm_{architecture}", "-cubin"]
        half = target.with_suffix(f".{os.getpid()}")
        command = [find_nvcc(), *FLAGS, *kind, *([] if ptx else ["-Xptxas", "-v"])]
        done = subprocess.run(
            [*command, "-o", str(half), str(FOLDER / f"{source}.cu")], capture_output=True, text=True
        )
        if done.returncode != 0:
            raise BuildError(f"nvcc cannot compile {source}.cu for {architecture}:\n{done.stderr}")
        notes.write_text(done.stderr)
        half.replace(target)
    return target, parse(notes.read_text())


def compile_all(architectures: Iterable[int] = ARCHITECTURES) -> tuple[list[Path], list[KernelUse]]:
    """Compile every source for every chip; gives all files, PTX too, and what ptxas said."""
    folder = ROOT / "build/cuda" / sources_digest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    sources = sorted(path.stem for path in FOLDER.glob("*.cu"))
    jobs = [(s, a, False) for a in architectures for s in sources] + [
        (s, PTX_ARCHITECTURE, True) for s in sources
    ]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        done = list(pool.map(lambda job: compile_source(*job, folder), jobs))
    return [path for path, _ in done], [use for _, uses in done for use in uses]


def write_archive(folder: Path) -> tuple[Path, list[KernelUse]]:
    """Write the archive; the same bytes from the same sources and compiler.

    Raises:
        BuildError: There is no compiler, a kernel does not compile, or a source has changed meanwhile.
    """
    sources = sources_digest()
    paths, uses = compile_all()
    if sources_digest() != sources:
        raise BuildError(
            "A kernel's source has changed while it was compiled. Run `python build.py cuda` again."
        )
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / NAME
    half = target.with_suffix(".part")
    manifest = {"sources": sources, "members": sorted(path.name for path in paths)}
    with zipfile.ZipFile(half, "w", zipfile.ZIP_LZMA) as archive:
        _add(archive, MANIFEST, json.dumps(manifest, indent=1).encode())
        for path in sorted(paths, key=lambda path: path.name):
            _add(archive, path.name, path.read_bytes())
    half.replace(target)
    return target, uses


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_LZMA
    archive.writestr(entry, data)


def table(uses: Iterable[KernelUse]) -> str:
    """Give a table for people."""
    head = f"{'kernel':20} {'chip':8} {'registers':>9} {'shared':>7} {'stack':>6} {'spill stores':>12} {'loads':>6}"
    rows = [
        f"{u.kernel:20} {u.architecture:8} {u.registers:9} {u.shared_bytes:7} {u.stack_bytes:6} "
        f"{u.spill_stores:12} {u.spill_loads:6}"
        for u in sorted(uses, key=lambda use: (use.kernel, int(use.architecture[3:])))
    ]
    return "\n".join([head, *rows])
