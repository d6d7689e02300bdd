"""Weights as a NumPy .npz: arrays named as in the weights file, and its description as JSON under `neural_implicit`."""

from __future__ import annotations

import io
import json

import numpy as np

from ..protocol import codec
from ..protocol.weights import METADATA_KEY, NeuralWeights


def to_bytes(weights: NeuralWeights) -> bytes:
    """Give the file's bytes; `numpy.load(..., allow_pickle=False)` reads them."""
    arrays: dict[str, np.ndarray] = {}
    for k, (matrix, bias) in enumerate(zip(weights.weights, weights.biases)):
        arrays[f"layers.{k}.weight"], arrays[f"layers.{k}.bias"] = matrix, bias
    if weights.fourier_matrix is not None:
        arrays["encoding.matrix"] = weights.fourier_matrix
    text = json.dumps(codec.to_plain(weights.description), sort_keys=True)
    arrays[METADATA_KEY] = np.array(text)
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()
