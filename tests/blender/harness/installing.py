"""Installs the built extension into a Blender's profile, with Blender's own installer, once for each build.

The installed extension stays in `.cache/blender/`. Each test gets a copy of its own, with the configuration, so that
tests that run at the same time do not meet in its folders; what the engine compiled is found again all the same.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

from .blenders import ROOT, Blender, environment
from .running import Profile, run_group

CACHE = ROOT / ".cache/blender"
REPOSITORY = "user_default"
INSTALL_TIMEOUT_S = 120.0
UNUSED_S = 6 * 3600.0  # a run beside this one may use an older build

INSTALL_IN_MODULE = """
import sys, bpy
result = bpy.ops.extensions.package_install_files(
    filepath=sys.argv[-1], repo="user_default", enable_on_install=True)
sys.exit(0 if result == {"FINISHED"} and "bl_ext.user_default.neural_implicit" in bpy.context.preferences.addons else 1)
"""


def build_extension(folder: Path) -> Path:
    """Build the extension's zip into a folder and give its path."""
    command = [sys.executable, str(ROOT / "build.py"), "extension", "--output", str(folder)]
    subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    (path,) = folder.glob("*.zip")
    return path


def install(blender: Blender, extension: Path, resources: Path) -> subprocess.CompletedProcess[str]:
    """Install and enable a zip in the profile `resources` (BLENDER_USER_RESOURCES); give what the installer said."""
    if blender.is_module:
        command = [str(blender.program), "-c", INSTALL_IN_MODULE, str(extension)]
    else:
        command = [str(blender.program), "--command", "extension", "install-file"]
        command += ["-r", REPOSITORY, "-e", str(extension)]
    resources.mkdir(parents=True, exist_ok=True)
    env = {**environment([extension.parent, resources]), "BLENDER_USER_RESOURCES": str(resources)}
    return run_group(command, env=env, timeout_s=INSTALL_TIMEOUT_S)


def installed_resources(blender: Blender, extension: Path) -> Path:
    """Give a profile in which exactly this zip is installed and enabled; those of builds long unused are removed.

    Raises:
        RuntimeError: Blender refused it.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{blender.name}.lock").open("w") as lock:  # another test run may be installing the same
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _installed(blender, extension)


def _installed(blender: Blender, extension: Path) -> Path:
    digest = hashlib.sha256(extension.read_bytes()).hexdigest()[:12]
    resources = CACHE / f"{blender.name}-{digest}"
    done = resources / "installed"
    if done.exists():
        done.touch()
        return resources
    for older in CACHE.glob(f"{blender.name}-*/installed"):
        if time.time() - older.stat().st_mtime > UNUSED_S:
            shutil.rmtree(older.parent)
    ended = install(blender, extension, resources)
    if ended.returncode != 0:
        raise RuntimeError(f"{blender.name} refused the extension\n{ended.stdout}\n{ended.stderr}")
    done.touch()
    return resources


def make_profile(blender: Blender, installed: Path, folder: Path) -> Profile:
    """Give a throwaway profile in `folder`: a copy of `installed`."""
    resources = folder / "resources"
    for part in ("config", "extensions"):
        if (installed / part).exists():
            shutil.copytree(installed / part, resources / part)
    return Profile(blender, folder, {"BLENDER_USER_RESOURCES": str(resources)})
