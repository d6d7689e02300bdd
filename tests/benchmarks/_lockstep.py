"""The paper's renderer restated: lock-step sphere tracing, layer by layer, with compaction after each step.

Written from the description in docs (no code of the paper's): all rays that are left take one step of f at a time until
|f| < 1e-6 or they leave the domain, at most 6,000 steps; each layer is one matrix product over all of them.
"""

from __future__ import annotations

import numpy as np
import torch

EPSILON = 1e-6
MOST_STEPS = 6000


def network(weights):
    """The field as a function of a tensor (N, 3)."""
    from engine.fitting.torch_network import ACTIVATIONS

    layers = [
        (torch.from_numpy(w.T.copy()), torch.from_numpy(b)) for w, b in zip(weights.weights, weights.biases)
    ]
    activation = ACTIVATIONS[weights.architecture.activation]

    def value(points):
        hidden = points
        for k, (matrix, bias) in enumerate(layers):
            hidden = torch.addmm(bias, hidden, matrix)
            if k < len(layers) - 1:
                hidden = activation(hidden)
        return hidden[:, 0]

    return value


def trace(weights, origins, directions, lengths):
    """First hits of rays with unit directions that start at the domain: t (N,), inf on a miss, and evaluations."""
    value = network(weights)
    start = torch.from_numpy(origins.astype(np.float32))
    toward = torch.from_numpy(directions.astype(np.float32))
    ends = torch.from_numpy(lengths.astype(np.float32))
    t, left = torch.zeros(len(origins)), torch.arange(len(origins))
    t_hit, evaluations = torch.full((len(origins),), float("inf")), 0
    with torch.inference_mode():
        for _ in range(MOST_STEPS):
            if not len(left):
                break
            f = value(start[left] + t[left, None] * toward[left])
            evaluations += len(left)
            done = f.abs() < EPSILON
            t_hit[left[done]] = t[left[done]]
            t[left] += f
            left = left[~done & (t[left] <= ends[left]) & (t[left] >= 0.0)]
    return t_hit.numpy(), evaluations


def normals(weights, points):
    """Normals by four more evaluations at the corners of a tetrahedron, 1e-4 away."""
    value = network(weights)
    corners = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    places = torch.from_numpy(points.astype(np.float32))
    with torch.inference_mode():
        total = sum(value(places + 1e-4 * corner)[:, None] * corner for corner in corners)
        return torch.nn.functional.normalize(total, dim=1).numpy()
