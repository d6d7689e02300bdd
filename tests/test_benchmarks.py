"""Every benchmark can be loaded: what moves elsewhere takes them along."""

import importlib

import pytest

from tests.test_architecture import ROOT

NAMES = sorted(path.stem for path in (ROOT / "tests/benchmarks").glob("*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_benchmark_loads(name):
    assert importlib.import_module(f"tests.benchmarks.{name}").__doc__
