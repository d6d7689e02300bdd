"""`render`: weights files to a picture with its depth and normals, to a spin, or to an animation of a moving shape."""

from __future__ import annotations

import re
import time as clock
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from ..errors import OptionError, OutputError
from ..formats.weights_files import find_weights, load_weights
from ..protocol.scene import PlaneName
from ..protocol.weights import NeuralWeights
from .compiling import compile_first
from .devices import device_option
from .packages import heavy_imports

if TYPE_CHECKING:
    from ..rendering.renderer import Picture

LARGEST_SIDE = 16384
MOST_PICTURES = 10_000
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


_path = click.Path(path_type=Path)
_file_options = (
    click.argument("weights", type=_path, nargs=-1, required=True),
    click.option(
        "--output", "-o", required=True, type=_path, help="A .png; a film also goes to .gif, .mp4 or .webm."
    ),
    click.option(
        "--depth",
        type=_path,
        help="Write distances to the camera plane here (.npy, .exr, or .png with 16 bits).",
    ),
    click.option("--normal", type=_path, help="Write normals here (.png)."),
)
_picture_options = (
    click.option("--size", type=_Size(), default="960x540", show_default=True, help="Pixels."),
    click.option(
        "--samples", type=click.IntRange(1, 65536), default=16, show_default=True, help="Rays per pixel."
    ),
    click.option(
        "--view",
        "--rotation",
        type=(float, float),
        default=(35.0, 20.0),
        show_default=True,
        metavar="AZIMUTH ELEVATION",
        help="Where the camera stands, in degrees from the front and from the ground.",
    ),
    click.option("--zoom", type=float, default=1.0, show_default=True, help="1 frames the shapes."),
    click.option(
        "--up", type=click.Choice(["y", "z"]), default="y", show_default=True, help="Axis that points up."
    ),
    click.option(
        "--background",
        type=(click.FloatRange(0, 1),) * 3,
        default=BACKGROUND,
        show_default=True,
        metavar="R G B",
        help="Display values, 0 to 1.",
    ),
    click.option(
        "--color",
        type=(click.FloatRange(0, 1),) * 3,
        metavar="R G B",
        help="Base colour of the shapes, scene-linear; else each file has one of four.",
    ),
    click.option("--transparent", is_flag=True, help="Keep what nothing covers transparent."),
    device_option,
    click.option(
        "--certify", is_flag=True, help="Prove first that no ray can miss the shapes; seconds per file."
    ),
)
_shading_options = (
    click.option(
        "--shading",
        type=click.Choice(["lights", "facing", "normal", "matcap"]),
        help="Lights and shadows; how much a surface faces the viewer; its normal; or a picture of a sphere.",
    ),
    click.option("--matcap", help="Picture of a sphere (.png, .exr, ...); with --blender, a matcap's name."),
    click.option("--blender", type=_path, help="Folder of a Blender, whose matcaps to use."),
)
_film_options = (
    click.option(
        "--spin", type=click.IntRange(2, MOST_PICTURES), help="Turn once around, in so many pictures."
    ),
    click.option("--time", default=0.0, show_default=True, help="Of a moving shape (4 inputs)."),
    click.option(
        "--animate", type=click.IntRange(2, MOST_PICTURES), help="Go through time, in so many pictures."
    ),
    click.option(
        "--times", type=(float, float), default=(0.0, 1.0), show_default=True, help="First and last time."
    ),
    click.option("--rate", type=click.FloatRange(1, 120), default=24.0, show_default=True, help="A second."),
)


def _with_options(command: Any) -> Any:
    for option in reversed((*_file_options, *_picture_options, *_shading_options, *_film_options)):
        command = option(command)
    return click.command()(command)


@_with_options
def command(weights: tuple[Path, ...], output: Path, **chosen: Any) -> None:
    """Trace WEIGHTS (files or folders of them) and write a picture, or a film with --spin or --animate.

    The shapes stand where their objects stood. The picture goes through Blender's view transform "Standard".
    """
    start = clock.perf_counter()
    is_film = chosen["spin"] is not None or chosen["animate"] is not None
    _check(output, is_film, chosen)
    shapes = [load_weights(path) for path in find_weights(weights)]
    compile_first("rendering")
    with heavy_imports():
        from ..pictures import picture_files as pictures
        from ..pictures.films import Film
    if chosen["depth"] is not None:
        pictures.check_distance_kind(chosen["depth"])
    film = Film(output, chosen["rate"]) if is_film else None
    count, bounds = 0, set[str]()
    for picture, bound in _pictures(shapes, chosen):
        count += 1
        bounds |= bound
        combined = picture.planes["combined"]
        if not chosen["transparent"]:
            background = np.array(chosen["background"], np.float32)
            combined = pictures.over(combined, pictures.linear_from_srgb(background))
        if film is not None:
            film.add(pictures.display_bytes(combined))
        else:
            pictures.save_color(output, combined)
            _save_planes(picture, chosen)
    if film is not None:
        film.close()
    width, height = chosen["size"]
    rests_on = " and ".join(sorted(bounds))
    what = f"{width} x {height} pixels, {chosen['samples']} samples, sRGB, {rests_on} bounds"
    many = f"{count} pictures, " if is_film else ""
    click.echo(f"{output}: {many}{what}, in {clock.perf_counter() - start:.1f} s")


def _pictures(shapes: list[NeuralWeights], chosen: dict[str, Any]) -> Iterator[tuple[Picture, set[str]]]:
    """Trace the one picture, or those of a film, all framed alike; give each with what its steps relied on."""
    from ..network.moving_shapes import at_time
    from ..pictures.portrait import Portrait, View, camera_axes, turned
    from ..rendering.renderer import ViewRequest

    (azimuth, elevation), (width, height) = chosen["view"], chosen["size"]
    view = View(azimuth_deg=azimuth, elevation_deg=elevation, zoom=chosen["zoom"], up=chosen["up"])
    colors = {} if chosen["color"] is None else {"colors": [chosen["color"]]}
    portraits = [
        Portrait([at_time(shape, moment) for shape in shapes], **colors) for moment in _times(chosen)
    ]
    points = np.concatenate([portrait.points() for portrait in portraits])
    spins = chosen["spin"] is not None
    steps = chosen["spin"] or len(portraits)
    for number in range(steps):
        turn = 360.0 * number / steps if spins else 0.0
        seen = replace(view, azimuth_deg=view.azimuth_deg + turn)
        portrait = portraits[number * len(portraits) // steps]
        prepared, camera = portrait.view(seen, width, height, turned(points, view.up) if spins else points)
        request = ViewRequest(
            camera=camera,
            width=width,
            height=height,
            planes=_planes(chosen),
            samples=chosen["samples"],
            **_shader(chosen, camera_axes(seen)[1]),
        )
        _tighten(prepared, chosen["certify"])
        picture = _render(prepared, request, f"picture {number + 1} of {steps}")
        yield picture, {instance.tracer.bound for instance in prepared.neural}


def _tighten(prepared: Any, certify: bool) -> None:
    """Prove the bounds that steps rely on, or else sample them more finely."""
    from ..tracing.certifier import Certifiable
    from ..tracing.sharpening import sharpen_few

    tracers = [instance.tracer for instance in prepared.neural]
    if not certify:
        sharpen_few(tracers)
        return
    for tracer in tracers:
        if isinstance(tracer, Certifiable):
            tracer.certify()


def _times(chosen: dict[str, Any]) -> list[float]:
    if chosen["animate"] is None:
        return [chosen["time"]]
    first, last = chosen["times"]
    return [float(t) for t in np.linspace(first, last, chosen["animate"])]


def _planes(chosen: dict[str, Any]) -> tuple[PlaneName, ...]:
    planes: list[PlaneName] = ["combined"]
    planes += ["view_z"] if chosen["depth"] is not None else []
    planes += ["normal"] if chosen["normal"] is not None else []
    return tuple(planes)


def _shader(chosen: dict[str, Any], up: Any) -> dict[str, Any]:
    """Give the shader that is asked for, as the request's argument; none where lights do it."""
    from ..pictures import studio

    if chosen["shading"] == "facing":
        return {"shader": studio.facing_shader(up)}
    if chosen["shading"] == "normal":
        return {"shader": studio.normal_shader(up)}
    if chosen["shading"] == "matcap" or (chosen["shading"] is None and chosen["matcap"] is not None):
        if chosen["matcap"] is None:
            raise OptionError(
                "Shading by a matcap needs its picture: --matcap FILE, or a name with --blender."
            )
        return {"shader": studio.matcap_shader(studio.load_matcap(chosen["matcap"], chosen["blender"]), up)}
    return {}


def _save_planes(picture: Picture, chosen: dict[str, Any]) -> None:
    from ..pictures import picture_files as pictures

    if chosen["depth"] is not None:
        pictures.save_distances(chosen["depth"], picture.planes["view_z"])
    if chosen["normal"] is not None:
        pictures.save_normals(chosen["normal"], picture.planes["normal"])


def _check(output: Path, is_film: bool, chosen: dict[str, Any]) -> None:
    """Refuse before any work what cannot end well."""
    size, zoom, view = chosen["size"], chosen["zoom"], chosen["view"]
    if not (1 <= size[0] <= LARGEST_SIDE and 1 <= size[1] <= LARGEST_SIDE):
        raise OptionError(f"A picture has 1 to {LARGEST_SIDE} pixels each way, not {size[0]} x {size[1]}.")
    if not (np.isfinite(zoom) and 1e-3 <= zoom <= 1e3):
        raise OptionError(f"A zoom is 0.001 to 1000, not {zoom}.")
    if not (np.isfinite(view).all() and abs(view[1]) <= 90.0):
        raise OptionError("A view is two angles in degrees, the elevation from -90 to 90.")
    if chosen["spin"] is not None and chosen["animate"] is not None and chosen["spin"] < chosen["animate"]:
        raise OptionError("A spin of a moving shape needs at least as many pictures as --animate has times.")
    for path in (output, chosen["normal"]):
        if path is not None and path.suffix.lower() != ".png" and not (is_film and path == output):
            raise OutputError(f"{path.name} is of an unknown kind. Pictures are written as .png.")
    if is_film and (chosen["depth"] is not None or chosen["normal"] is not None):
        raise OptionError("Depth and normals are written for one picture; leave out --spin and --animate.")
    for path in (output, chosen["depth"], chosen["normal"]):
        if path is not None and not path.absolute().parent.is_dir():
            raise OutputError(f"{path} cannot be written: its folder does not exist. Make it first.")


def _render(prepared: Any, request: Any, what: str) -> Picture:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from ..rendering.renderer import render_rounds

    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), TextColumn("{task.percentage:3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("rendering", total=1.0)
        tell: Callable[[float], None] = lambda share: bar.update(task, completed=share)  # noqa: E731
        *_, picture = render_rounds(prepared, request, lambda: False, tell)
    return picture
