"""What is known of a ray on its way: one row of numbers, and the places in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba as nb

NUM_COLUMNS = 18
(
    T,  # where the field is looked at next; in the end the hit
    END,  # of the ray
    SPEED,  # length of the direction
    SIGN,  # of the field since the ray began: 1, -1, 0 not known yet
    MODE,  # why the field is looked at
    A,  # the field still has the sign SIGN here; the near end of a bracket
    B,  # the far end of a bracket, or the cell's exit
    VALUE_A,  # nan: not looked at
    VALUE_B,
    CERTAIN,  # 1: the field has the other sign at B
    LOW,  # bounds on the slope along the ray in the cell
    HIGH,
    LAST_T,  # the last look in this cell
    LAST_VALUE,  # nan: there was none
    COUNT,
    LEAVE,  # exit of the cell, or the ray's end
    VALUE_T,  # the field at T; nan: not known
    ROOM,  # in a bracket as long as this any crossing will do
) = range(NUM_COLUMNS)

FIRST = 0.0  # to learn the sign
STEP = 1.0  # a safe step in a cell in which the slope may change its sign
EXIT = 2.0  # whether a cell with a slope of one sign has been crossed
ROOT = 3.0  # to close in on the crossing in such a cell
BRACKET = 4.0  # to close in on a change of sign of which nothing else is known

EVALUATE, HIT, MISS, WALK = 0, 1, 2, 3  # what a ray wants next

TOLERANCE = 1e-6  # unit space: how far a hit may be from the crossing, along the ray
NUDGE = 1e-7  # unit space: across a border between cells, whose bounds hold 1e-6 around them

_Function = TypeVar("_Function", bound=Callable[..., Any])


def uncounted(function: _Function) -> _Function:
    """Compile a function that allocates nothing, so that no reference to an array is counted in it."""
    options: Any = {"cache": True, "nogil": True, "_nrt": False}
    compiled: Any = nb.njit(**options)(function)
    return compiled  # type: ignore[no-any-return]


def inlined(function: _Function) -> _Function:
    """`uncounted`, and LLVM is told to put it where it is called: a grid handed on is some ninety numbers."""
    options: Any = {"cache": True, "nogil": True, "_nrt": False, "forceinline": True}
    compiled: Any = nb.njit(**options)(function)
    return compiled  # type: ignore[no-any-return]
