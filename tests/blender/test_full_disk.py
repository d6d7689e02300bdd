"""A full disk and a folder that cannot be written: a sentence each, and nothing is lost. Needs root for small disks."""

import subprocess

import pytest

FULL = "size=64k"  # less than a mesh of 40,000 faces
TIGHT = "size=84k"  # room for the source and for the engine's trial of 64k, never for a proxy mesh: that takes about 120k
LOCKED = "size=64k,ro"


@pytest.fixture
def disks(tmp_path):
    """Small file systems in memory, by name."""
    made = {}
    try:
        for name, options in (("full", FULL), ("tight", TIGHT), ("locked", LOCKED)):
            folder = tmp_path / name
            folder.mkdir()
            done = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True
            )
            if done.returncode != 0:
                pytest.skip(f"no small disk can be mounted: {done.stderr.strip()}")
            made[name] = str(folder)
        yield made
    finally:
        for folder in made.values():
            subprocess.run(["umount", "-l", folder], check=True)


def test_full_and_locked_disks_are_told_and_lose_nothing(bpy_module, disks):
    result = bpy_module.run_script("full_disk.py", disks, timeout_s=400).check().result
    for name in ("full source", "full result", "locked"):
        assert (
            result[name]["states"] == [] and not result[name]["source_hidden"] and not result[name]["busy"]
        ), name
        assert result[name]["left"] == [], name
    full = "The mesh could not be handed to the engine: No space left on device"
    assert full in result["full source"]["error"] and "Free some disk space" in result["full source"]["error"]
    assert "cannot be written: No space left on device" in result["full result"]["error"]
    assert "free some space" in result["full result"]["error"]
    assert "Read-only file system" in result["locked"]["error"]
    assert "permit writing in" in result["locked"]["error"]
    scene = "The scene could not be handed to the engine: "
    assert scene + "No space left on device" in result["full render"]["error"]
    assert result["full render"]["left"] == []
    assert scene + "Read-only file system" in result["locked render"]["error"]
    assert "Temporary Files folder" in result["locked render"]["error"]
