"""Small real networks for tests: exact ones made by hand, random ones, and one trained on a shape with thin parts."""

from __future__ import annotations

import functools
from typing import get_args

import numpy as np

from engine.protocol.weights import Activation, Architecture, Description, NeuralWeights

IDENTITY = tuple(float(x) for x in np.eye(4).ravel())
ACTIVATIONS: tuple[str, ...] = get_args(Activation)
BOX = (-1.0, -1.0, -1.0, 1.0, 1.0, 1.0)


def from_arrays(architecture, weights, biases, fourier=None):
    description = Description(architecture=architecture, unit_from_object=IDENTITY, bounds_unit=BOX)
    return NeuralWeights(
        description=description,
        weights=tuple(np.asarray(w, np.float32) for w in weights),
        biases=tuple(np.asarray(b, np.float32) for b in biases),
        fourier_matrix=fourier,
    )


def octahedron(size=0.7):
    """|x| + |y| + |z| - size, exactly, as one ReLU layer of six."""
    first = np.concatenate([np.eye(3), -np.eye(3)])
    return from_arrays(
        Architecture(width=6, depth=1), [first, np.ones((1, 6))], [np.zeros(6), np.array([-size])]
    )


def random_network(seed=0, width=16, depth=3, activation="relu", scale=1.6, **options):
    architecture = Architecture(width=width, depth=depth, activation=activation, **options)
    rng = np.random.default_rng(seed)
    shapes = architecture.layer_shapes()
    weights = [rng.normal(size=shape) * scale / np.sqrt(shape[1]) for shape in shapes]
    biases = [rng.normal(size=shape[0]) * 0.2 for shape in shapes]
    fourier = None
    if architecture.encoding == "fourier":
        fourier = rng.normal(size=(architecture.fourier_features, architecture.inputs)).astype(np.float32)
    return from_arrays(architecture, weights, biases, fourier)


@functools.cache
def trained(activation="relu"):
    """A network fitted to a ring with a thin plate and a needle through it."""
    import trimesh

    from engine.fitting.fit import FitOptions, fit
    from engine.fitting.hard_samples import HardOptions
    from engine.ground_truth.mesh import Mesh, check_mesh, to_unit
    from engine.ground_truth.sign_doctor import examine
    from engine.network.parameters import split_parameters

    parts = [
        trimesh.creation.torus(0.7, 0.12),
        trimesh.creation.box((1.2, 0.9, 0.04)),
        trimesh.creation.cylinder(0.025, 1.6),
    ]
    whole = trimesh.util.concatenate(parts)
    mesh = check_mesh(Mesh(name="ring", vertices=np.array(whole.vertices), faces=np.array(whole.faces)))
    options = FitOptions(
        architecture=Architecture(width=32, depth=4, activation=activation),
        num_steps=300,
        batch_size=4096,
        num_samples=1 << 17,
        hard=HardOptions(share=0.0),  # so short a run has first to find the surface
    )
    parameters = fit(examine(to_unit(mesh), None).truth, options, lambda state: None)
    weights, biases = split_parameters(parameters, options.architecture)
    return from_arrays(options.architecture, weights, biases)


def plane_network(normal, offset):
    """normal . x + offset, exactly, as one ReLU layer of four."""
    row = np.asarray(normal, np.float32)
    first = np.stack([row, -row, 0.0 * row, 0.0 * row])
    last = np.array([[1.0, -1.0, 0.0, 0.0]])
    return from_arrays(Architecture(width=4, depth=1), [first, last], [np.zeros(4), np.array([offset])])
