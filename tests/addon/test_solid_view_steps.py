"""The packed step grid: 32 KiB, and no step that it allows crosses the surface."""

import numpy as np
import pytest
from neural_implicit.addon.solid_view.network_values import network_values
from neural_implicit.addon.solid_view.step_bytes import FAR, RESOLUTION, step_bytes
from neural_implicit.engine.protocol.weights import NeuralWeights as AddonWeights

from engine.network.field import Field
from engine.protocol.weights import NeuralWeights
from tests.blender.spot import WEIGHTS
from tests.engine.networks import octahedron, random_network, trained

SIZE = 2.0 / RESOLUTION
SPOT = NeuralWeights.from_bytes(WEIGHTS.read_bytes())

NETWORKS = {
    "spot": lambda: SPOT,
    "ring": lambda: trained("hard_gelu"),
    "octahedron": octahedron,
    "random": lambda: random_network(2, activation="sine", depth=2),
}


@pytest.fixture(params=NETWORKS)
def network(request):
    return NETWORKS[request.param]()


def grid_of(weights):
    return step_bytes(lambda points: network_values(weights, points))


def codes_at(grid, points):
    cell = np.clip(((points + 1.0) / SIZE).astype(int), 0, RESOLUTION - 1)
    return grid.cells[tuple(cell.T)].astype(int), cell


def test_it_has_one_byte_a_cell():
    grid = grid_of(SPOT)
    assert grid.cells.nbytes == 32 * 1024


def test_no_sign_change_lies_where_the_grid_says_far(network):
    grid, field = grid_of(network), Field(network)
    rng = np.random.default_rng(1)
    start = rng.uniform(-1.0, 1.0, (60_000, 3))
    codes, cell = codes_at(grid, start)
    far = codes >= FAR
    away = (codes[far] - FAR)[:, None]
    low, high = (cell[far] - away) * SIZE - 1.0, (cell[far] + away + 1) * SIZE - 1.0
    inside = np.clip(rng.uniform(low, high), -1.0, 1.0)  # anywhere in the block that a ray leaves at once
    same = np.sign(field.value(start[far])) == np.sign(field.value(inside))
    assert same.all()


def test_no_slope_near_the_surface_exceeds_its_bound(network):
    grid, field = grid_of(network), Field(network)
    points = np.random.default_rng(2).uniform(-1.0, 1.0, (60_000, 3))
    codes, _ = codes_at(grid, points)
    near = codes < FAR
    slope = np.linalg.norm(field.gradient(points[near]), axis=1)
    assert (slope <= codes[near] * grid.steepest / 127.0).all()


def test_its_box_holds_the_surface(network):
    grid, field = grid_of(network), Field(network)
    points = np.random.default_rng(3).uniform(-1.0, 1.0, (60_000, 3))
    outside = ((points < grid.box_low) | (points > grid.box_high)).any(axis=1)
    assert len(set(np.sign(field.value(points[outside])))) <= 1


def test_a_field_without_a_surface_has_no_near_cell():
    grid = step_bytes(lambda points: np.full(len(points), 0.5, np.float32))
    assert (grid.cells >= FAR).all()
    assert np.array_equal(grid.box_low, grid.box_high)


def test_weights_are_read_as_the_engine_reads_them():
    same = AddonWeights.from_bytes(WEIGHTS.read_bytes())
    assert np.array_equal(grid_of(same).cells, grid_of(SPOT).cells)
