"""The command line: `python -m engine VERB`; each verb is a module of `engine.commands`, loaded when it is used.

Exit codes: 0 done, 2 usage, 3 an error the user can act on, 4 converted but short of an aim (see `convert`).
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import keyword
import logging
import os
import sys
from typing import NoReturn

import click

from . import VERSION
from .errors import EngineError

# Before NumPy is loaded: our own threads fill the cores, and equal sums need equal numbers of threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

EXIT_ERROR = 3

VERBS: dict[str, str] = {  # name -> what `--help` says
    "convert": "Fit a network to a surface and write its weights.",
    "render": "Trace weights and write a picture.",
    "slice": "Draw planes through the field.",
    "timelapse": "Film a network while it is trained.",
    "mesh": "Extract the zero set as triangles.",
    "measure": "Compare weights with the mesh they were made from.",
    "info": "Print what a weights file holds.",
    "import": "Read Keras weights (.h5), the paper's too, as ours.",
    "export": "Write weights for Keras, ONNX, GLSL or NumPy.",
    "doctor": "Say what works on this machine, and what to do about what does not.",
    "standby": "Get ready for one conversion that the add-on may ask for.",
    "serve": "Answer the add-on: scenes in, pictures out.",
}


class _Verbs(click.Group):
    """Loads a verb's module only when it runs, so that `--help` loads nothing large."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        module = importlib.import_module(f".commands.{name}", __package__)
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs)
@click.version_option(VERSION, prog_name="neural-implicit")
@click.option("--verbose", "-v", is_flag=True, help="Log each stage to stderr.")
def main(verbose: bool) -> None:
    """Neural Implicit: surfaces as the weights of a small network."""
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, stream=sys.stderr, format="%(name)s: %(message)s")


def run() -> None:
    """Run the command line and leave; an `EngineError` becomes a sentence on stderr and exit code 3."""
    code: object = 0
    try:
        main(prog_name="python -m engine")
    except EngineError as error:
        click.echo(f"error: {error}", err=True)
        code = EXIT_ERROR
    except SystemExit as end:
        code = end.code
    _leave(code if isinstance(code, int) else int(code is not None))


def _leave(code: int) -> NoReturn:
    """End at once: what files need is done, and the compilers' own ends would take a second or two more."""
    atexit._run_exitfuncs()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # whoever read it has gone
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
