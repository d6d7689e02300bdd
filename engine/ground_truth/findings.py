"""What the sign doctor found and did, in sentences for the user."""

from __future__ import annotations

from typing import Any


def finding_texts(findings: dict[str, Any], scale: float) -> tuple[str, ...]:
    """Give a sentence for each finding that changes the shape; `scale` is unit lengths in one object length."""
    counted = {
        "doubled_faces": "{} faces were there twice; one of each was kept.",
        "turned_faces": "{} faces pointed the wrong way and were turned over.",
        "turned_parts": "{} parts were inside out and were turned over.",
        "buried_faces": "{} faces lie inside the solid and were left out.",
    }
    texts = [text.format(findings[name]) for name, text in counted.items() if findings.get(name)]
    thickness = f"{2.0 * findings['shell_half_thickness_unit'] / scale:.4g}"
    advice = "Close it, or add a Solidify modifier, to choose your own."
    if findings["sign_rule"] == "shell":
        return (
            *texts,
            f"The surface encloses no volume, so it was given a thickness of {thickness}. {advice}",
        )
    if findings["sheet_faces"]:
        texts.append(
            f"Parts of {findings['sheet_faces']} faces enclose no volume, so they were given a thickness of "
            f"{thickness}. Add a Solidify modifier to choose your own."
        )
    if findings["smooth_lids"] or findings["flat_lids"]:
        texts.append(
            f"The surface has {findings['open_edges']} open edges; {findings['smooth_lids']} holes were closed by "
            f"carrying the surface on, {findings['flat_lids']} by flat lids."
        )
    elif findings["open_edges"] or findings["loops_left_open"]:
        texts.append(
            f"The surface has {findings['open_edges']} open edges; its holes were closed by the winding number."
        )
    return tuple(texts)
