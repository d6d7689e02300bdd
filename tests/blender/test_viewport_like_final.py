"""Rendered shading through the camera shows what F12 renders: ambient occlusion and the camera's lens as well."""

import numpy as np
import OpenEXR

from tests.blender.spot import neural_spot

# The view's matrices are 32 bits, of another product than the render's: an edge's samples may fall to either side.
SAME = 1e-4
DIFFERENT = 1e-4  # share of pixels; measured one in 731,444


def read(path):
    with OpenEXR.File(str(path)) as file:
        return next(c.pixels.copy() for n, c in file.channels().items() if n in ("RGBA", "RGB"))[..., :3]


def test_viewport_through_the_camera_is_the_final_render(windowed_blender):
    arguments = neural_spot(windowed_blender.folder)
    script = "viewport_like_final.py"
    folder = windowed_blender.run_script(script, arguments, window=True, timeout_s=600).check().folder
    names = ("plain", "ambient", "lens")
    final = {name: read(folder / f"{name}.exr") for name in names}
    shown = {name: np.load(folder / f"{name}.npz")["combined"][::-1, :, :3] for name in names}
    for name in names:
        assert shown[name].shape == final[name].shape
        apart = np.abs(shown[name] - final[name]).max(axis=2)
        assert (apart > SAME).mean() < DIFFERENT, name
    assert final["ambient"].mean() > 1.05 * final["plain"].mean()
    assert (np.abs(final["lens"] - final["ambient"]).max(axis=2) > 0.02).mean() > 0.05
