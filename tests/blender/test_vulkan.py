"""Blender's Vulkan backend in a real window of 5.2: what we draw is what we draw under OpenGL.

It needs a Vulkan driver in the Blender's root: Debian's mesa-vulkan-drivers has one in software,

    EXTRA_PACKAGES=mesa-vulkan-drivers tests/blender/setup-blender.sh .blender/5.2-vulkan sid
    NEURAL_IMPLICIT_LONG=1 NEURAL_IMPLICIT_BLENDERS=5.2=$PWD/.blender/5.2-vulkan/blender python -m pytest tests/blender/test_vulkan.py
"""

import numpy as np
import pytest

from tests.blender.spot import neural_spot

NAMES = ["studio", "matcap", "negative", "rendered"]
# Drivers round sums of 32 products differently: a ray that grazes may hit or not, and creases amplify a normal's last bits.
FLIPPED, NEAR, NEAR_SHARE = 0.001, 2.0 / 255, 0.995


@pytest.fixture(scope="module")
def kept():
    return {}


@pytest.fixture
def pictures(long_blender, kept):
    """What is drawn under each backend."""
    if long_blender.name != "5.2":
        pytest.skip("the Vulkan backend is tested in 5.2")
    if not kept:
        for backend in ("VULKAN", "OPENGL"):
            outcome = long_blender.run_script(
                "drawn_by_us.py",
                {**neural_spot(long_blender.folder), "backend": backend},
                window=True,
                timeout_s=2400,
                options=("--gpu-backend", backend.lower()),
            )
            kept[backend] = outcome
            if outcome.result is None or outcome.result["backend"] != backend:
                break
    found = kept["VULKAN"].check().result["backend"]
    if found != "VULKAN":
        pytest.skip(f"this Blender has no Vulkan driver: it draws with {found}")
    return {
        backend: {name: np.load(outcome.folder / f"{name}.npy") for name in NAMES}
        for backend, outcome in kept.items()
        if not outcome.check().result["problem"]
    }


@pytest.mark.parametrize("name", NAMES)
def test_vulkan_shows_what_opengl_shows(pictures, name):
    vulkan, opengl = pictures["VULKAN"][name], pictures["OPENGL"][name]
    covered = opengl[..., 3] > 0.5
    assert covered.sum() > 3000 and opengl[covered][:, :3].std() > 0.01
    assert ((vulkan[..., 3] > 0.5) != covered).mean() < FLIPPED
    difference = np.abs(vulkan - opengl).max(axis=2)[covered]
    assert (difference < NEAR).mean() > NEAR_SHARE
