"""A run that begins with the network of a shape that has changed little since, and so needs a part of the steps.

The old network lives in the old shape's unit space. Its first layer takes the change of space in, and its last one the
change of scale, so that it begins as the old shape's field in the new shape's space, without loss.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..errors import OptionError
from ..network.parameters import FloatArray, join_parameters, num_rows
from ..protocol.weights import NeuralWeights
from .fit import FitOptions

STEPS = 0.25  # of the run's own
RATE = 0.25  # of the run's own: at the full rate the old network is lost before it is of use
FEWEST_STEPS = 200


def warm_run(options: FitOptions, old: NeuralWeights, unit_from_object: np.ndarray) -> FitOptions:
    """Give a shorter run that begins with an old network.

    Args:
        options: The run as it would be without; of the old network's architecture.
        old: The network of the shape as it was.
        unit_from_object: (4, 4) of the shape as it is now.

    Raises:
        OptionError: The network cannot be taken over.
    """
    check_start(old)
    steps = min(options.num_steps, max(FEWEST_STEPS, math.ceil(STEPS * options.num_steps)))
    share = steps / options.num_steps
    return replace(
        options,
        start=moved(old, unit_from_object),
        num_steps=steps,
        num_samples=max(options.batch_size, math.ceil(share * options.num_samples)),
        learning_rate=RATE * options.learning_rate,
    )


def check_start(old: NeuralWeights) -> None:
    """Refuse a network that no run can begin with.

    Raises:
        OptionError: It is of another kind than those that are fitted here without settings of their own.
    """
    architecture = old.architecture
    if architecture.inputs != 3 or architecture.encoding != "none" or architecture.skips:
        raise OptionError("Only a network of three inputs without an encoding or skips can be begun with.")
    if architecture.output_activation != "none":
        raise OptionError(
            f"A network whose output passes through {architecture.output_activation} cannot be begun with."
        )


def moved(old: NeuralWeights, unit_from_object: np.ndarray) -> FloatArray:
    """Give the parameters of the old shape's field in another unit space, its values in that space's lengths.

    Args:
        old: The network.
        unit_from_object: (4, 4), a uniform scale and a translation.
    """
    old_from_new = old.unit_from_object @ np.linalg.inv(unit_from_object)
    scale = abs(float(np.linalg.det(old_from_new[:3, :3]))) ** (1.0 / 3.0)
    parameters, rows = join_parameters(old), num_rows(old.architecture)
    first = parameters[0, :, :3].astype(np.float64)
    parameters[0, :, :3] = first @ old_from_new[:3, :3]
    parameters[0, :, rows] += first @ old_from_new[:3, 3]
    parameters[-1] /= scale
    return parameters
