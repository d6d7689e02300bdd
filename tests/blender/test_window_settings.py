"""Settings in real windows: Denoise of 3D views, pressed by the mouse, and which GPU engines use."""

import numpy as np
import pytest
from PIL import Image

from tests.blender.spot import neural_spot

SMOOTHER = 0.6  # of the noise that is left, at most; .26 was seen
EDGE = 40  # pixels: the area under the mouse has a brighter border
EVEN = 2.0 / 255  # mean colours stay


@pytest.mark.slow
def test_denoise_and_the_gpu_do_what_they_say(long_blender):
    arguments = neural_spot(long_blender.folder)
    outcome = long_blender.run_script("window_settings.py", arguments, window=True, timeout_s=2400).check()
    check_denoise(outcome.result, outcome.folder)
    check_gpu(outcome.result["gpu"])


def check_denoise(facts, folder):
    assert facts["denoise"] == {"at first": False, "denoised": True, "noisy_again": False}
    x, y, width, height = facts["region"]
    shown = {}
    for name in ("noisy", "denoised", "noisy_again"):
        screen = np.asarray(Image.open(folder / f"{name}.png").convert("RGB"), np.float64)[::-1] / 255.0
        shown[name] = screen[y + EDGE : y + height - EDGE, x + EDGE : x + width - EDGE]
    assert noise(shown["denoised"]) < SMOOTHER * noise(shown["noisy"])
    assert np.abs(shown["denoised"].mean(axis=(0, 1)) - shown["noisy"].mean(axis=(0, 1))).max() < EVEN
    assert np.array_equal(shown["noisy_again"], shown["noisy"])


def noise(picture):
    """Give the median difference of neighbours: of what is even, since silhouettes are few."""
    return float(np.abs(np.diff(picture, axis=1)).mean(axis=2)[picture[:, 1:].sum(axis=2) > 0.1].mean())


def check_gpu(facts):
    assert facts["preference"] == facts["checked with"] == facts["drawn with"] == "7"
    assert not facts["problem"] and len(facts["lines"]) > 1
    assert facts["messages"] == [""]  # a GPU that is not there leaves the processor
