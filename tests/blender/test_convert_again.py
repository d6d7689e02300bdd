"""A changed source converted again by the real engine."""


def test_a_changed_source_is_fitted_from_the_old_weights_in_a_quarter_of_the_steps(blender):
    found = blender.run_script("convert_again.py", timeout_s=600).check().result
    first = found["first"]
    assert all(one["state"] == "finished" for one in found.values())
    assert found["changed"]["steps"] == first["steps"] / 4 and found["changed"]["missed"] == [], found
    assert found["changed"]["error"] < 2.0 * first["error"]
    for name in ("unchanged", "cold", "another network"):
        assert found[name]["steps"] == first["steps"], name
    assert found["another network"]["width"] == 12
