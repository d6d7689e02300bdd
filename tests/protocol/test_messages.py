"""Messages as lines of JSON: every kind comes back as it was, and anything else is an error with a remedy."""

import dataclasses
import json
import types
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ProtocolError
from engine.protocol import codec, messages, scene

SCALARS = {
    str: st.text(max_size=12),
    int: st.integers(-(2**53), 2**53),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    type(None): st.none(),
}
NAMED_ANY = st.one_of(st.text(max_size=5), st.integers(), st.booleans(), st.none())


def values(kind):
    """Give a strategy for an annotation, as the codec understands it."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return st.builds(kind, **{f.name: values(hints[f.name]) for f in dataclasses.fields(kind)})
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(values, arguments))
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, arguments))
    if origin is dict:
        return st.dictionaries(st.text(max_size=5), values(arguments[1]), max_size=2)
    return NAMED_ANY if kind is typing.Any else SCALARS[kind]


@pytest.mark.parametrize("kind", messages.MESSAGES.values(), ids=messages.MESSAGES)
@given(data=st.data())
def test_every_message_comes_back_as_it_was_sent(kind, data):
    message = data.draw(values(kind))
    line = messages.encode(message)
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    assert messages.decode(line) == message


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_protocol_error(line):
    try:
        message = messages.decode(line)
    except ProtocolError:
        return
    assert isinstance(message, messages.Message)


HELLO = {"kind": "hello", "protocol_version": 1, "software": "test"}
WRONG = {
    "unknown kind": {"kind": "surprise"},
    "no kind": {"software": "x"},
    "missing field": {"kind": "hello", "protocol_version": 1},
    "unknown field": {**HELLO, "more": 1},
    "text for a number": {**HELLO, "protocol_version": "1"},
    "a truth for a number": {**HELLO, "protocol_version": True},
    "a list": [1, 2],
    "too few numbers": {"kind": "render_view", "view": "v", "region": [1, 2, 3]},
    "a word that is no choice": {
        "kind": "progress",
        "phase": "sleeping",
        "step": 0,
        "num_steps": 1,
        "fraction": 0.0,
    },
}


@pytest.mark.parametrize("plain", WRONG.values(), ids=WRONG.keys())
def test_what_does_not_fit_is_a_protocol_error(plain):
    with pytest.raises(ProtocolError):
        messages.decode(json.dumps(plain).encode())


def test_an_unhashable_kind_is_a_protocol_error():
    with pytest.raises(ProtocolError):
        messages.decode(b'{"kind": ["hello"]}')


def test_an_error_names_the_place():
    plain = codec.to_plain(scene.Scene(lights=(scene.Light(type="SUN", world_from_light=scene.IDENTITY),)))
    plain["lights"][0]["energy"] = "bright"
    with pytest.raises(ProtocolError, match=r"Scene\.lights\[0\]\.energy: expected float, got 'bright'"):
        codec.from_plain(scene.Scene, plain)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_not_finite_are_refused(text):
    line = f'{{"kind":"render_progress","view":"v","request":1,"fraction":{text}}}'.encode()
    with pytest.raises(ProtocolError):
        messages.decode(line)


def test_an_integer_is_taken_where_a_float_is_meant():
    line = b'{"kind":"render_progress","view":"v","request":1,"fraction":1}'
    assert messages.decode(line) == messages.RenderProgress(view="v", request=1, fraction=1.0)


def test_deep_nesting_is_a_protocol_error():
    with pytest.raises(ProtocolError):
        messages.decode(b"[" * 100_000)
