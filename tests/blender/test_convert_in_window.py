"""Converting in a real window, with undo."""

from tests.blender.fake import fake_engine

LONGEST_STEP_S = (
    0.25  # a frame at 4 per second; steps are a millisecond or two, the rest is for a busy machine
)


def test_conversion_and_its_undo_in_a_window(windowed_blender, tmp_path):
    variables = fake_engine(tmp_path, snapshots=10, interval_s=0.3)
    outcome = windowed_blender.run_script("convert_in_window.py", window=True, variables=variables).check()
    states = outcome.result["states"]
    assert states["during"]["states"] == ["training"]
    assert states["after"]["states"] == ["finished"]
    assert states["after"]["source_hidden"]
    assert states["after"]["weights"] != states["during"]["weights"]
    assert states["undone"]["neural"] == [] and not states["undone"]["source_hidden"]
    assert states["redone"] == states["after"]
    assert states["second"]["states"] == ["finished"]
    assert states["after unrelated undo"]["light"] == 9.0
    assert states["after unrelated undo"]["states"] == ["finished"]
    assert states["after unrelated undo"]["weights"] == states["second"]["weights"]
    assert outcome.result["jobs"] == 0
    assert outcome.result["longest_step_s"] < LONGEST_STEP_S


def test_conversion_in_a_local_view_is_shown_there(windowed_blender, tmp_path):
    variables = fake_engine(tmp_path, snapshots=1000, interval_s=1.0)
    script = windowed_blender.run_script(
        "convert_in_local_view.py", window=True, timeout_s=900, variables=variables
    )
    facts = script.check().result
    shown = {"names": ["Cube Neural"], "drawn": [1]}
    assert facts["cancelled: training"] == facts["kept: training"] == facts["kept"] == shown
    assert facts["cancelled"]["names"] == ["Cube"]
    assert facts["outside"]["names"] == ["Camera", "Cube Neural", "Light"]


def test_what_is_converted_while_a_mesh_is_edited_is_not_lost_by_undo(windowed_blender, tmp_path):
    variables = fake_engine(tmp_path, snapshots=6, interval_s=0.3)
    script = windowed_blender.run_script("convert_while_editing.py", window=True, variables=variables)
    facts = script.check().result
    ((name, state, weights),) = facts["left"]
    assert facts["mode"] == "EDIT_MESH" and (name, state) == ("Cube Neural", "finished")
    assert facts["at its end"] == facts["edited"] == facts["left"]
    assert facts["undone"] == facts["redone"] > 3
    assert facts["again"] == [[name, state, weights]]
    assert facts["faces"] == 80 * 4**2
