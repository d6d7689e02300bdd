"""What is tried after what: seeds for accidents, room for shapes that need it, and the best of all at the end."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from engine.conversion.aims import collapsed, shortfalls
from engine.conversion.attempts import fit_until_good, notes_of
from engine.conversion.network_search import LADDER, LadderSearch, best_within, shortened
from engine.errors import OptionError
from engine.fitting.fit import FitOptions
from engine.ground_truth.sign_doctor import examine
from engine.measuring.field_errors import LOST_DISTANCE, MeasureOptions, measure_errors
from engine.protocol.weights import Architecture
from engine.tracing.network_values import NetworkValues
from tests.engine.networks import plane_network
from tests.engine.shapes import from_trimesh, sphere, unit

GOOD = {
    "inside_share": 0.3, "surface_lost": 0.0, "iou": 0.99, "iou_num_inside": 3e4, "missing_parts": 0.0,
    "floating_parts": 0.0, "surface_mean": 0.001,
}  # fmt: skip
RUN = FitOptions(architecture=Architecture(activation="gelu"))


def scripted(*results):
    """A fit whose errors are given; remembers what it was asked for."""
    asked, left = [], list(results)

    def fit_and_measure(run):
        asked.append((run.seed, run.architecture.width))
        return None, GOOD | left.pop(0)

    return fit_and_measure, asked


def test_a_good_fit_is_not_repeated():
    fit, asked = scripted({})
    best, attempts = fit_until_good(RUN, fit, may_grow=True)
    assert asked == [(0, 32)] and best.missed == () and notes_of(best, attempts) == []


def test_lost_surface_asks_for_a_wider_network_and_says_so():
    fit, asked = scripted({"surface_lost": 0.05}, {})
    best, attempts = fit_until_good(RUN, fit, may_grow=True)
    assert asked == [(0, 32), (0, 48)] and best is attempts[1]
    (note,) = notes_of(best, attempts)
    assert "32 units" in note and "given 48" in note


def test_an_accident_asks_for_another_seed_first_and_then_for_room():
    fit, asked = scripted({"floating_parts": 1.0}, {"floating_parts": 2.0}, {})
    fit_until_good(RUN, fit, may_grow=True)
    assert len({seed for seed, _ in asked[:2]}) == 2 and [width for _, width in asked] == [32, 32, 48]


def test_a_network_of_a_given_size_keeps_it():
    fit, asked = scripted({"surface_lost": 0.05}, {"surface_lost": 0.03})
    best, attempts = fit_until_good(RUN, fit, may_grow=False)
    assert [width for _, width in asked] == [32, 32] and len({seed for seed, _ in asked}) == 2
    assert best is attempts[1] and best.missed[0].name == "lost"
    assert "missing or more than 1 % off" in notes_of(best, attempts)[-1]


def test_a_quick_look_is_repeated_only_where_it_collapsed():
    fit, asked = scripted({"surface_lost": 0.02})
    best, attempts = fit_until_good(RUN, fit, may_grow=True, quick=True)
    assert len(asked) == 1 and best.missed[0].name == "lost"
    fit, asked = scripted({"surface_lost": 0.9}, {"surface_lost": 0.02})
    best, attempts = fit_until_good(RUN, fit, may_grow=True, quick=True)
    assert len(asked) == 2 and best is attempts[1]


def test_what_misses_to_the_end_is_the_best_of_all_tries():
    bad = [{"surface_lost": 0.03}, {"surface_lost": 0.02}, {"surface_lost": 0.04}]
    fit, asked = scripted(*bad, {"surface_lost": 0.05})
    best, attempts = fit_until_good(RUN, fit, may_grow=True)
    assert [width for _, width in asked] == [32, 48, 64, 64] and best is attempts[1]


@pytest.mark.parametrize(
    ("errors", "name"),
    [
        ({"surface_lost": 0.011}, "lost"),
        ({"iou": 0.94}, "overlap"),
        ({"missing_parts": 1.0}, "missing_parts"),
        ({"floating_parts": 1.0}, "floating_parts"),
        ({"surface_mean": 0.0021}, "tolerance"),
    ],
)
def test_every_aim_is_missed_by_its_name(errors, name):
    assert [one.name for one in shortfalls(GOOD | errors, tolerance=0.002)] == [name]


def test_an_overlap_counted_at_few_places_is_no_aim():
    assert shortfalls(GOOD | {"iou": 0.5, "iou_num_inside": 99.0}) == []  # nothing but noise
    assert [found.name for found in shortfalls(GOOD | {"iou": 0.9, "iou_num_inside": 100.0})] == ["overlap"]


def test_a_field_without_a_zero_set_has_lost_everything_however_small_its_values():
    """|f| below the limit everywhere is no surface: what counts is a change of sign."""
    truth = examine(unit(sphere(2))).truth
    network = plane_network((0.0, 0.0, 0.0), 0.5 * LOST_DISTANCE)
    errors = measure_errors(NetworkValues(network), truth, MeasureOptions(num_points=5000, grid_resolution=8))
    assert errors["surface_mean"] < LOST_DISTANCE and errors["surface_lost"] == 1.0 and collapsed(errors)


def test_a_part_of_the_source_that_is_not_there_is_counted():
    """A network that is the plane through a plate's middle, beside which a small ball floats."""
    far = trimesh.creation.icosphere(2, radius=0.05)
    far.apply_translation([0.0, 0.0, -1.0])
    plate = trimesh.creation.box((2.0, 2.0, 0.01))
    truth = examine(unit(from_trimesh(trimesh.util.concatenate([plate, far])))).truth
    network = plane_network((0.0, 0.0, 1.0), -float(truth.mesh.vertices[:8, 2].mean()))
    errors = measure_errors(NetworkValues(network), truth, MeasureOptions(num_points=5000, grid_resolution=8))
    assert errors["missing_parts"] == 1.0 and 0.0 < errors["surface_lost"] < 0.1


def law(run):
    """Errors that fall as a power of the parameters, and with the steps."""
    return 20.0 * run.architecture.num_parameters() ** -0.9 * (RUN.num_steps / run.num_steps) ** 0.4


@pytest.mark.parametrize("tolerance", [0.1, 0.03, 0.012, 0.004])
def test_the_ladder_ends_at_the_smallest_network_that_meets_the_tolerance(tolerance):
    search, tried = LadderSearch(RUN, tolerance, law), {}
    while (run := search.next()) is not None:
        tried[run.architecture] = law(run)
        search.tell(run.architecture, tried[run.architecture])
    rungs = [replace(RUN.architecture, width=w, depth=d) for w, d in LADDER]
    smallest = next(rung for rung in rungs if law(replace(RUN, architecture=rung)) <= tolerance)
    assert smallest in tried and len(tried) <= 4
    below = rungs[max(rungs.index(smallest) - 1, 0)]
    assert below in tried or below == smallest


def test_a_ladder_whose_short_fits_mislead_is_climbed_to_its_smallest_all_the_same():
    """Full fits gain far more where the network is large than the short ones said."""

    def full(run):
        return 8.0 * run.architecture.num_parameters() ** -1.2

    search, tried = LadderSearch(RUN, 0.0012, lambda run: run.architecture.num_parameters() ** -0.4), {}
    while (run := search.next()) is not None:
        tried[run.architecture] = full(run)
        search.tell(run.architecture, tried[run.architecture])
    rungs = [replace(RUN.architecture, width=w, depth=d) for w, d in LADDER]
    smallest = next(k for k, rung in enumerate(rungs) if full(replace(RUN, architecture=rung)) <= 0.0012)
    assert {rungs[smallest], rungs[smallest - 1]} <= set(tried)


def test_a_tolerance_that_nothing_meets_ends_at_the_largest():
    search, tried = LadderSearch(RUN, 1e-9, law), []
    while (run := search.next()) is not None:
        tried.append((run.architecture.width, run.architecture.depth))
        search.tell(run.architecture, law(run))
    assert tried == [LADDER[-1]]


def test_a_size_is_filled_by_the_network_that_wins():
    best = best_within(
        RUN, 8192, lambda a: 2300 + 2 * a.num_parameters(), lambda run: 1.0 / run.architecture.depth
    )
    size = 2300 + 2 * best.architecture.num_parameters()
    assert 0.8 * 8192 < size <= 8192 and best.num_steps == RUN.num_steps
    with pytest.raises(OptionError, match="smallest takes"):
        best_within(RUN, 1000, lambda a: 2300, law)


def test_a_short_run_is_a_tenth_and_never_longer_than_the_whole():
    assert shortened(RUN).num_steps == RUN.num_steps // 10
    assert shortened(replace(RUN, num_steps=50)).num_steps == 50


def test_seeds_of_tries_differ():
    fit, asked = scripted(*[{"inside_share": 0.0, "surface_lost": 1.0}] * 4)
    fit_until_good(RUN, fit, may_grow=False)
    assert len(asked) == 3 and len({seed for seed, _ in asked}) == 3
    assert np.all(np.diff([seed for seed, _ in asked]) > 0)
