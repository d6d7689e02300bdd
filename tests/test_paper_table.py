"""docs/paper.md names tests that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TABLE = (ROOT / "docs/paper.md").read_text()
FILES = [*(ROOT / "tests").rglob("test_*.py")]
FUNCTIONS = {name for path in FILES for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`((?:tests/\w+/)?test_\w+(?:\.py)?)`", TABLE))))
def test_row_is_held_by_a_test_that_exists(name):
    if name.endswith(".py"):
        assert any(path.as_posix().endswith("/" + name) for path in FILES)
    else:
        assert name in FUNCTIONS
