"""A weight-encoded shape and its file: the only thing that passes from fitting to tracing.

`NAME.safetensors` holds tensors `layers.K.weight` (out, in) and `layers.K.bias` (out,), float32 or float16,
for a Fourier encoding `encoding.matrix` (F, inputs), and one metadata entry `neural_implicit`, a JSON object.
The network is

    h = encode(x);  h = activation(W_k h + b_k), with h extended by encode(x) before each layer in `skips`;
    f = output_activation(W_last h + b_last)

in unit space, negative inside. Scales inside an activation (sine's frequency, softplus' beta) are folded into the
weights, so an activation has no parameters. Nothing in the file depends on when, where or how fast it was made.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import OutputError, ProtocolError, WeightsFileError
from . import codec, safetensors_file

FORMAT_VERSION = 1
METADATA_KEY = "neural_implicit"
MAX_WIDTH = 4096
MAX_DEPTH = 64
MAX_FILE_BYTES = 1 << 30

Activation = Literal[
    "relu", "leaky_relu", "elu", "softplus", "tanh", "sigmoid", "sine", "silu", "gelu", "hard_gelu"
]
OutputActivation = Literal["none", "tanh"]
# relu max(z,0); leaky_relu slope 0.01; elu exp(z)-1 below 0; softplus log(1+exp z); sine sin z; silu z*sigmoid(z);
# gelu z*(1+erf(z/sqrt 2))/2; hard_gelu z*(1/2+u*(15-10u^2+3u^4)/16)
# with u = min(max(2z/5,-1),1): 0 below -2.5, z above 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Shape of the network."""

    inputs: int = 3  # 4: x, y, z, t
    width: int = 32
    depth: int = 8  # hidden layers
    activation: Activation = "relu"
    output_activation: OutputActivation = "none"
    skips: tuple[int, ...] = ()  # hidden layers (1 to depth - 1) that see the encoded input again
    encoding: Literal["none", "fourier"] = "none"
    fourier_features: int = 0  # F: the encoded input is x, sin(2 pi B x), cos(2 pi B x), of size inputs + 2 F

    @property
    def encoded_size(self) -> int:
        """Length of the encoded input."""
        return self.inputs + 2 * self.fourier_features

    def layer_shapes(self) -> list[tuple[int, int]]:
        """Give (out, in) of each layer, the last one included."""
        shapes = []
        for k in range(self.depth + 1):
            fan_in = (
                self.encoded_size if k == 0 else self.width + (self.encoded_size if k in self.skips else 0)
            )
            shapes.append((self.width if k < self.depth else 1, fan_in))
        return shapes

    def num_parameters(self) -> int:
        """Count weights and biases."""
        return sum(out * (fan_in + 1) for out, fan_in in self.layer_shapes())


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What the shape was fitted to."""

    name: str = ""
    sha256: str = ""  # of the triangles: float64 vertices, then int64 faces, little-endian
    num_vertices: int = 0
    num_faces: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """The JSON object in the file's metadata."""

    format_version: int = FORMAT_VERSION
    architecture: Architecture
    unit_from_object: tuple[float, ...]  # 16 numbers, row-major: uniform scale and translation
    bounds_unit: tuple[float, ...]  # 6 numbers, low x y z then high x y z: box of the zero set
    source: Source = field(default_factory=Source)
    seed: int = 0
    errors: dict[str, float] = field(default_factory=dict)
    software: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NeuralWeights:
    """A network that encodes a signed distance field."""

    description: Description
    weights: tuple[np.ndarray, ...]  # (out, in) float32, layer by layer
    biases: tuple[np.ndarray, ...]  # (out,) float32
    fourier_matrix: np.ndarray | None = None  # (F, inputs) float32
    float16: bool = False  # stored in half precision

    @property
    def architecture(self) -> Architecture:
        """Shape of the network."""
        return self.description.architecture

    @property
    def unit_from_object(self) -> np.ndarray:
        """Matrix (4, 4) float64 from object space to unit space."""
        return np.array(self.description.unit_from_object, np.float64).reshape(4, 4)

    @property
    def bounds_unit(self) -> np.ndarray:
        """Box (2, 3) float64 of the zero set in unit space, low then high."""
        return np.array(self.description.bounds_unit, np.float64).reshape(2, 3)

    def to_bytes(self) -> bytes:
        """Give the file's bytes."""
        dtype = np.float16 if self.float16 else np.float32
        tensors = {}
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases)):
            tensors[f"layers.{k}.weight"] = weight.astype(dtype)
            tensors[f"layers.{k}.bias"] = bias.astype(dtype)
        if self.fourier_matrix is not None:
            tensors["encoding.matrix"] = self.fourier_matrix.astype(np.float32)
        text = json.dumps(codec.to_plain(self.description), separators=(",", ":"), sort_keys=True)
        return safetensors_file.pack(tensors, {METADATA_KEY: text})

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "the weights") -> NeuralWeights:
        """Read a file's bytes.

        Raises:
            WeightsFileError: The bytes are damaged, hostile, of another kind or of a newer version.
        """
        tensors, metadata = safetensors_file.unpack(data, name)
        description = _read_description(metadata, name)
        weights, biases = [], []
        for k, (out, fan_in) in enumerate(description.architecture.layer_shapes()):
            weights.append(_take(tensors, f"layers.{k}.weight", (out, fan_in), name))
            biases.append(_take(tensors, f"layers.{k}.bias", (out,), name))
        arch = description.architecture
        matrix_shape = (arch.fourier_features, arch.inputs)
        fourier = (
            _take(tensors, "encoding.matrix", matrix_shape, name) if arch.encoding == "fourier" else None
        )
        halves = tensors["layers.0.weight"].dtype == np.float16
        return cls(
            description=description,
            weights=tuple(weights),
            biases=tuple(biases),
            fourier_matrix=fourier,
            float16=halves,
        )

    @classmethod
    def load(cls, path: Path) -> NeuralWeights:
        """Read a file.

        Raises:
            WeightsFileError: It is missing or cannot be understood.
        """
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise WeightsFileError(
                    f"{path.name} is larger than a network can be ({path.stat().st_size} bytes)."
                )
            data = path.read_bytes()
        except OSError as error:
            raise WeightsFileError(f"{path} cannot be read: {error.strerror}. Check the path.") from error
        return cls.from_bytes(data, path.name)

    def save(self, path: Path) -> int:
        """Write the file in one step, so that nobody ever sees half of it; give its size in bytes.

        Raises:
            OutputError: The folder is not writable or the disk is full; an older file stays whole.
        """
        data = self.to_bytes()
        write_atomically(path, data)
        return len(data)

    def with_description(self, **changes: Any) -> NeuralWeights:
        """Give a copy with some fields of the description changed."""
        return dataclasses.replace(self, description=dataclasses.replace(self.description, **changes))


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file in one step: write beside it, flush to the disk, rename.

    Raises:
        OutputError: It could not be written; an older file stays whole.
    """
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)  # mkstemp makes private files
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise OutputError(
            f"{path} cannot be written: {error.strerror}. Choose another folder or free some space."
        ) from error


def _read_description(metadata: dict[str, str], name: str) -> Description:
    if METADATA_KEY not in metadata:
        raise WeightsFileError(
            f"{name} is a safetensors file, but not of a neural implicit (no {METADATA_KEY!r} entry)."
        )
    try:
        plain = json.loads(metadata[METADATA_KEY])
    except (ValueError, RecursionError) as error:
        raise WeightsFileError(f"{name} has a description that cannot be read: {error}.") from error
    version = plain.get("format_version") if isinstance(plain, dict) else None
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise WeightsFileError(
            f"{name} has format {version}; this version reads up to {FORMAT_VERSION}. Update Neural Implicit."
        )
    try:
        description = codec.from_plain(Description, plain, name)
    except ProtocolError as error:
        raise WeightsFileError(f"{name} has a description that does not fit: {error}.") from error
    _check_description(description, name)
    return description


def _check_description(description: Description, name: str) -> None:
    arch = description.architecture
    unit = np.array(description.unit_from_object, np.float64)
    checks = {
        "inputs must be 3 or 4": arch.inputs in (3, 4),
        f"width must be 1 to {MAX_WIDTH}": 1 <= arch.width <= MAX_WIDTH,
        f"depth must be 1 to {MAX_DEPTH}": 1 <= arch.depth <= MAX_DEPTH,
        "skips must be hidden layers": all(1 <= k < arch.depth for k in arch.skips),
        "features belong to a Fourier encoding": (arch.fourier_features > 0) == (arch.encoding == "fourier"),
        "too many Fourier features": 0 <= arch.fourier_features <= MAX_WIDTH,
        "unit_from_object must be 16 numbers": unit.shape == (16,),
        "bounds_unit must be 6 numbers": len(description.bounds_unit) == 6,
    }
    wrong = [what for what, holds in checks.items() if not holds]
    if not wrong and not abs(np.linalg.det(unit.reshape(4, 4)[:3, :3])) > 0.0:
        wrong = ["unit_from_object has no inverse"]
    if wrong:
        raise WeightsFileError(f"{name} describes an impossible network: {wrong[0]}.")


def _take(tensors: dict[str, np.ndarray], key: str, shape: tuple[int, ...], name: str) -> np.ndarray:
    tensor = tensors.get(key)
    if tensor is None or tensor.shape != shape or tensor.dtype not in (np.float32, np.float16):
        raise WeightsFileError(
            f"{name} lacks tensor {key} of shape {shape}; it does not fit its own description."
        )
    if not np.isfinite(tensor).all():
        raise WeightsFileError(f"{name} holds numbers that are not finite in {key}. Convert the shape again.")
    return tensor.astype(np.float32)
