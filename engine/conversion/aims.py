"""What every conversion must reach, whatever its preset, and what it is called when it does not."""

from __future__ import annotations

from dataclasses import dataclass

COLLAPSED_LOST = 0.5  # share of the surface that is lost
AIM_LOST = 0.01
AIM_IOU = 0.95
FEWEST_INSIDE = 100  # of the places at which the overlap is counted; fewer tell nothing
REMEDY = "Use the preset fine or a wider network."


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """An aim that was missed."""

    name: str  # "lost", "overlap", "missing_parts", "floating_parts", "tolerance"
    text: str  # a sentence with a remedy
    by: float  # how far off, 0 is met: to compare tries


def empty(errors: dict[str, float]) -> bool:
    """Whether a network has no zero set: neither on a grid, which a thin shape slips through, nor at the source."""
    return errors["inside_share"] == 0.0 and errors["surface_lost"] == 1.0


def collapsed(errors: dict[str, float]) -> bool:
    """Whether a network is (nearly) constant, or has lost most of the surface."""
    return errors["surface_lost"] > COLLAPSED_LOST


def shortfalls(errors: dict[str, float], tolerance: float | None = None) -> list[Shortfall]:
    """Give the aims that a network with these errors misses; `tolerance` is of the mean surface error."""
    found = []
    lost, iou = errors["surface_lost"], errors["iou"]
    if lost > AIM_LOST:
        text = f"{100 * lost:.1f} % of the surface is missing or more than 1 % off. {REMEDY}"
        found.append(Shortfall(name="lost", text=text, by=lost / AIM_LOST - 1.0))
    if iou < AIM_IOU and errors["iou_num_inside"] >= FEWEST_INSIDE:
        text = f"The overlap with the source is only {iou:.3f}. {REMEDY}"
        found.append(Shortfall(name="overlap", text=text, by=(AIM_IOU - iou) / (1.0 - AIM_IOU)))
    if errors["missing_parts"] > 0:
        text = f"{int(errors['missing_parts'])} parts of the source are missing. {REMEDY}"
        found.append(Shortfall(name="missing_parts", text=text, by=errors["missing_parts"]))
    if errors["floating_parts"] > 0:
        text = f"{int(errors['floating_parts'])} floating parts have no counterpart in the source. Try another seed."
        found.append(Shortfall(name="floating_parts", text=text, by=errors["floating_parts"]))
    if tolerance is not None and errors["surface_mean"] > tolerance:
        text = (
            f"The mean surface error is {errors['surface_mean']:.4g}, not {tolerance:.4g} (unit space). "
            "Use a preset that trains longer, or a larger tolerance."
        )
        by = errors["surface_mean"] / tolerance - 1.0
        found.append(Shortfall(name="tolerance", text=text, by=by))
    return found
