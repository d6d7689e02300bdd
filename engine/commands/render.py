"""`render`: weights files to a picture, with its depth and normals."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
import numpy as np

from ..errors import OptionError, OutputError
from ..formats.weights_files import find_weights, load_weights
from ..protocol.scene import PlaneName
from .packages import heavy_imports

if TYPE_CHECKING:
    from ..renderer import Picture

LARGEST_SIDE = 16384
BACKGROUND = (0.93, 0.94, 0.95)  # display values


class _Size(click.ParamType):
    name = "WxH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        match = re.fullmatch(r"(\d{1,6})[xX](\d{1,6})", str(value))
        if match is None:
            self.fail(f"{value!r} is not a size; write it as 960x540.", param, ctx)
        return int(match[1]), int(match[2])


@click.command()
@click.argument("weights", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--output", "-o", required=True, type=click.Path(path_type=Path), help="The picture to write (.png)."
)
@click.option(
    "--depth",
    type=click.Path(path_type=Path),
    help="Write distances to the camera plane here (.npy, .exr, or .png with 16 bits).",
)
@click.option("--normal", type=click.Path(path_type=Path), help="Write normals here (.png).")
@click.option("--size", type=_Size(), default="960x540", show_default=True, help="Pixels.")
@click.option(
    "--samples", type=click.IntRange(1, 65536), default=16, show_default=True, help="Rays per pixel."
)
@click.option(
    "--view",
    type=(float, float),
    default=(35.0, 20.0),
    show_default=True,
    metavar="AZIMUTH ELEVATION",
    help="Where the camera stands, in degrees from the front and from the ground.",
)
@click.option("--zoom", type=float, default=1.0, show_default=True, help="1 frames the shapes.")
@click.option(
    "--up", type=click.Choice(["y", "z"]), default="y", show_default=True, help="Axis that points up."
)
@click.option(
    "--background",
    type=(click.FloatRange(0, 1),) * 3,
    default=BACKGROUND,
    show_default=True,
    metavar="R G B",
    help="Display values, 0 to 1.",
)
@click.option("--transparent", is_flag=True, help="Keep what nothing covers transparent.")
def command(
    weights: tuple[Path, ...],
    output: Path,
    depth: Path | None,
    normal: Path | None,
    size: tuple[int, int],
    samples: int,
    view: tuple[float, float],
    zoom: float,
    up: Literal["y", "z"],
    background: tuple[float, float, float],
    transparent: bool,
) -> None:
    """Trace the shapes in WEIGHTS and write a picture of them.

    All stand in one picture, where their files put them, under a soft light from the camera's left. Colours go
    through the sRGB view transform.
    """
    start = time.perf_counter()
    _check(size, zoom, view, output, depth, normal)
    shapes = [load_weights(path) for path in find_weights(weights)]
    planes: list[PlaneName] = ["combined"]
    planes += ["view_z"] if depth is not None else []
    planes += ["normal"] if normal is not None else []
    with heavy_imports():
        from .. import pictures
        from ..portrait import View, portrait
        from ..renderer import ViewRequest
    if depth is not None:
        pictures.check_distance_kind(depth)
    chosen = View(azimuth_deg=view[0], elevation_deg=view[1], zoom=zoom, up=up)
    prepared, camera = portrait(shapes, chosen, *size)
    request = ViewRequest(camera=camera, width=size[0], height=size[1], planes=tuple(planes), samples=samples)
    picture = _render(prepared, request)
    combined = picture.planes["combined"]
    if not transparent:
        combined = pictures.over(combined, pictures.linear_from_srgb(np.array(background, np.float32)))
    pictures.save_color(output, combined)
    if depth is not None:
        pictures.save_distances(depth, picture.planes["view_z"])
    if normal is not None:
        pictures.save_normals(normal, picture.planes["normal"])
    seconds = time.perf_counter() - start
    click.echo(f"{output}: {size[0]} x {size[1]} pixels, {samples} samples, sRGB, in {seconds:.1f} s")


def _check(
    size: tuple[int, int],
    zoom: float,
    view: tuple[float, float],
    output: Path,
    depth: Path | None,
    normal: Path | None,
) -> None:
    """Refuse before any work what cannot end well."""
    if not (1 <= size[0] <= LARGEST_SIDE and 1 <= size[1] <= LARGEST_SIDE):
        raise OptionError(f"A picture has 1 to {LARGEST_SIDE} pixels each way, not {size[0]} x {size[1]}.")
    if not (np.isfinite(zoom) and 1e-3 <= zoom <= 1e3):
        raise OptionError(f"A zoom is 0.001 to 1000, not {zoom}.")
    if not (np.isfinite(view).all() and abs(view[1]) <= 90.0):
        raise OptionError("A view is two angles in degrees, the elevation from -90 to 90.")
    for path in (output, normal):
        if path is not None and path.suffix.lower() != ".png":
            raise OutputError(f"{path.name} is of an unknown kind. Pictures are written as .png.")
    for path in (output, depth, normal):
        if path is not None and not path.absolute().parent.is_dir():
            raise OutputError(f"{path} cannot be written: its folder does not exist. Make it first.")


def _render(prepared: Any, request: Any) -> Picture:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from ..renderer import render_rounds

    console = Console(stderr=True)
    columns = (TextColumn("rendering"), BarColumn(), TextColumn("{task.percentage:3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("rendering", total=1.0)
        tell: Callable[[float], None] = lambda share: bar.update(task, completed=share)  # noqa: E731
        *_, picture = render_rounds(prepared, request, lambda: False, tell)
    return picture
