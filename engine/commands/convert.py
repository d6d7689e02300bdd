"""`convert`: a mesh file to a weights file, with a progress bar for people or messages for programs.

It ends with 0 where everything was reached, and with 4 where the file is there but misses one of the aims that the
report names under `missed`: lost surface, overlap, missing or floating parts, or the tolerance asked for. Of a folder
it is 3 where a shape failed, else 4 where one misses an aim.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from ..errors import EngineError, OptionError, OutputError
from ..protocol.messages import Converted, Failure, Message, Progress, encode
from ..serving.message_stream import MessageStream
from . import convert_folder
from .packages import heavy_imports
from .training_flags import GroupedHelp, training_flags, training_of

EXIT_ERROR = 3
EXIT_MISSED = 4  # done, but short of an aim
OTHER_KINDS = (".h5", ".onnx", ".glsl", ".npz")  # that `export` writes


@click.command(cls=GroupedHelp)
@click.argument("mesh", type=click.Path(path_type=Path))
@click.option(
    "--output", "-o", required=True, type=click.Path(path_type=Path), help="The weights file to write."
)
@click.option("--report", type=click.Path(path_type=Path), help="Write every measured error here as JSON.")
@click.option(
    "--proxy", type=click.Path(path_type=Path), help="Write a coarse mesh here (.npz), for the add-on."
)
@click.option(
    "--preset", type=click.Choice(["draft", "standard", "fine"]), default="standard", show_default=True
)
@click.option("--width", type=int, help="Units of a hidden layer.")
@click.option("--depth", type=int, help="Hidden layers.")
@click.option(
    "--activation",
    type=str,
    help="relu, leaky_relu, elu, softplus, tanh, sigmoid, sine, silu, gelu or hard_gelu.",
)
@click.option("--samples", type=int, help="Exact distances to fit to.")
@click.option("--seed", type=int, default=0, show_default=True, help="Equal seeds give equal files.")
@click.option(
    "--tolerance",
    type=float,
    help="Fit the smallest network whose mean surface error is at most this, in unit space "
    "(the shape's ball has radius 0.9).",
)
@click.option("--tolerance-object", type=float, help="The same as a length in the mesh's own units.")
@click.option("--bytes", "num_bytes", type=int, help="Fit the best network whose file is at most this long.")
@click.option("--float16", "precision", flag_value="float16", help="Store half precision, whatever it costs.")
@click.option("--float32", "precision", flag_value="float32", help="Store single precision.")
@click.option(
    "--float-auto",
    "precision",
    flag_value="auto",
    default="auto",
    help="Store half precision where it costs under 5 % of the error (default).",
)
@click.option(
    "--start",
    type=click.Path(path_type=Path),
    help="Begin with these weights, of a shape that has changed little since, and take a quarter of the steps.",
)
@click.option(
    "--moving", is_flag=True, help="MESH is a folder, the frames of a motion: fit one network of x, y, z, t."
)
@click.option("--messages", is_flag=True, help="Talk to the add-on on stdin and stdout; ends with stdin.")
@click.option(
    "--json", "as_json", is_flag=True, help="Write the same messages to stdout, one JSON object a line."
)
@training_flags
def command(mesh: Path, messages: bool, as_json: bool, **settings: Any) -> None:
    """Fit a network to the surface in MESH (obj, stl, ply, off, glb, gltf, 3mf) and write its weights.

    MESH may be a folder: one network each goes to the folder OUTPUT, with results.csv and results.json beside them. A
    shape that fails stops none of the rest; then the exit code is 3. What is done already is left as it is. --report,
    --proxy, --checkpoint, --plot, --log, --queries and --start then name folders. With --moving its meshes are the frames of one
    motion, in the order of their numbers, at the times 0 to 1 of a single network.
    """
    if settings["output"].suffix.lower() in OTHER_KINDS:
        raise OutputError(
            f"{settings['output'].name} would be no .safetensors, which is what convert writes. Name one, and turn it into "
            "another kind by `python -m engine export`."
        )
    if mesh.is_dir() and not settings["moving"]:
        if messages:
            raise OptionError("The add-on converts one mesh at a time, not a folder.")
        sys.exit(convert_folder.run(click.get_current_context(), mesh, settings["output"], as_json))
    if messages:
        stream = MessageStream.from_stdio()
        stream.handshake()
        _answer(stream, mesh, settings)
    if as_json:
        sys.exit(_for_a_program(mesh, settings, _send_line, settings["proxy"] is not None))
    sys.exit(_for_people(mesh, settings))


def answer(stream: MessageStream, arguments: Sequence[str]) -> NoReturn:
    """Convert as the arguments of this command say, tell the other side, and end the process."""
    settings = command.make_context("convert", list(arguments)).params
    del settings["messages"], settings["as_json"]
    _answer(stream, settings.pop("mesh"), settings)


def prepare(tell: Callable[[Message], None]) -> None:
    """Import what a conversion needs and compile or load its kernels; says so, and goes on saying it.

    Raises:
        EngineError: A package is missing or does not work.
    """
    with heavy_imports():
        from ..conversion.announcer import Announcer
        from ..warm_up import is_compiled, warm_up

    announcer = Announcer(tell, 0)
    compiled = is_compiled("fitting")
    with heavy_imports():
        announcer.during("starting" if compiled else "compiling", 0.0, lambda: warm_up("fitting"))


def _answer(stream: MessageStream, mesh: Path, settings: dict[str, Any]) -> NoReturn:
    stream.exit_at_end_of_input(EXIT_ERROR)
    sys.exit(_for_a_program(mesh, settings, stream.send, True, stream.exit_at_end_of_input))


def _for_a_program(
    mesh: Path,
    settings: dict[str, Any],
    send: Callable[[Message], None],
    snapshots: bool,
    ends_with: Callable[[int], None] = lambda code: None,
) -> int:
    """Convert and tell; `ends_with` hears the exit code before the result is told: the other side may leave at once."""
    send(Progress(phase="starting", step=0, num_steps=0, fraction=0.0))  # the imports below take seconds
    try:
        converted = _convert(mesh, settings, send, snapshots)
        ends_with(_exit_code(converted))
        send(converted)
    except EngineError as error:
        send(Failure(code=error.code, message=str(error)))
        return EXIT_ERROR
    except Exception as error:  # a bug: the other side hears of it, and the traceback goes to stderr
        send(Failure(code="internal", message=f"{type(error).__name__}: {error}"))
        raise
    return _exit_code(converted)


def _convert(
    mesh: Path, settings: dict[str, Any], tell: Callable[[Message], None], snapshots: bool
) -> Converted:
    with heavy_imports():
        from ..conversion.convert import convert
        from ..conversion.motion_conversion import convert_motion
        from ..conversion.presets import convert_options
        from ..warm_up import is_compiled
    if mesh.exists() and not is_compiled("fitting"):  # one that is missing is told at once
        prepare(tell)
    training, moving = training_of(settings), settings.pop("moving")
    options = convert_options(snapshots=snapshots, training=training, **settings)
    if not moving:
        return convert(mesh, options, tell)
    if options.start is not None:
        raise OptionError("A moving shape is fitted anew each time. Leave out --start.")
    if not mesh.is_dir():
        raise OptionError(f"{mesh} is not a folder. A moving shape is made from a folder of meshes.")
    return convert_motion(mesh, options, tell)


def _send_line(message: Message) -> None:
    sys.stdout.buffer.write(encode(message))
    sys.stdout.buffer.flush()


def _exit_code(converted: Converted) -> int:
    return EXIT_MISSED if converted.report["missed_aim"] else 0


def _for_people(mesh: Path, settings: dict[str, Any]) -> int:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns: tuple[Any, ...] = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
    )
    with Bar(
        *columns,
        TextColumn("{task.fields[error]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task("reading", total=1.0, error="")

        def tell(message: Message) -> None:
            if isinstance(message, Progress):
                error = "" if message.error is None else f"error {message.error:.5f}"
                bar.update(task, completed=message.fraction, description=message.phase, error=error)

        converted = _convert(mesh, settings, tell, settings["proxy"] is not None)
        bar.update(task, completed=1.0, description="done")
    for line in _summary(converted):
        click.echo(line)
    return _exit_code(converted)


def _summary(converted: Converted) -> list[str]:
    errors = converted.report["errors"]
    lines = [f"warning: {warning}" for warning in converted.warnings]
    lines.append(f"{converted.path}: {converted.num_bytes:,} bytes in {converted.seconds:.1f} s")
    lines.append(
        f"surface error {errors['surface_mean']:.5f} (95 % under {errors['surface_p95']:.5f}), "
        f"overlap {errors['iou']:.4f}"
    )
    return lines
