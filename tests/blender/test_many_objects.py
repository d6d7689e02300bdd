"""Two hundred neural objects in a scene of a real window: all are drawn, redraws cost little, and then there is rest.

With NEURAL_IMPLICIT_TIMES=1 the times of our callbacks are printed (`pytest -s`); no test asserts a speed.
"""

import os

import numpy as np

from tests.blender.spot import neural_spot

MANY = 200
COUNT = 60  # redraws of each kind that are timed


def test_two_hundred_objects_are_drawn_and_rest(long_blender):
    arguments = {**neural_spot(long_blender.folder), "count": COUNT}
    outcome = long_blender.run_script("many_objects.py", arguments, window=True, timeout_s=2400).check()
    facts = outcome.result
    if os.environ.get("NEURAL_IMPLICIT_TIMES"):
        print(f"\n{long_blender.name}: {facts['region']} pixels")
        print("\n".join(table(facts)))
    assert facts["shapes"] == MANY
    assert facts["solid idle redraws"] == facts["rendered idle redraws"] == 0
    assert facts["half"] == MANY // 2 and facts["local"] == 1 and facts["again"] == MANY
    assert not facts["rendered idle timer"]


def table(facts):
    for name, times in facts.items():
        if isinstance(times, dict):
            cells = [
                f"{key} p50 {np.median(v):.2f} p99 {np.percentile(v, 99):.2f}" for key, v in times.items()
            ]
            yield f"{name:18} {len(times['wall_ms']):4} calls, " + ", ".join(cells)
