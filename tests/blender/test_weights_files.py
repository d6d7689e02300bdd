"""File > Import, File > Export and Convert Back to Mesh, with the real engine."""

import shutil

import pytest

from tests.blender.spot import WEIGHTS
from tests.engine.keras_files import write_keras_2
from tests.engine.networks import octahedron


def test_weights_come_in_upright_and_go_out_in_each_format(blender, tmp_path):
    folder, out = blender.folder / "weights", blender.folder / "exported"
    folder.mkdir()
    out.mkdir()
    shutil.copy(WEIGHTS, folder / "spot.safetensors")
    write_keras_2(folder / "published.h5", octahedron(0.6))
    (folder / "damaged.h5").write_bytes(b"nothing")
    task = {"directory": str(folder), "files": ["spot.safetensors", "published.h5"], "out": str(out)}
    result = blender.run_script("weights_files.py", task, timeout_s=600.0).check().result
    assert result["imported"] == ["FINISHED"]
    assert result["objects"]["published"][0] == pytest.approx(1.5707963, abs=1e-6)  # y is up in it
    assert result["objects"]["spot"] == [0.0, 0.0, 0.0]
    assert "relu and a final tanh are assumed" in result["notes"]["published"][0]
    assert "cannot be read as HDF5" in result["problems"][0]
    kinds = ("glsl", "h5", "json", "npz", "safetensors")
    assert result["files"] == sorted(f"shape_{n}.{k}" for n in ("published", "spot") for k in kinds)
    assert result["same"] and result["hidden"]
    for estimate, faces, _, location in result["faces"].values():
        assert faces == pytest.approx(estimate, rel=0.06)  # the proxy is smaller: it lies inside
        assert location == pytest.approx([2.0, 0.0, 0.0])
