"""Install Engine in real Blenders: the real locked packages from a folder of wheels, then a conversion with them."""

import fcntl
import os
import shutil
import subprocess
import sys

import pytest

from tests.blender.conftest import find_or_skip
from tests.blender.harness import blenders, installing

WHEELS = blenders.ROOT / ".cache/wheels"
DOWNLOAD_TIMEOUT_S = 900.0
TIMEOUT_S = 1500.0  # a minute or two by itself
CERTIFICATES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # pip heeds each of them
SURFACE = 0.05  # unit space: a tiny network, trained for seconds


@pytest.fixture(scope="session")
def wheels():
    """A folder with the wheels of the locked packages for this Python, downloaded once."""
    WHEELS.mkdir(parents=True, exist_ok=True)
    requirements = str(blenders.ROOT / "requirements/engine.txt")
    with (WHEELS.parent / "wheels.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        download = [sys.executable, "-m", "pip", "download", "-q", "-d", str(WHEELS), "-r", requirements]
        if subprocess.run(
            [*download, "--no-index", "--find-links", str(WHEELS)], capture_output=True
        ).returncode:
            ended = subprocess.run(download, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S)
            if ended.returncode != 0:
                pytest.skip(
                    f"the locked wheels cannot be downloaded here: {ended.stderr.strip().splitlines()[-1]}"
                )
    return WHEELS


@pytest.mark.slow
@pytest.mark.blender
@pytest.mark.parametrize("name", [blenders.MODULE, "4.3"])
def test_installed_from_a_folder_of_wheels_it_converts_and_goes_again(name, wheels, extension_zip, tmp_path):
    if shutil.disk_usage(tmp_path).free < 3e9:
        pytest.skip("needs 3 GB of disk")
    found = find_or_skip(name)
    profile = installing.make_profile(found, installing.installed_resources(found, extension_zip), tmp_path)
    arguments = {"wheels": str(wheels), "path": f"{sys.base_prefix}/bin"}
    outcome = profile.run_script("install_engine.py", arguments, timeout_s=TIMEOUT_S).check()
    result = outcome.result
    assert result["before"] == "absent"
    assert not result["online"] and "Blender may not go online" in result["refusal"]
    assert result["after"] == "ready", result["sentence"]
    assert result["used"].startswith(result["place"])
    assert "Installing " in outcome.stdout and " of 22 packages" in outcome.stdout
    assert result["state"] == "finished"
    assert result["errors"]["surface_mean"] < SURFACE
    assert (result["removed"], result["left"]) == ("absent", [])


@pytest.mark.slow
def test_the_preferences_show_the_installation_and_what_it_came_to(windowed_blender, wheels):
    """In 4.3 to its end; in 5.2 it is cancelled half-way. Both take the Python that is found: their own lacks ensurepip."""
    arguments = {
        "wheels": str(wheels),
        "path": f"{sys.base_prefix}/bin",
        "cancel": windowed_blender.name == "5.2",
    }
    outcome = windowed_blender.run_script(
        "install_in_window.py", arguments, window=True, timeout_s=TIMEOUT_S
    ).check()
    result = outcome.result
    assert result["before"] == "absent"
    assert any(text.startswith("Installing ") for text in result["texts"])
    if arguments["cancel"]:
        assert result["after"] == "incomplete" and result["problem"].startswith("Cancelled.")
    else:
        assert result["after"] == "ready", result["problem"]
    for name in ("absent", "dialog", "installing", "ended", "packages"):
        assert (outcome.folder / f"{name}.png").stat().st_size > 10_000


@pytest.mark.slow
def test_the_dialog_installs_online(long_blender):
    """Two clicks; it needs the network, and downloads 300 MB."""
    arguments = {"wheels": "", "path": f"{sys.base_prefix}/bin", "cancel": False}
    set_here = [
        name for name in CERTIFICATES if name in os.environ
    ]  # of a proxy; that Blender has another root
    variables = {
        name: str(shutil.copy(os.environ[name], long_blender.folder / f"{name}.pem")) for name in set_here
    }
    outcome = long_blender.run_script(
        "install_in_window.py", arguments, window=True, timeout_s=TIMEOUT_S, variables=variables
    )
    result = outcome.check().result
    assert result["before"] == "absent"
    assert any(text.startswith("Downloading ") for text in result["texts"])
    assert result["after"] == "ready", result["problem"]


def test_a_preference_counts_at_once_and_when_the_extension_is_enabled_again(blender):
    outcome = blender.run_script("engine_preference.py", {"python": "/usr/bin/env"}).check()
    assert outcome.result == {"set": "/usr/bin/env", "enabled again": "/usr/bin/env"}
    assert outcome.stderr == ""
