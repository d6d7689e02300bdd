"""Run by test_driver_library.py in a process with the fake driver library: what each fault says; JSON on stdout.

python -m tests.cuda.driver_trials
"""

import json
import logging
import os
import sys

import numpy as np

from engine.cuda.archive import KernelArchive, find_archive
from engine.cuda.bindings_device import BindingsDriver
from engine.cuda.choose import open_session
from engine.errors import DeviceError
from engine.network.field import Field
from engine.tracing.cuda import CudaTracer
from tests.engine.networks import octahedron, random_network
from tests.oracles import rays_towards_origin

SETTINGS = {
    "works": {},
    "driver of another generation": {"DRIVER": 12040},
    "old driver": {"DRIVER": 11040},
    "no device": {"DEVICES": 0},
    "does not start": {"INIT": 100},
    "other library": {"INIT": 803},
    "old chip": {"CAPABILITY": 61},
    "no memory": {"MEMORY": 2000},
    "kernels not taken": {"NO_KERNELS": 1},
}


def opened(preference="", **settings):
    """Open the device in a setting; gives the session, or what is wrong."""
    for name in list(os.environ):
        if name.startswith("FAKE_CUDA_"):
            del os.environ[name]
    os.environ.update({f"FAKE_CUDA_{name}": str(value) for name, value in settings.items()})
    return open_session([BindingsDriver()], preference, lambda: KernelArchive(find_archive()))


def sentence(preference="", **settings):
    try:
        session = opened(preference, **settings)
        CudaTracer(octahedron(), session, grid_resolution=8)
    except DeviceError as error:
        return str(error)
    return f"{session.device.info.name} by {session.device.info.by}"


def numbers():
    """Traces, values and gradients through the package, and what memory is left in use."""
    session, weights = opened(), random_network(activation="hard_gelu", width=20, depth=3, seed=5)
    free = session.device.free_bytes()
    tracer, points = CudaTracer(weights, session), np.random.default_rng(0).uniform(-1.0, 1.0, (500, 3))
    first = session.device.mark()
    value = np.abs(tracer.value(points) - Field(weights).value(points)).max()
    slope = np.abs(tracer.gradient(points) - Field(weights).gradient(points)).max()
    seconds = session.device.seconds_between(first, session.device.mark())
    memory = np.zeros(1 << 20, np.uint8)
    shared = [session.share(memory), session.share(memory)]
    session.release_shared()
    gem = CudaTracer(octahedron(), session)
    rays = (*rays_towards_origin(400), np.zeros(400), np.full(400, 1e9))
    t_hit = gem.trace(*rays)
    hit = np.isfinite(t_hit)
    places = rays[0][hit] + t_hit[hit, None] * rays[1][hit]
    large = session.array(np.arange(1 << 19, dtype=np.float64))  # comes back through page-locked memory
    whole = bool((session.download(large, (1 << 19,), np.float64) == np.arange(1 << 19)).all())
    del tracer, gem, large
    session.pool().trim()
    return {
        "value": float(value),
        "slope": float(slope),
        "seconds": seconds,
        "shared": shared,
        "hits": int(hit.sum()),
        "off": float(np.abs(np.abs(places).sum(axis=1) - 0.7).max()),
        "whole": whole,
        "left": free - session.device.free_bytes(),
    }


def lost():
    """The device is lost at a launch, which is told by a later call; for ever, so this comes last."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    session = opened()
    tracer = CudaTracer(octahedron(), session)
    rays = (*rays_towards_origin(400), np.zeros(400), np.full(400, 1e9))
    before = np.isfinite(tracer.trace(*rays))
    os.environ["FAKE_CUDA_LOST"] = "1"
    after = [np.isfinite(tracer.trace(*rays)) for _ in range(2)]
    return {
        "same": [bool((before == now).all()) for now in after],
        "hits": int(before.sum()),
        "lost": session.lost,
    }


def main():
    found = {name: sentence(**settings) for name, settings in SETTINGS.items()}
    found |= {f"wanted {name}": sentence(name, DEVICES=3) for name in ("2", "gpu 1", "H100")}
    print(json.dumps({"sentences": found, "numbers": numbers(), "lost": lost()}))


if __name__ == "__main__":
    main()
