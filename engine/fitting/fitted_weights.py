"""Trained parameters as a weights file's content."""

from __future__ import annotations

import numpy as np

from .. import VERSION
from ..network.moving_shapes import at_time
from ..network.parameters import fourier_matrix, split_parameters
from ..network.zero_set_box import zero_set_box
from ..protocol.weights import Description, NeuralWeights, Source
from ..tracing.network_values import NetworkValues
from .fit import FitOptions

BOX_TIMES = tuple(k / 8.0 for k in range(9))  # at which a moving shape is looked at for its box


def neural_weights(
    parameters: np.ndarray, options: FitOptions, source: Source, unit_from_object: np.ndarray
) -> NeuralWeights:
    """Give trained parameters as a weights file's content, without errors yet."""
    matrices, biases = split_parameters(parameters, options.architecture)
    scale = 1.0 if options.training is None else options.training.fourier_scale
    description = Description(
        architecture=options.architecture,
        unit_from_object=tuple(float(x) for x in unit_from_object.ravel()),
        bounds_unit=(-1.0, -1.0, -1.0, 1.0, 1.0, 1.0),
        source=source,
        seed=options.seed,
        software=f"neural-implicit {VERSION}",
    )
    weights = NeuralWeights(
        description=description,
        weights=matrices,
        biases=biases,
        fourier_matrix=fourier_matrix(options.architecture, scale, options.seed),
    )
    times = BOX_TIMES if options.architecture.inputs == 4 else BOX_TIMES[:1]
    boxes = np.stack([zero_set_box(NetworkValues(at_time(weights, time))) for time in times])
    box = (*boxes[:, 0].min(axis=0), *boxes[:, 1].max(axis=0))
    return weights.with_description(bounds_unit=tuple(float(x) for x in box))
