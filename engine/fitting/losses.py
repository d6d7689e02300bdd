"""What a fit minimises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ..errors import OptionError

LossKind = Literal["l1", "l2", "clamped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LossOptions:
    """The loss of one sample: |f - d|, its square, or |f - d| with both clamped; plus a share of large errors.

    The tail, tail_weight / 2 * max(|f - d| - tail_start, 0)^2, keeps the largest errors down, which a mean forgets.
    """

    kind: LossKind = "l1"
    clamp: float = 0.1  # unit space; of the kind "clamped"
    tail_start: float = 0.01  # unit space
    tail_weight: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(LossKind):
            raise OptionError(f"There is no loss {self.kind!r}. Use one of {', '.join(get_args(LossKind))}.")
        if not self.clamp > 0.0:
            raise OptionError(f"A loss is clamped at a positive distance, got {self.clamp}.")
        if self.tail_start < 0.0 or self.tail_weight < 0.0:
            raise OptionError("The tail of a loss starts at no negative error and has no negative weight.")
