"""Every pass of a final render, in a multilayer EXR and through the compositor."""

import numpy as np
import OpenEXR

from tests.blender.occlusion import SPOT
from tests.blender.spot import neural_spot

SIZE = (192, 108)
CUBE, PLANE, SECOND, FIRST = 2, 4, 20, 10  # as in scripts/passes.py
FLOAT_32 = 1e-5  # relative: a product of matrices in 32 bits


def channels_of(path):
    with OpenEXR.File(str(path)) as file:
        return {n.split(".", 1)[-1]: c.pixels.copy() for p in file.parts for n, c in p.channels.items()}


def first_of(channels, *names):
    return next(channels[name] for name in names if name in channels)


def test_every_pass_reaches_files_and_compositor(blender):
    arguments = {**neural_spot(blender.folder), "size": SIZE}
    outcome = blender.run_script("passes.py", arguments, timeout_s=200).check()
    passes = channels_of(outcome.folder / "passes.exr")
    objects = first_of(passes, "Object Index.X", "IndexOB.X")
    materials = first_of(passes, "Material Index.X", "IndexMA.X")
    position = np.stack([passes[f"Position.{axis}"] for axis in "XYZ"], axis=-1)
    check_materials(objects, materials)
    check_ambient(objects, passes)
    check_position(objects, position, passes["Depth.Z"], outcome.result["world_from_camera"])
    sixteen, settled = (channels_of(outcome.folder / f"{name}.exr") for name in ("sixteen", "settled"))
    assert all(np.array_equal(sixteen[name], settled[name]) for name in sixteen), "no pixel took more samples"
    composed = channels_of(outcome.folder / "use_pass_position.exr")
    assert np.array_equal(first_of(composed, "RGB", "RGBA")[..., :3], position)
    composed = channels_of(outcome.folder / "use_pass_material_index.exr")
    assert np.array_equal(first_of(composed, "RGB", "RGBA")[..., 0], materials)


def check_materials(objects, materials):
    for index in np.unique(objects):
        seen = set(np.unique(materials[objects == index]))
        expected = {0: {0}, CUBE: {FIRST + CUBE, SECOND}}.get(int(index), {FIRST + index})
        assert seen == expected, (index, seen)
    assert (objects == SPOT).sum() > 500 and {0, 1, 2, 3, 4} == set(np.unique(objects))


def check_ambient(objects, passes):
    """The share of all sides that is free: all of it on most of the plane, less beside things, nothing where nothing is."""
    shares = first_of(passes, "Ambient Occlusion", "AO")
    assert shares.min() == 0.0 and shares.max() == 1.0
    plane = shares[objects == PLANE].mean()
    assert 0.75 < plane < 0.99 and shares[objects == SPOT].mean() < plane


def check_position(objects, position, depth, world_from_camera):
    """A place is as far along the camera's axis as the depth says; of nothing it is 0."""
    assert (position[objects == 0] == 0.0).all()
    camera = np.array(world_from_camera)
    seen = (position - camera[:3, 3]) @ camera[:3, :3]
    hit = objects > 0
    assert np.abs(-seen[..., 2] / depth - 1.0)[hit].max() < FLOAT_32
    across = seen[..., 0] / -seen[..., 2] * 50.0 / 36.0 + 0.5  # of the picture's width: lens over sensor
    columns = (np.arange(SIZE[0]) + 0.5) / SIZE[0]
    assert np.abs(across - columns)[hit].max() < FLOAT_32
