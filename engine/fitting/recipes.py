"""Trainings by name: settings of `training_settings` that the command line's own override.

The paper's repository names two experiments, 10 layers of 256 at batches of 512 and 8,152, and its README's defaults make
8 layers of 32. Where it leaves Keras' defaults, so do these: Adam at 1e-3, decay 0.8 after 30 epochs without a gain.
"""

from __future__ import annotations

from typing import Any

PAPER: dict[str, Any] = {
    "activation": "relu",
    "output_activation": "tanh",
    "sampling": "importance",
    "importance_weight": 60.0,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "schedule": "plateau",
    "epoch_length": 1_000_000,
}
IMPELLER: dict[str, Any] = PAPER | {
    "width": 256,
    "depth": 10,
    "loss": "l2",
    "epochs": 6,
    "validate": 128,
    "reconstruct": 256,
    "precision": "float32",
}
RECIPES: dict[str, dict[str, Any]] = {
    "paper": PAPER | {"width": 32, "depth": 8, "loss": "l1", "batch": 2048, "epochs": 100, "validate": 32},
    "paper-512": IMPELLER | {"batch": 512},
    "paper-8152": IMPELLER | {"batch": 8152},
}
