"""`python -m addon.installing FOLDER ...`: installs the engine, tells on stdout, ends when its input does.

Exit codes: 0 installed, 3 an error that the last report names.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from pathlib import Path

from .locked import LISTS
from .reports import DONE, FAILED, PROGRESS, WARNING, InstallError, Report, encode
from .single import one_at_a_time
from .steps import Installation, InstallOptions

EXIT_ERROR = 3
_ending = threading.Lock()  # taken for good by whoever ends the process and clears up first


def main() -> int:
    """Install; give the exit code."""
    options = _options()
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(options.folder / "lock"):
            installation = Installation(options, lambda text, fraction: _say(PROGRESS, text, fraction))
            threading.Thread(target=_end_with_input, args=(installation,), daemon=True).start()
            stamp = installation.run()
    except InstallError as error:
        return _failed(str(error))
    except OSError as error:
        reason = f"{error.strerror or error} ({error.filename or options.folder})"
        return _failed(
            f"The engine cannot be installed: {reason}. Put that right and press Install Engine again."
        )
    for warning in stamp.warnings:
        _say(WARNING, warning)
    _say(DONE, f"The engine is installed: Python {stamp.python}, {stamp.megabytes} MB.", 1.0)
    return 0


def _options() -> InstallOptions:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lists", type=Path, default=LISTS)
    parser.add_argument("--own-python", default=sys.executable)
    parser.add_argument("--python", default="")
    parser.add_argument("--wheels", type=Path)
    parser.add_argument("--torch", action="store_true")
    parser.add_argument("--cuda", choices=("auto", "always", "never"), default="auto")
    parser.add_argument("--disk-mb", type=int, default=0)
    return InstallOptions(**vars(parser.parse_args()))


def _say(kind: str, text: str, fraction: float = 0.0) -> None:
    sys.stdout.write(encode(Report(kind, text, fraction)))
    sys.stdout.flush()


def _failed(text: str) -> int:
    with _ending:
        _say(FAILED, text)
    return EXIT_ERROR


def _end_with_input(installation: Installation) -> None:
    """Wait for the end of our input: whoever started us is gone, or wants us to be."""
    while os.read(0, 1024):  # not by `sys.stdin`, whose lock this thread would hold when the process ends
        pass
    _ending.acquire()
    installation.end()
    os._exit(EXIT_ERROR)


if __name__ == "__main__":
    sys.exit(main())
