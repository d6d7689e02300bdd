"""Fixtures that run in each Blender that is here: skipped, with the way to get it, where it is not."""

import os

import pytest

from tests.blender.harness import blenders, installing
from tests.blender.harness.running import Profile


def pytest_collection_modifyitems(items):
    """Mark every test that runs in a Blender."""
    for item in items:
        if {"blender", "windowed_blender", "long_blender", "bpy_module"} & set(
            getattr(item, "fixturenames", ())
        ):
            item.add_marker(pytest.mark.blender)


@pytest.fixture(scope="session")
def extension_zip(tmp_path_factory):
    """The extension, built from this tree."""
    return installing.build_extension(tmp_path_factory.mktemp("extension"))


def find_or_skip(name) -> blenders.Blender:
    """Give a Blender; where it is not there skip, or fail if NEURAL_IMPLICIT_REQUIRE_BLENDERS names it."""
    found = blenders.find(name)
    if isinstance(found, str):
        if blenders.is_required(name):
            pytest.fail(found)
        pytest.skip(found)
    return found


def _profile(name, extension_zip, tmp_path) -> Profile:
    found = find_or_skip(name)
    return installing.make_profile(found, installing.installed_resources(found, extension_zip), tmp_path)


@pytest.fixture(params=blenders.NAMES)
def blender(request, extension_zip, tmp_path) -> Profile:
    """Each tested Blender, with the extension installed; runs in the background.

    In the older ones tests marked `older_blenders` run, and with NEURAL_IMPLICIT_LONG all.
    """
    marked = request.node.get_closest_marker("older_blenders") is not None
    if request.param in blenders.OLDER and not marked and not os.environ.get("NEURAL_IMPLICIT_LONG"):
        pytest.skip(f"runs in {request.param} with NEURAL_IMPLICIT_LONG=1 only")
    return _profile(request.param, extension_zip, tmp_path)


@pytest.fixture(params=blenders.WINDOWED)
def windowed_blender(request, extension_zip, tmp_path) -> Profile:
    """Each Blender that can open a window, with the extension installed."""
    return _profile(request.param, extension_zip, tmp_path)


@pytest.fixture
def patient_blender(windowed_blender) -> Profile:
    """The same for tests that take many minutes: of several Blenders the oldest one, unless all are asked for."""
    oldest = blenders.WINDOWED[0]
    if windowed_blender.name != oldest and not os.environ.get("NEURAL_IMPLICIT_LONG"):
        pytest.skip(f"takes minutes and runs in {oldest}; NEURAL_IMPLICIT_LONG=1 runs it in every Blender")
    return windowed_blender


@pytest.fixture
def long_blender(windowed_blender) -> Profile:
    """The same for tests that take many minutes in software OpenGL: only where they are asked for."""
    if not os.environ.get("NEURAL_IMPLICIT_LONG"):
        pytest.skip("takes many minutes; NEURAL_IMPLICIT_LONG=1 runs it")
    return windowed_blender


@pytest.fixture
def bpy_module(extension_zip, tmp_path) -> Profile:
    """Headless bpy from PyPI, with the extension installed."""
    return _profile(blenders.MODULE, extension_zip, tmp_path)
