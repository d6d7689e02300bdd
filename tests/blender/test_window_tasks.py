"""Operators that wait for the engine, in a real window, with mouse and keys."""

from tests.blender.spot import neural_spot

MESHING = "OBJECT_OT_neural_implicit_to_mesh"


def test_meshing_by_its_dialog_and_escape(windowed_blender):
    arguments = {**neural_spot(windowed_blender.folder), "resolution": 48}
    facts = (
        windowed_blender.run_script("window_tasks.py", arguments, window=True, timeout_s=600).check().result
    )
    assert facts["back"]["faces"] > 2000 and facts["back"]["active"]
    assert MESHING in facts["escape"]["running"] and MESHING not in facts["escape"]["left"]
    assert facts["escape"]["made"] == 0
