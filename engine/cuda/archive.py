"""Compiled kernels in one file: cubins for known chips, PTX for later ones, each member compressed.

`build.py cuda` writes it into dist/, beside the extension's zip; the engine looks for it where NEURAL_IMPLICIT_KERNELS says,
beside this module (an installed release) and in dist/. A manifest names the sources' digest, so that kernels of other
sources are not used: their structs may differ. It names the oldest driver too: one of the compiler's own generation.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .errors import NoDeviceError

NAME = "neural_implicit-kernels.zip"
MANIFEST = "manifest.json"
VARIABLE = "NEURAL_IMPLICIT_KERNELS"
ARCHITECTURES = (75, 80, 86, 89, 90, 100, 120)
PTX_ARCHITECTURE = 80  # PTX of this one runs on every later chip
FOLDER = Path(__file__).resolve().parent


def sources_digest() -> str:
    """Give the SHA-256 of all kernel sources."""
    digest = hashlib.sha256()
    for path in sorted([*FOLDER.glob("*.cu"), *FOLDER.glob("*.cuh")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def member(source: str, architecture: int, ptx: bool) -> str:
    """Give the name of a compiled source in the archive."""
    return f"{source}.compute_{architecture}.ptx" if ptx else f"{source}.sm_{architecture}.cubin"


def find_archive() -> Path:
    """Give the kernels' file.

    Raises:
        NoDeviceError: There is none.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen and Path(chosen).is_file():
        return Path(chosen)
    for path in (FOLDER / NAME, FOLDER.parent.parent / "dist" / NAME):
        if path.is_file():
            return path
    raise NoDeviceError(
        "the compiled kernels are not there; run `python build.py cuda`, or install a release"
    )


@dataclass(frozen=True, slots=True)
class KernelArchive:
    """Compiled kernels."""

    path: Path

    def check(self) -> int:
        """Refuse an archive that was made from other sources; gives the oldest driver that loads it.

        Raises:
            NoDeviceError: It was, or it cannot be read.
        """
        try:
            with zipfile.ZipFile(self.path) as archive:
                manifest = json.loads(archive.read(MANIFEST))
                sources, driver = str(manifest["sources"]), int(manifest["driver"])
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise NoDeviceError(
                f"{self.path.name} is damaged ({error}); run `python build.py cuda`"
            ) from error
        if sources != sources_digest():
            raise NoDeviceError(f"{self.path.name} is of another version; run `python build.py cuda`")
        return driver

    def image(self, source: str, capability: tuple[int, int]) -> bytes:
        """Give what a chip loads: the newest cubin of its generation that it can run, else PTX, ended by a zero.

        Raises:
            NoDeviceError: The chip is too old, or the member is missing.
        """
        number = 10 * capability[0] + capability[1]
        fitting = [a for a in ARCHITECTURES if a // 10 == capability[0] and a <= number]
        if not fitting and number < PTX_ARCHITECTURE:
            raise NoDeviceError(
                f"the GPU's compute capability {capability[0]}.{capability[1]} is below "
                f"{ARCHITECTURES[0] // 10}.{ARCHITECTURES[0] % 10}, the oldest the kernels run on"
            )
        name = member(source, max(fitting), False) if fitting else member(source, PTX_ARCHITECTURE, True)
        try:
            with zipfile.ZipFile(self.path) as archive:
                data = archive.read(name)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise NoDeviceError(f"{self.path.name} lacks {name}; run `python build.py cuda`") from error
        return data if fitting else data + b"\0"
