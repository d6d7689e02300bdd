"""The built zip in Blender: accepted by its validator, installed and enabled in a clean profile, and removable."""

import pytest

from tests.blender.conftest import find_or_skip
from tests.blender.harness import blenders, installing
from tests.blender.harness.blenders import environment
from tests.blender.harness.running import run_group


def test_blenders_own_validator_accepts_it(extension_zip):
    module = find_or_skip(blenders.MODULE)
    packages = module.program.parent.parent / "lib"
    (validator,) = packages.glob("python*/site-packages/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py")
    ended = run_group(
        [str(module.program), str(validator), "validate", str(extension_zip)],
        env=environment([]),
        timeout_s=60,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == ""


@pytest.mark.parametrize("name", blenders.NAMES)
def test_it_installs_and_enables_in_a_clean_profile_without_a_word_on_stderr(name, extension_zip, tmp_path):
    ended = installing.install(find_or_skip(name), extension_zip, tmp_path / "resources")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == ""


@pytest.mark.older_blenders
def test_enabling_twice_and_disabling_leaves_nothing_behind(blender):
    outcome = blender.run_script("enable_twice.py").check()
    assert outcome.stderr == ""
    assert outcome.result["left_behind"] == []
    assert outcome.result["second"] == outcome.result["first"] != []


@pytest.mark.older_blenders
def test_changing_any_setting_says_nothing_on_stderr(blender):
    outcome = blender.run_script("every_setting.py").check()
    assert {"samples", "noise_threshold", "ambient_occlusion", "native_holdout", "seed"} <= set(
        outcome.result
    )
    assert outcome.stderr == ""
