"""Takes the manual's pictures of windows in a real Blender: docs/window_*.png.

    python build.py pictures --windows

runs this. They are taken under a virtual display, of the extension as this checkout builds it, in the newest Blender that is
in `.blender/` (tests/blender/setup-blender.sh). Pictures too large for a page are reduced to few colours, and made smaller where that is not enough.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.blender.harness import blenders, installing

DOCS = blenders.ROOT / "docs"
MOST_BYTES = 150_000
COLORS = 256
WIDTHS = (1280, 1120, 960, 840, 720)
PARTS = ("view", "preferences")
TIMEOUT_S = 3600.0  # some minutes on a machine that does nothing else


def main() -> int:
    """Take them; give an exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", default="STANDARD", help="of spot's conversion")
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS, help="default: all")
    parser.add_argument("--output", type=Path, default=DOCS, help="a folder; default: docs/")
    arguments = parser.parse_args()
    found = [blenders.find(name) for name in reversed(blenders.WINDOWED)]
    usable = [blender for blender in found if isinstance(blender, blenders.Blender)]
    if not usable:
        print("error: pictures of windows need a real Blender.", *found, sep="\n  ", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="blender-") as folder:
        take(usable[0], Path(folder), arguments)
    return 0


def take(blender: blenders.Blender, folder: Path, arguments: argparse.Namespace) -> None:
    """Run the script in a Blender, and keep what it gives."""
    print(
        f"taking pictures in Blender {blender.name}; a conversion and a render are on them, which takes minutes"
    )
    installed = installing.installed_resources(blender, installing.build_extension(folder))
    profile = installing.make_profile(blender, installed, folder)
    wanted = {"preset": arguments.preset, "parts": arguments.parts}
    outcome = profile.run_script("manual_pictures.py", wanted, window=True, timeout_s=TIMEOUT_S).check()
    for name, rectangle in outcome.result.items():
        path = arguments.output / f"window_{name}.png"
        picture = Image.open(outcome.folder / f"{name}.png").convert("RGB").crop(rectangle)
        path.write_bytes(reduced(picture))
        print(f"{path}: {path.stat().st_size:,} bytes")


def reduced(picture: Image.Image) -> bytes:
    """Give a picture as a PNG of at most `MOST_BYTES`.

    Raises:
        ValueError: The smallest is larger.
    """
    for width in WIDTHS:
        scaled = picture
        if width < picture.width:
            size = width, round(picture.height * width / picture.width)
            scaled = picture.resize(size, Image.Resampling.LANCZOS)
        few = scaled.quantize(COLORS, palette=scaled.quantize(COLORS), dither=Image.Dither.FLOYDSTEINBERG)
        for colors in (scaled, few):
            written = io.BytesIO()
            colors.save(written, "PNG", optimize=True)
            if written.tell() <= MOST_BYTES:
                return written.getvalue()
    raise ValueError(f"a picture of {picture.size} pixels is larger than {MOST_BYTES:,} bytes at any width")


if __name__ == "__main__":
    sys.exit(main())
