"""The paper's training restated in torch, to compare with: its network, sampler, optimiser and schedule.

8 x 32 ReLU units and a tanh; 10 % of uniform points drawn with replacement by weight exp(-60 |d|); L1; Adam 1e-3, batches
of 2,048, 100 epochs over as many samples as there are, the rate times 0.8 where 30 epochs bring nothing. The weights
are torch's own initialisation.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import nn

UNIFORM_PER_SAMPLE = 10
IMPORTANCE = 60.0
BATCH, EPOCHS, RATE, DECAY, PATIENCE = 2048, 100, 1e-3, 0.8, 30


def importance_samples(truth, count, seed=0):
    """Points (count, 3) and distances (count,) by the paper's sampler, and the seconds their distances took."""
    rng = np.random.default_rng(seed)
    start = time.perf_counter()
    points = rng.uniform(-1.0, 1.0, (count * UNIFORM_PER_SAMPLE, 3)).astype(np.float32)
    distances = truth.signed_distance(points)
    weight = np.exp(-IMPORTANCE * np.abs(distances.astype(np.float64)))
    chosen = rng.choice(len(points), count, p=weight / weight.sum())
    return points[chosen], distances[chosen], time.perf_counter() - start


def network():
    """The paper's network."""
    torch.manual_seed(0)
    layers, fan_in = [], 3
    for _ in range(8):
        layers += [nn.Linear(fan_in, 32), nn.ReLU()]
        fan_in = 32
    return nn.Sequential(*layers, nn.Linear(32, 1), nn.Tanh())


def curve(truth, error_of, count, limit_s, looks=25):
    """Give (seconds, error) over one training of at most `limit_s` seconds, ground truth included."""
    points, distances, spent = importance_samples(truth, count)
    x, d = torch.from_numpy(points), torch.from_numpy(distances)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=DECAY, patience=PATIENCE)
    generator, figures = torch.Generator().manual_seed(0), []
    for epoch in range(EPOCHS):
        start, total = time.perf_counter(), 0.0
        for rows in torch.randperm(count, generator=generator).split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            loss = (model(x[rows])[:, 0] - d[rows]).abs().mean()
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(rows)
        schedule.step(total / count)
        spent += time.perf_counter() - start
        if epoch % max(1, EPOCHS // looks) == 0 or spent > limit_s or epoch + 1 == EPOCHS:
            figures.append((spent, error_of(lambda p: model(p)[:, 0])))
        if spent > limit_s:
            break
    return figures
