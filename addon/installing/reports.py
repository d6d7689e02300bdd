"""What the installing process says: one JSON object a line on its standard output."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

PROGRESS, WARNING, FAILED, DONE = "progress", "warning", "failed", "done"


class InstallError(Exception):
    """Why the engine cannot be installed; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Report:
    """One line: how far it is, a warning, or its end."""

    kind: str
    text: str
    fraction: float = 0.0  # of the whole, in [0, 1]


def encode(report: Report) -> str:
    """Give a report as a line."""
    return json.dumps(asdict(report)) + "\n"


def decode(line: str) -> Report | None:
    """Give a line's report; None where it is none, such as what a library prints."""
    try:
        return Report(**json.loads(line))
    except (ValueError, TypeError):
        return None
