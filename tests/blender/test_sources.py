"""What converts, and the sentence for what does not."""

import pytest


@pytest.fixture
def result(blender):
    return blender.run_script("sources.py").check().result


SENTENCES = {  # what each refusal must tell
    "no faces": "has no faces; only 2 loose vertices or edges",
    "loose edges": "has no faces; only 2 loose vertices or edges",
    "empty": "has no faces; it is empty",
    "zero scale": "has a scale of zero",
    "not a number": "has 1 vertices whose coordinates are not finite numbers",
    "infinite": "has 1 vertices whose coordinates are not finite numbers",
    "line": "has no faces. Give it an extrusion, a bevel depth",
    "camera": "is of type camera, which has no surface",
}


def test_every_kind_of_surface_is_read_and_every_fault_has_its_sentence(result):
    accepted = result["accepted"]
    for name, surface in accepted.items():
        assert surface["triangles"] > 0, name
        assert surface["dtypes"] == ["float64", "int32"], name
    assert accepted["cube"]["area"] == pytest.approx(24.0)  # in object space: the scale is not in it
    assert accepted["subdivided"]["triangles"] == 6 * 4**2 * 2
    assert accepted["edited"]["triangles"] == 10
    assert accepted["two materials"]["slot"] == 1
    # float32 holds 7 digits
    assert accepted["huge"]["area"] == pytest.approx(0.5e16, rel=1e-6)
    assert accepted["tiny"]["area"] == pytest.approx(0.5e-16, rel=1e-6)
    for name, sentence in SENTENCES.items():
        assert sentence in result["refused"][name], name
    for name, cut in result["cuts"].items():
        assert cut["same"], name
        assert cut["cut here"] == (name != "large"), name
    assert result["million"]["triangles"] == 2 * 708**2
    assert "Nothing is selected" in result["nothing selected"]
    assert "is of type camera" in result["camera"]
