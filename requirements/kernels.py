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

FLAGS = ("-std=c++17", "-O3", "-Werror", "all-warnings")
PTX_SOURCES = (
    75,
    80,
)  # the sources ask for nothing that is newer; cubins are made of the newest one a chip runs
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


def oldest_driver() -> int:
    """Give the oldest driver that loads what the compiler makes, 13000 for CUDA 13.0: the first of its generation.

    Raises:
        BuildError: There is no compiler, or it does not say its version.
    """
    said = subprocess.run([find_nvcc(), "--version"], capture_output=True, text=True).stdout
    release = re.search(r"release (\d+)\.", said)
    if release is None:
        raise BuildError(f"nvcc does not say its version: {said.strip()[:200] or 'nothing'}.")
    return 1000 * int(release[1])


def parse(text: str) -> list[KernelUse]:
    """Read what `ptxas -v` printed; what the functions that a kernel calls keep and spill is counted with it."""
    uses = []
    begins = list(ENTRY.finditer(text))
    for entry, end in zip(begins, [*(begin.start() for begin in begins[1:]), len(text)]):
        rest = text[entry.end() : end]
        spills, used = SPILLS.findall(rest), USED.search(rest)
        if not spills or used is None:
            raise BuildError(f"ptxas says nothing of {entry[1]}; its output has another form than is known.")
        stack, stores, loads = (sum(int(number) for number in column) for column in zip(*spills))
        uses.append(KernelUse(entry[1], entry[2], int(used[1]), int(used[2] or 0), stack, stores, loads))
    return uses


def compile_ptx(source: str, architecture: int, folder: Path) -> Path:
    """Compile one source to PTX, unless it has been.

    Raises:
        BuildError: nvcc failed or warned.
    """
    target = folder / member(source, architecture, True)
    if not target.exists():
        _nvcc([f"-arch=compute_{architecture}", "-ptx"], FOLDER / f"{source}.cu", target)
    return target


def compile_cubin(source: str, architecture: int, folder: Path) -> tuple[Path, list[KernelUse]]:
    """Compile one source for one chip, unless it has been; gives the file and what ptxas said.

    The machine code is made of the PTX of the newest chip whose features the source knows: of the same code as the chip's
    own PTX gives (measured, `march` for sm_90), in two thirds of the time.

    Raises:
        BuildError: nvcc failed or warned.
    """
    target = folder / member(source, architecture, False)
    notes = target.with_suffix(target.suffix + ".txt")
    if not (target.exists() and notes.exists()):
        ptx = compile_ptx(source, max(a for a in PTX_SOURCES if a <= architecture), folder)
        notes.write_text(_nvcc([f"-arch=sm_{architecture}", "-cubin", "-Xptxas", "-v"], ptx, target))
    return target, parse(notes.read_text())


def _nvcc(options: list[str], source: Path, target: Path) -> str:
    """Run the compiler; gives what it said."""
    half = target.with_suffix(f".{os.getpid()}")
    command = [find_nvcc(), *FLAGS, *options, "-o", str(half), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildError(f"nvcc cannot compile {source.name} to {target.name}:\n{done.stdout}{done.stderr}")
    half.replace(target)
    return done.stdout + done.stderr


def compile_all(architectures: Iterable[int] = ARCHITECTURES) -> tuple[list[Path], list[KernelUse]]:
    """Compile every source for every chip; gives all files, the PTX for later chips too, and what ptxas said."""
    folder = ROOT / "build/cuda" / sources_digest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    sources = sorted(path.stem for path in FOLDER.glob("*.cu"))
    chips = list(architectures)
    needed = {PTX_ARCHITECTURE, *(max(p for p in PTX_SOURCES if p <= chip) for chip in chips)}
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(lambda job: compile_ptx(*job, folder), [(s, p) for p in needed for s in sources]))
        done = list(
            pool.map(lambda job: compile_cubin(*job, folder), [(s, a) for a in chips for s in sources])
        )
    shipped = [folder / member(source, PTX_ARCHITECTURE, True) for source in sources]
    return [path for path, _ in done] + shipped, [use for _, uses in done for use in uses]


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
    manifest = {"sources": sources, "driver": oldest_driver(), "members": sorted(path.name for path in paths)}
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
