"""Runs scripts inside real Blenders: bpy from PyPI, and windows of 4.3 and 5.2 (see `blenders.py`).

A test takes a fixture of `tests/blender/conftest.py` and runs a file of `tests/blender/scripts/`:

    def test_cube_becomes_neural(blender):
        outcome = blender.run_script("convert_cube.py", {"preset": "draft"}).check()
        assert outcome.result["bytes"] < 18_000
"""
