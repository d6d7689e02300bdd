"""Frozen dataclasses to and from plain JSON values, checked by their annotations on the way in.

Only what messages need is supported: str, int, float, bool, None, Literal, unions, tuples, string-keyed
dicts and nested dataclasses. Unknown keys, missing keys and wrong types raise `ProtocolError`.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from typing import Any, Literal, TypeVar, Union

from ..errors import ProtocolError

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """Turn a dataclass tree into dicts, lists and scalars that `json` can write."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: to_plain(getattr(value, name)) for name in _field_types(type(value))}
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    return value


def from_plain(kind: type[T], value: Any, where: str = "") -> T:
    """Build a `kind` from plain JSON values.

    Args:
        kind: A dataclass type.
        value: What `json` read.
        where: Path to the value, for the error's text.

    Raises:
        ProtocolError: A key or a type does not fit; the text names the path.
    """
    result: T = _decode(kind, value, where or kind.__name__)
    return result


@functools.cache
def _field_types(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _decode(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(kind, value, where)
    origin = typing.get_origin(kind)
    if origin is Literal:
        return _expect(value in typing.get_args(kind), value, kind, where)
    if origin in (Union, types.UnionType):
        return _decode_union(typing.get_args(kind), value, where)
    if origin is tuple:
        return _decode_tuple(typing.get_args(kind), value, where)
    if origin is dict:
        _expect(isinstance(value, dict), value, kind, where)
        item = typing.get_args(kind)[1]
        return {str(key): _decode(item, entry, f"{where}.{key}") for key, entry in value.items()}
    return _decode_scalar(kind, value, where)


def _decode_dataclass(kind: Any, value: Any, where: str) -> Any:
    _expect(isinstance(value, dict), value, kind, where)
    hints = _field_types(kind)
    unknown = sorted(set(value) - set(hints))
    if unknown:
        raise ProtocolError(f"{where}: unknown field {unknown[0]!r}; add-on and engine differ in version")
    decoded = {key: _decode(hints[key], entry, f"{where}.{key}") for key, entry in value.items()}
    try:
        return kind(**decoded)
    except TypeError as error:
        raise ProtocolError(f"{where}: {error}; add-on and engine differ in version") from error


def _decode_union(options: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in options:
        return None
    failures = []
    for option in options:
        if option is type(None):
            continue
        try:
            return _decode(option, value, where)
        except ProtocolError as error:
            failures.append(str(error))
    raise ProtocolError(failures[0] if failures else f"{where}: expected nothing, got {value!r}")


def _decode_tuple(items: tuple[Any, ...], value: Any, where: str) -> Any:
    _expect(isinstance(value, (list, tuple)), value, tuple, where)
    if len(items) == 2 and items[1] is Ellipsis:
        return tuple(_decode(items[0], entry, f"{where}[{i}]") for i, entry in enumerate(value))
    if len(items) != len(value):
        raise ProtocolError(f"{where}: expected {len(items)} values, got {len(value)}")
    return tuple(_decode(item, entry, f"{where}[{i}]") for i, (item, entry) in enumerate(zip(items, value)))


def _decode_scalar(kind: Any, value: Any, where: str) -> Any:
    if kind is Any:
        return value
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return _expect(math.isfinite(value), float(value), kind, where)
    exact = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    return _expect(exact, value, kind, where)


def _expect(condition: bool, value: Any, kind: Any, where: str) -> Any:
    if not condition:
        name = getattr(kind, "__name__", str(kind))
        raise ProtocolError(f"{where}: expected {name}, got {str(value)[:60]!r}")
    return value
