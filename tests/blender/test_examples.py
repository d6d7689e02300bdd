"""The examples, run as their own text says."""

import re

import pytest

from tests.blender.harness import blenders

EXAMPLE = str(blenders.ROOT / "examples/convert_headless.py")


def test_headless_conversion_blocks_prints_progress_and_saves(real_blender):
    target = real_blender.folder / "out.blend"
    command = ["-b", "--python-exit-code", "1", "--python", EXAMPLE, "--", "Cube", "--preset", "draft"]
    ended = real_blender.command_line([*command, "--save", str(target)], timeout_s=300)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"\d+ ?%", ended.stdout), ended.stdout
    assert "made " in ended.stdout
    found = real_blender.run_script("count_neural.py", blend=target).check().result
    assert found["neural"] == 1
    assert found["bytes"][0] < 18_000  # the default network's file


def test_headless_conversion_of_nothing_ends_with_an_error(real_blender):
    command = ["-b", "--python-exit-code", "1", "--python", EXAMPLE, "--", "Nobody"]
    ended = real_blender.command_line(command)
    assert ended.returncode == 1
    assert "There is no object 'Nobody'" in ended.stdout + ended.stderr


def test_headless_conversion_without_an_engine_says_what_to_do(real_blender):
    command = ["-b", "--python-exit-code", "1", "--python", EXAMPLE, "--", "Cube"]
    ended = real_blender.command_line(command, variables={"NEURAL_IMPLICIT_PYTHON": "/nowhere/python"})
    assert ended.returncode == 1
    assert "NEURAL_IMPLICIT_PYTHON names /nowhere/python" in ended.stdout + ended.stderr


@pytest.fixture
def real_blender(windowed_blender):
    """A Blender with a command line."""
    return windowed_blender
