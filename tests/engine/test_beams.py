"""Rays that set out together must not be led past the surface, and must come to the hits that each would find alone."""

from __future__ import annotations

import numpy as np
import pytest

from engine.rendering.pixel_order import pixel_order
from engine.tracing.beams import BEAM, start_beams
from engine.tracing.cpu import CpuTracer
from tests.engine.networks import octahedron, random_network


def started(grid, origins, directions):
    """Where the beams of rays (N, 3) end, and the sign up to there."""
    count = len(origins)
    starts, signs = np.zeros(count), np.zeros(count)
    ends = np.full(count, np.inf)
    start_beams(grid, origins, directions, np.zeros(count), ends, starts, signs, np.zeros((4, 3)))
    return starts, signs


def block_of_rays(side, eye, spread, seed):
    """Rays of a picture of side x side pixels, in the order in which pixels are drawn."""
    rng = np.random.default_rng([seed, 1])
    forward = -np.asarray(eye) / np.linalg.norm(eye)
    right = np.cross(forward, rng.standard_normal(3))
    right /= np.linalg.norm(right)
    column, row = pixel_order(side, side)
    u, v = (2.0 * (a + 0.5) / side - 1.0 for a in (column, row))
    toward = forward + spread * (u[:, None] * right + v[:, None] * np.cross(right, forward))
    return np.tile(eye, (len(u), 1)).astype(np.float64), toward


@pytest.mark.parametrize("eye", [(0.3, 0.4, 2.6), (-3.0, 0.2, 0.1), (0.9, -0.95, 0.98), (0.0, 0.0, 0.05)])
def test_beams_change_no_hit(eye):
    for network in (octahedron(0.6), random_network(width=16, depth=3, activation="gelu", seed=3)):
        tracer = CpuTracer(network)
        origins, directions = block_of_rays(64, eye, 0.4, seed=1)
        ends = np.full(len(origins), np.inf)
        together = tracer.trace(origins, directions, np.zeros(len(origins)), ends)
        mixed = np.random.default_rng(2).permutation(len(origins))  # no two neighbours follow each other
        alone = np.empty(len(origins))
        alone[mixed] = tracer.trace(origins[mixed], directions[mixed], np.zeros(len(origins)), ends)
        np.testing.assert_allclose(together, alone, atol=2e-6)


@pytest.mark.parametrize("seed", range(4))
def test_the_way_of_a_beam_is_free_and_has_one_sign(seed):
    tracer = CpuTracer(octahedron(0.5))
    eye = np.random.default_rng(seed).standard_normal(3)
    eye *= (0.2 if seed == 3 else 3.0) / np.linalg.norm(eye)  # the last one inside
    origins, directions = block_of_rays(64, eye, 0.1, seed)
    starts, signs = started(tracer.grid, origins, directions)
    led = np.flatnonzero(signs != 0.0)
    assert len(led) > 100
    for share in np.linspace(0.0, 1.0, 33):
        places = origins[led] + (share * np.minimum(starts[led], 8.0))[:, None] * directions[led]
        inside = np.abs(places).max(axis=1) <= 1.0
        assert (np.sign(tracer.value(places[inside])) == signs[led][inside]).all()


def test_beams_end_near_the_surface_and_past_it():
    tracer = CpuTracer(octahedron(0.5))
    origins, directions = block_of_rays(256, (0.4, 0.5, 3.0), 0.3, seed=0)
    starts, _ = started(tracer.grid, origins, directions)
    hits = tracer.trace(origins, directions, np.zeros(len(origins)), np.full(len(origins), np.inf))
    met = np.isfinite(hits)
    assert (starts[met] <= hits[met]).all()
    assert np.median(hits[met] - starts[met]) < 0.2  # six cells
    # most of those that pass the surface by were seen to do so
    leave = np.abs(origins + starts[:, None] * directions).max(axis=1) >= 1.0
    assert (leave | ~np.isfinite(starts))[~met].mean() > 0.5


def test_rays_without_a_common_way_are_left_alone():
    tracer = CpuTracer(octahedron(0.5))
    rng = np.random.default_rng(0)
    origins = rng.uniform(-1.0, 1.0, (BEAM, 3))
    directions = rng.standard_normal((BEAM, 3))
    directions[0] = 0.0  # no direction at all
    directions[1] = np.nan
    starts, signs = started(tracer.grid, origins, directions)
    assert not signs.any()
    assert (starts[2:] == 0.0).all()


@pytest.mark.parametrize("width, height", [(1, 1), (5, 3), (64, 64), (100, 37)])
def test_pixels_come_in_squares_and_all_of_them(width, height):
    column, row = pixel_order(width, height)
    np.testing.assert_array_equal(np.sort(row * width + column), np.arange(width * height))
    if width == height == 64:
        for start in range(0, 4096, 16):
            part = slice(start, start + 16)
            assert np.ptp(column[part]) == np.ptp(row[part]) == 3
