"""Evaluates and marches through the host side: on the fake driver, or on a GPU where NEURAL_IMPLICIT_TEST_GPU asks for it."""

import numpy as np

from engine.cuda import launches
from tests.cuda import fake_driver


def evaluate(weights, points, gradients=False, half=False, time=0.0):
    """Give values (N,), and gradients (N, 3) where wanted."""
    session = fake_driver.session()
    network = launches.DeviceNetwork(session, weights, time)
    values, slopes = launches.evaluate(session, network, points, gradients, half)
    return (values, slopes) if gradients else values


def march(weights, grid, origins, directions, t_min, t_max, any_hit=False, half_error=None):
    """Give t (N,) of rays in unit space, and how many values were taken in full and half precision, and of how many rays."""
    session, half = fake_driver.session(), half_error is not None
    network = launches.DeviceNetwork(session, weights)
    on_device = launches.DeviceGrid(session, grid, half_error if half else 0.0)
    rays = launches.upload_rays(session, origins, directions, t_min, t_max)
    t_hit, counts = session.empty(8 * rays.count), session.zeros(24)
    launches.march(session, network, on_device, rays, t_hit, any_hit, half, counts=counts)
    return (
        session.download(t_hit, (rays.count,), np.float64),
        session.download(counts, (3,), np.uint64),
    )
