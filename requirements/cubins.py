"""Reads compiled kernels as far as is needed to know what they are: the chip, and the names of the kernels.

A cubin is an ELF file for machine 190 (EM_CUDA); its flags hold the chip's number, in the second byte since ABI version 8 and in
the first before, and each kernel has a section `.text.NAME`. PTX is text.
"""

from __future__ import annotations

import re
import struct
import zipfile
from pathlib import Path

from engine.cuda.archive import ARCHITECTURES, MANIFEST, PTX_ARCHITECTURE, member

from .environments import BuildError

EM_CUDA = 190
HEADER = struct.Struct("<4s4xB7xHHIQQQIHHHHHH")  # of a 64-bit ELF file, from its first byte
SECTION = struct.Struct("<IIQQQQIIQQ")
ABI_WITH_NEW_FLAGS = 8
TEXT = b".text."


def read_cubin(data: bytes) -> tuple[int, set[str]]:
    """Give the chip's number, 90 for sm_90, and the kernels of a cubin.

    Raises:
        BuildError: It is none.
    """
    try:
        header = HEADER.unpack_from(data)
        magic, abi, _, machine, _, _, _, sections, flags, _, _, _, size, count, names = header
        if magic != b"\x7fELF" or machine != EM_CUDA or size != SECTION.size:
            raise BuildError("This is no cubin: its header is not that of CUDA's ELF files.")
        headers = [SECTION.unpack_from(data, sections + k * size) for k in range(count)]
        table = data[headers[names][4] : headers[names][4] + headers[names][5]]
    except (struct.error, IndexError) as error:
        raise BuildError(f"This is no whole cubin: {error}.") from error
    found = (table[header[0] : table.index(b"\0", header[0])] for header in headers)
    kernels = {name[len(TEXT) :].decode() for name in found if name.startswith(TEXT)}
    return flags >> 8 & 0xFF if abi >= ABI_WITH_NEW_FLAGS else flags & 0xFF, kernels


def read_ptx(text: str) -> tuple[int, set[str]]:
    """Give the chip's number and the kernels of PTX.

    Raises:
        BuildError: It is none.
    """
    target = re.search(r"^\.target sm_(\d+)", text, re.MULTILINE)
    if target is None:
        raise BuildError("This is no PTX: it names no target.")
    return int(target[1]), set(re.findall(r"^\.visible \.entry (\w+)\(", text, re.MULTILINE))


def verify(path: Path) -> dict[str, set[str]]:
    """Read every member of an archive; gives the kernels of each source, the same for every chip.

    Raises:
        BuildError: A member is missing, is not for its chip, or has other kernels than its source has for another chip.
    """
    sources: dict[str, set[str]] = {}
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist()) - {MANIFEST}
        for source in sorted({name.split(".")[0] for name in names}):
            for chip, ptx in [*((a, False) for a in ARCHITECTURES), (PTX_ARCHITECTURE, True)]:
                name = member(source, chip, ptx)
                if name not in names:
                    raise BuildError(f"{path.name} lacks {name}.")
                data = archive.read(name)
                number, kernels = read_ptx(data.decode()) if ptx else read_cubin(data)
                if number != chip or not kernels or kernels != sources.setdefault(source, kernels):
                    raise BuildError(f"{name} in {path.name} is for sm_{number} and holds {sorted(kernels)}.")
    return sources
