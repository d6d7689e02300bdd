"""Engines that fail and people who change their mind: each ends with a sentence, and nothing is lost."""

import signal
import time
from pathlib import Path

import numpy as np
import pytest

from tests.blender.fake import fake_engine

LONG = {"snapshots": 200, "interval_s": 0.05}


@pytest.fixture
def run(bpy_module, tmp_path):
    """Run a case of the script with an engine that does as told."""

    def run_case(case, variables=None, **plan):
        variables = variables or fake_engine(tmp_path, **plan)
        return (
            bpy_module.run_script("conversion_faults.py", {"case": case}, variables=variables).check().result
        )

    return run_case


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ({"end": "crash"}, "was killed"),
        ({"end": "failure"}, "The mesh is no good. Choose another one."),
        ({"end": "garbage"}, "sent something that is no message"),
        ({"end": "half"}, "The engine's result cannot be read"),
    ],
)
def test_an_engine_that_fails_while_it_trains_leaves_its_last_snapshot(run, plan, sentence):
    result = run("blocking", **plan)
    assert sentence in result["error"]
    assert result["states"] == ["unfinished"]


def test_an_engine_of_another_version_is_refused(run):
    result = run("blocking", start="other version")
    assert "The engine is version 9.9.9" in result["error"]
    assert result["states"] == [] and not result["source_hidden"]


def test_an_engine_that_ends_at_start_is_reported_with_its_last_words(run):
    result = run("blocking", start="crash")
    assert "No module named torch" in result["error"]


def test_a_missing_engine_is_reported(run):
    result = run("blocking", variables={"NEURAL_IMPLICIT_PYTHON": "/nowhere/python"})
    assert "names /nowhere/python, but no program is there" in result["error"]


def test_an_engine_that_hangs_is_ended_and_its_snapshot_kept(run):
    result = run("hang", end="silence")
    assert "has said nothing for 4 s" in result["problem"]
    assert result["states"] == ["unfinished"] and not result["engine_running"]


def test_no_engine_outlives_a_killed_blender(bpy_module, tmp_path):
    variables = fake_engine(tmp_path, **LONG)
    outcome = bpy_module.run_script("conversion_faults.py", {"case": "die"}, variables=variables)
    assert outcome.returncode == -signal.SIGKILL
    pid = int(outcome.stdout.rpartition("pid ")[2].split()[0])
    deadline = time.monotonic() + 5.0  # what the user is promised
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_source_in_a_library_gives_a_local_neural_object(run):
    result = run("linked_source")
    assert result["states"] == ["finished"] and result["local"] == [True]


def test_cancel_removes_what_was_made_within_a_second(run):
    result = run("cancel", **LONG)
    assert result["seconds"] < 1.0  # what the user is promised
    assert result["states"] == [] and not result["source_hidden"]
    assert result["folders"] == 0 and result["jobs"] == []


def test_stop_and_keep_leaves_the_snapshot_marked_unfinished(run):
    result = run("keep", **LONG)
    assert result["states"] == ["unfinished"] and result["folders"] == 0


def test_deleting_the_object_ends_its_conversion(run):
    result = run("delete_object", **LONG)
    assert result["states"] == [] and result["jobs"] == [] and result["folders"] == 0


def test_deleting_the_source_lets_the_conversion_go_on(run):
    assert run("delete_source", snapshots=5)["states"] == ["finished"]


def test_opening_another_file_ends_the_engine_and_keeps_its_snapshot_file(run):
    result = run("open_file", **LONG)
    assert not result["engine_running"]
    assert result["folders"] == 1 and result["jobs"] == [] and result["states"] == []


def test_disabling_the_extension_ends_the_engine_and_keeps_the_object(run):
    result = run("disable", **LONG)
    assert not result["engine_running"] and result["states"] == ["unfinished"]


def test_several_selected_objects_convert_one_after_the_other(run):
    result = run("several")
    assert result["states"] == ["finished", "finished"] and result["error"] == ""


def test_a_neural_object_survives_save_copy_append_rename_and_apply(run):
    result = run("survive")
    assert all(result["same"].values()), result["same"]
    # some roundings of float32 at coordinates of about 10
    np.testing.assert_allclose(result["applied"], result["world"], atol=1e-5)
    assert result["complaint"] == ""
    assert "The proxy was edited" in result["edited"]


def test_a_neural_object_moves_as_its_source_does(run):
    result = run("carry_over")
    assert result["error"] == "" and result["custom"] == 2.5 and result["warnings"] == []
    for way, frames in result["places"].items():
        places = np.array(frames)  # (frames, source and neural, 4, 4)
        np.testing.assert_allclose(places[:, 1], places[:, 0], atol=1e-5, err_msg=way)  # float32 at about 20
        moves = np.abs(places[0, 0] - places[2, 0]).max() > 0.1
        assert moves or way == "deform", way  # its parent deforms and does not move it


def test_newer_bytes_come_back_after_an_undo(run):
    result = run("older_bytes")
    assert result["restored"] and result["states"] == ["finished"]


def test_check_engine_says_what_works(run):
    assert [line for _, line in run("check_engine")["lines"] if "fake" in line] == ["fake: 0.1.0"]
    assert "No module named torch" in run("check_engine", start="crash")["error"]


def test_disabling_takes_back_all_that_enabling_added(run):
    assert run("enable_twice") == {"same": True, "adds": True}


def test_a_changed_source_is_noticed_and_converted_again_into_the_same_object(run):
    result = run("again")
    assert result["error"] == ""
    assert result["outdated"] == [False, True, False]
    assert result["same"] == {"object": True, "place": True, "job": False, "weights": True}
    assert result["states"] == ["finished"] and result["folders"] == 0


def test_a_conversion_that_fails_again_leaves_the_shape_of_before(run):
    result = run("again_failing")
    assert "The mesh is no good" in result["error"]
    assert result["outdated"] == [False, True, True]
    assert all(result["same"].values())
    assert result["states"] == ["finished"]


def test_converting_again_without_the_source_says_so(run):
    result = run("again_without_source")
    assert "Cube, is not in this file any more, or was renamed" in result["error"]
    assert result["states"] == ["finished"]


def test_cancelling_a_conversion_made_again_brings_the_shape_of_before_back(run):
    result = run("again_cancelled")
    assert result["training"] == "training" and result["same"] and result["vertices"] == 6
    assert result["states"] == ["finished"] and result["folders"] == 0
