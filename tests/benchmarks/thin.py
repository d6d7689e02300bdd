"""Thin plates, wires, needles, a wheel with spokes: how much of their surface has no zero set within 1 %.

python build.py bench thin           the same settings and files as `bench shapes`
"""

from __future__ import annotations

import sys

from tests.benchmarks import shapes


def main() -> int:
    """Convert the family and print it; the column lost_percent is the share, the aim is under 1."""
    return shapes.main("thin", "thin")


if __name__ == "__main__":
    sys.exit(main())
