"""Linked duplicates, fake users, linked libraries with overrides, and assets of neural objects."""

import numpy as np

from tests.blender.occlusion import SPOT
from tests.blender.spot import neural_spot
from tests.blender.test_animation import SIZE, indices, layers_of

FROM_LIBRARY = 9  # pass index, as in scripts/sharing.py


def picture(folder, name):
    return next(iter(layers_of(folder / f"{name}.exr").values()))


def test_shapes_are_shared_kept_linked_and_shown_as_assets(blender):
    arguments = {**neural_spot(blender.folder), "size": SIZE}
    outcome = blender.run_script("sharing.py", arguments, timeout_s=300).check()
    facts, folder = outcome.result, outcome.folder
    check_duplicates(facts["duplicates"], folder)
    assert facts["kept"] == {
        "users": 1,
        "weights": True,
        "asset": "Neural implicit of Spot",
        "tags": ["neural implicit"],
    }
    check_preview(np.load(folder / "preview.npy"))
    check_linked(facts["linked"], folder)


def check_duplicates(facts, folder):
    assert facts["users"] == 2 and facts["renamed"] == ["Shared Shape"] * 2
    assert facts["alone"] == [1, 1, True] and facts["same"]
    shared, alone = (picture(folder, name) for name in ("shared", "alone"))
    assert (indices(shared) == FROM_LIBRARY).sum() > 300 and (indices(shared) == SPOT).sum() > 300
    assert all(np.array_equal(shared[name], alone[name]) for name in shared)


def check_preview(pixels):
    """The picture is red spot on nothing, as large as Blender's previews."""
    assert pixels.shape == (256, 256, 4)
    covered = pixels[..., 3] > 0.99
    assert 0.2 < covered.mean() < 0.7 and (pixels[..., 3] == 0.0).mean() > 0.25
    red, green, blue, _ = pixels[covered].mean(axis=0)
    assert red > 2.0 * green and red > 2.0 * blue and red > 0.3


def check_linked(facts, folder):
    assert facts["library"] and facts["override"] == [True, True]
    for said in (facts["refused"], facts["override refused"]):
        assert "is linked from another file. Convert it again there." in said
    for name, local in (("linked", "own here"), ("override", "own")):
        theirs, ours = picture(folder, name), picture(folder, local)
        assert all(np.array_equal(theirs[each], ours[each]) for each in theirs), name
    assert (indices(picture(folder, "override")) == FROM_LIBRARY).sum() > 300
    assert (indices(picture(folder, "override")) == SPOT).sum() == 0
