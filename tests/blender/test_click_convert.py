"""The way of a person: the tab, the button, the mouse, and the real engine."""

import pytest

TIMEOUT_S = 900.0  # Draft takes seconds; a busy machine, and the engine's first compilation, a few minutes


@pytest.mark.slow
def test_pressing_the_button_converts_the_selected_object(windowed_blender):
    outcome = windowed_blender.run_script(
        "click_convert.py", {"preset": "DRAFT"}, window=True, timeout_s=TIMEOUT_S
    ).check()
    assert outcome.result["name"] == "Suzanne Neural"
    assert outcome.result["stood by"]
    assert not outcome.result["problem"]
    assert outcome.result["state"] == "finished"
    assert outcome.result["bytes"] < 18_000  # what the default network may take
