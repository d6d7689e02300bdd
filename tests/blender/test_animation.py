"""Animations, view layers and instances as F12 and `-a` render them."""

import re

import numpy as np
import OpenEXR

from tests.blender.fake import engine_with_fake_gpu
from tests.blender.occlusion import SPOT
from tests.blender.spot import neural_spot

SIZE = (160, 90)
SMALL = (80, 45)  # for kernels that run on the host
INSTANCE = 7


def layers_of(path):
    """Give passes by layer and name."""
    found = {}
    with OpenEXR.File(str(path)) as file:
        for part in file.parts:
            for name, channel in part.channels.items():
                layer, rest = name.split(".", 1)
                found.setdefault(layer, {})[rest] = channel.pixels.copy()
    return found


def indices(passes):
    return passes.get("Object Index.X", passes.get("IndexOB.X"))


def test_what_is_animated_and_instanced_is_rendered(bpy_module):
    arguments = {**neural_spot(bpy_module.folder), "size": SIZE}
    folder = bpy_module.run_script("animation.py", arguments, timeout_s=400).check().folder
    frames = [next(iter(layers_of(folder / f"frame_{n:04d}.exr").values())) for n in range(1, 6)]
    check_frames([(frame["Combined"][..., :3], indices(frame) == SPOT) for frame in frames])
    both = layers_of(folder / "layers.exr")
    assert (indices(both["ViewLayer"]) == SPOT).sum() > 500
    assert (indices(both["Without"]) == SPOT).sum() == 0
    seen = {
        name: (indices(next(iter(layers_of(folder / f"{name}.exr").values()))) == INSTANCE).sum()
        for name in ("collection", "nodes", "particles")
    }
    assert seen["collection"] > 500 and seen["nodes"] > 500 and seen["particles"] > 20, seen


def check_frames(frames):
    (first, here), (moved, there), (dark, still), (_, gone), (_, near) = frames
    assert (still == here).all() and gone.sum() == 0
    assert (here ^ there).sum() > 0.2 * here.sum(), "spot has moved"
    assert near.sum() > 1.5 * here.sum(), "the lens is longer"
    assert first[here][:, 0].mean() > 4 * first[here][:, 1].mean()
    assert moved[there][:, 1].mean() > 4 * moved[there][:, 0].mean(), "spot is green"
    assert dark.max() < 0.5 * np.quantile(first, 0.99), "the lamp is out"


def frames_of(folder, name):
    """Give every layer and pass of five frames, under one name each."""
    frames = []
    for number in range(1, 6):
        layers = layers_of(folder / f"{name}_{number:04d}.exr")
        frames.append({f"{layer}.{k}": v for layer, passes in layers.items() for k, v in passes.items()})
    return frames


def check_equal(animated, stills):
    """Each frame is its still to the last bit, and no two frames are alike."""
    for number, (frame, still) in enumerate(zip(animated, stills), start=1):
        assert frame.keys() == still.keys() and any(name.endswith("Combined") for name in frame)
        for name in frame:
            assert np.array_equal(frame[name], still[name]), (number, name)
    combined = [next(v for k, v in frame.items() if k.endswith("Combined")) for frame in animated]
    for k in range(5):
        assert all(np.abs(combined[k] - other).mean() > 1e-3 for other in combined[:k])


def test_animation_from_the_command_line_equals_stills_of_its_frames(windowed_blender):
    arguments = {**neural_spot(windowed_blender.folder), "size": SIZE, "module": False}
    outcome = windowed_blender.run_script("animation_file.py", arguments, timeout_s=300).check()
    ended = windowed_blender.command_line(["--background", outcome.result["blend"], "-a"], timeout_s=300)
    assert ended.returncode == 0, ended.stderr
    check_equal(frames_of(outcome.folder, "animation"), frames_of(outcome.folder, "still"))


def test_animation_equals_stills_of_its_frames(bpy_module):
    arguments = {**neural_spot(bpy_module.folder), "size": SIZE, "module": True}
    folder = bpy_module.run_script("animation_file.py", arguments, timeout_s=300).check().folder
    check_equal(frames_of(folder, "animation"), frames_of(folder, "still"))


LOST_AT = 5  # of the samples; a frame has three


def test_animation_whose_gpu_is_lost_goes_on_by_the_cpu_and_says_so(bpy_module):
    arguments = {**neural_spot(bpy_module.folder), "size": SMALL, "module": True, "only_animation": True}
    by_cpu = bpy_module.run_script("animation_file.py", arguments, timeout_s=300).check()
    variables = engine_with_fake_gpu(bpy_module.folder, LOST_AT)
    outcome = bpy_module.run_script(
        "animation_file.py", arguments, variables=variables, timeout_s=300
    ).check()
    said = re.findall(r"Frame (\d+): the GPU [^.]*\. The CPU renders this frame and the rest", outcome.stderr)
    assert set(said) == {"2"}, outcome.stderr
    first = 1
    frames, expected = (frames_of(folder, "animation") for folder in (outcome.folder, by_cpu.folder))
    same = [all(np.array_equal(a[name], b[name]) for name in b) for a, b in zip(frames, expected)]
    assert same == [False] * first + [True] * (5 - first)
    for a, b in zip(frames, expected):  # the GPU's frames are the same but for roundings
        combined = next(name for name in b if name.endswith("Combined"))
        assert np.quantile(np.abs(a[combined] - b[combined]), 0.98) < 0.01
