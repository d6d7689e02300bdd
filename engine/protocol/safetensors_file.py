"""The safetensors container: 8 bytes of header length, a JSON header, then the tensors' bytes.

Read and written with the standard library and NumPy, so that Blender's Python needs no package. Every
size in a file is checked before it is believed. Layout: https://github.com/huggingface/safetensors
"""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import numpy as np

from ..errors import WeightsFileError

MAX_HEADER_BYTES = 1 << 20
MAX_TENSORS = 1024
DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I32": np.dtype("<i4"),
    "U8": np.dtype("u1"),
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def pack(tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> bytes:
    """Give the file's bytes; equal inputs give equal bytes."""
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    chunks, offset = [], 0
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        little = array.dtype.newbyteorder("<") if array.dtype.itemsize > 1 else array.dtype
        data = array.astype(little, copy=False).tobytes()
        span = [offset, offset + len(data)]
        header[name] = {"dtype": _NAMES[np.dtype(little)], "shape": list(array.shape), "data_offsets": span}
        chunks.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the tensors to 8 bytes
    return struct.pack("<Q", len(text)) + text + b"".join(chunks)


def unpack(data: bytes, name: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read tensors and metadata.

    Args:
        data: The whole file.
        name: What to call it in an error.

    Raises:
        WeightsFileError: The bytes are not a whole, honest safetensors file.
    """
    header, body = _split(data, name)
    metadata = header.pop("__metadata__", {})
    texts = isinstance(metadata, dict) and all(isinstance(v, str) for v in metadata.values())
    if not texts or len(header) > MAX_TENSORS:
        raise _damaged(name, "its header is not one of a weights file")
    tensors, spans = {}, []
    for key, entry in header.items():
        dtype, shape, start, end = _entry(entry, key, name)
        if end > len(body):
            raise _damaged(name, f"tensor {key} ends behind the end of the file (truncated?)")
        tensors[key] = np.frombuffer(body[start:end], dtype).reshape(shape)
        spans.append((start, end))
    _check_spans(sorted(spans), len(body), name)
    return tensors, metadata


def _split(data: bytes, name: str) -> tuple[dict[str, Any], bytes]:
    if len(data) < 8:
        raise _damaged(name, "it is empty" if not data else "it is cut short")
    (length,) = struct.unpack("<Q", data[:8])
    if length > MAX_HEADER_BYTES or 8 + length > len(data):
        raise _damaged(name, "it is not a safetensors file, or it is cut short")
    try:
        header = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError) as error:
        raise _damaged(name, f"its header cannot be read ({error})") from error
    if not isinstance(header, dict):
        raise _damaged(name, "its header is not an object")
    return header, data[8 + length :]


def _entry(entry: Any, key: str, name: str) -> tuple[np.dtype[Any], tuple[int, ...], int, int]:
    try:
        dtype = DTYPES[entry["dtype"]]
        shape = tuple(entry["shape"])
        start, end = entry["data_offsets"]
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(name, f"tensor {key} has an entry of an unknown kind") from error
    numbers = (*shape, start, end)
    if not all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 1 << 40 for n in numbers):
        raise _damaged(name, f"tensor {key} has an impossible size")
    if len(shape) > 8 or math.prod(shape) * dtype.itemsize != end - start:
        raise _damaged(name, f"tensor {key} has a shape that does not fit its bytes")
    return dtype, shape, start, end


def _check_spans(spans: list[tuple[int, int]], size: int, name: str) -> None:
    position = 0
    for start, end in spans:
        if start != position:
            raise _damaged(name, "tensors overlap or leave gaps")
        position = end
    if position != size:
        raise _damaged(name, "bytes follow the last tensor")


def _damaged(name: str, why: str) -> WeightsFileError:
    return WeightsFileError(f"{name} cannot be read: {why}. Use another copy, or convert the shape again.")
