"""Image textures of base colours against Cycles: packed and on disk, every way to look them up, mapped and named UVs."""

import numpy as np
import pytest

from tests.blender.conftest import find_or_skip
from tests.blender.harness import blenders, installing
from tests.blender.test_cycles import CYCLES_SAMPLES, SIZE, both

pytestmark = pytest.mark.blender

CASES = ("packed", "file", "float", "clip", "plain")
# Mean difference over the mean: noise of the sun's shadow and of edges inside pixels. A flipped axis, a wrong layer or an
# undecoded picture is 15 % and more.
TOLERANCE = 0.03
BIAS = 0.005  # of the means' ratio


@pytest.fixture(scope="module", params=(blenders.MODULE, *blenders.WINDOWED))
def outcome(request, extension_zip, tmp_path_factory):
    """The folder with Cycles' pictures and the exported scenes, and what was said of them."""
    found = find_or_skip(request.param)
    folder = tmp_path_factory.mktemp("textures")
    profile = installing.make_profile(found, installing.installed_resources(found, extension_zip), folder)
    arguments = {"size": SIZE, "samples": CYCLES_SAMPLES}
    return profile.run_script("textures.py", arguments, timeout_s=300).check()


@pytest.mark.parametrize("case", CASES)
def test_base_colour_is_the_picture_that_cycles_shows(outcome, case):
    expected, ours, share = both(outcome.folder, case)
    assert share > 0.4  # where the picture ends it is black
    spread = expected.std(axis=0) / expected.mean(axis=0)
    assert spread.min() > 0.15, "the picture shows"
    assert np.abs(ours - expected).mean() < TOLERANCE * expected.mean()
    assert ours.mean() == pytest.approx(expected.mean(), rel=BIAS)


def test_what_is_shown_is_not_called_left_out_and_what_is_not_is_said_once(outcome):
    assert not any(outcome.result["said"].values())
    first, again = outcome.result["beyond"]
    assert len(first) == 1 and "is projected as a box and is left out" in first[0]
    assert again == []


def test_picture_is_read_once_until_its_file_is_read_again(outcome):
    assert outcome.result["fresh"] == [True, False]
