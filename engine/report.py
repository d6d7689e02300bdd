"""The full report of a conversion as JSON; the compact errors travel inside the weights file."""

from __future__ import annotations

import json
from typing import Any


def report_bytes(report: dict[str, Any]) -> bytes:
    """Give the report file's bytes, keys in a fixed order."""
    return json.dumps(report, indent=2, sort_keys=True, allow_nan=False).encode() + b"\n"
