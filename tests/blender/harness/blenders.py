"""The Blenders that the tests run: where they are, and how each is started.

Two kinds are tested: bpy from PyPI (a Python module, no window), 5.0.1 and, where somebody has made their environments,
older ones, the oldest that the manifest allows among them; and the real 4.3 and 5.2 with a window under Xvfb, each in a
root folder made by `setup-blender.sh`. They are looked for in the checkout (`.venv-bpy-5.0.1`, `.blender/4.3`, ...);
NEURAL_IMPLICIT_BLENDERS names others, as `NAME=PROGRAM` separated by commas, where PROGRAM is bpy's Python or a Blender.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PLACES_VARIABLE = "NEURAL_IMPLICIT_BLENDERS"
REQUIRED_VARIABLE = "NEURAL_IMPLICIT_REQUIRE_BLENDERS"  # names whose absence is a failure, not a skip

MODULE = "bpy-5.0.1"
OLDER = ("bpy-4.2.0", "bpy-4.5.15")  # modules too; the first is the oldest that the manifest allows
WINDOWED = ("4.3", "5.2")
NAMES = (MODULE, *OLDER, *WINDOWED)

PLACES = {
    MODULE: ROOT / ".venv-bpy-5.0.1/bin/python",
    **{name: ROOT / f".venv-{name}/bin/python" for name in OLDER},
    "4.3": ROOT / ".blender/4.3/blender",
    "5.2": ROOT / ".blender/5.2/blender",
}
REMEDIES = {
    MODULE: "python build.py environments",
    **dict.fromkeys(OLDER, "python build.py environments --older"),
    "4.3": "tests/blender/setup-blender.sh .blender/4.3 trixie",
    "5.2": "tests/blender/setup-blender.sh .blender/5.2 sid",
}


@dataclass(frozen=True, slots=True)
class Blender:
    """One Blender to test in."""

    name: str
    program: Path

    @property
    def is_module(self) -> bool:
        """Whether it is bpy in a Python, which has neither window nor command line."""
        return self.name.startswith("bpy")

    def script_command(
        self,
        script: Path,
        arguments: list[str],
        *,
        window: bool,
        blend: Path | None,
        options: Sequence[str] = (),
    ) -> list[str]:
        """Give the command that runs a Python file in it; `options` are Blender's own."""
        if self.is_module:
            if window or blend is not None or options:
                raise ValueError(
                    f"{self.name} has no window and takes no file or options on its command line"
                )
            return [str(self.program), str(script), *arguments]
        background = [] if window else ["--background"]
        opened = [] if blend is None else [str(blend)]
        return [
            *(str(self.program), *options, *background, *opened, "--python-exit-code", "1"),
            *("--python", str(script), "--", *arguments),
        ]


def environment(bound: list[Path]) -> dict[str, str]:
    """Give the variables a Blender is started with; `bound` folders are visible inside its root as well."""
    prefixes = {Path(sys.base_prefix), Path(sys.prefix), Path(sys.prefix).resolve(), *bound}
    return {
        **os.environ,
        "BLENDER_PROJECT": str(ROOT),
        "BLENDER_BIND": ":".join(str(path) for path in sorted(prefixes) if not path.is_relative_to(ROOT)),
        "NEURAL_IMPLICIT_PYTHON": sys.executable,
        "NEURAL_IMPLICIT_CACHE": os.environ.get("NEURAL_IMPLICIT_CACHE", str(ROOT / ".cache/compiled")),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def find(name: str) -> Blender | str:
    """Give the Blender of this name, or a sentence that says how to get it."""
    named = dict(
        entry.split("=", 1) for entry in os.environ.get(PLACES_VARIABLE, "").split(",") if "=" in entry
    )
    program = Path(named.get(name, str(PLACES[name])))
    if program.exists():
        return Blender(name, program.absolute())
    return (
        f"Blender {name} is not at {program}; get it by `{REMEDIES[name]}`, or name it in {PLACES_VARIABLE}"
    )


def is_required(name: str) -> bool:
    """Whether tests that need it must fail where it is missing."""
    return name in os.environ.get(REQUIRED_VARIABLE, "").split(",")
