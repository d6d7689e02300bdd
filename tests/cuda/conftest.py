"""What tests of the kernels share."""

import pytest

from tests.engine.scene_builder import SceneBuilder


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    """Grids that other tests certified on this machine must not decide what is tested here."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("certified")
    patch.setattr("engine.tracing.certified_cache.cache_folder", lambda: folder)
    yield
    patch.undo()


@pytest.fixture
def builder(tmp_path):
    return SceneBuilder(tmp_path)
