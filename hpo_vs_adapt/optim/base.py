"""What a rule is: the paper's formula on flat vectors, for any number of lanes.

All trainable parameters of a lane are one vector of shape `(P,)`; a pack of N lanes is
`(N, P)`. Every scalar of a rule has shape `(..., 1)`, so each lane has its own.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar, Protocol, TypeAlias

import torch
from torch import Tensor

from hpo_vs_adapt.trials import Value

__all__ = ["Layout", "Oracle", "Rule", "Run", "Setting", "State", "Stacked"]

State: TypeAlias = dict[str, Tensor]
"""All that a rule has learnt; every tensor has the lanes first."""

Stacked: TypeAlias = Mapping[str, Tensor | Value]
"""Settings of a pack: numbers as tensors `(..., 1)`, all else shared by the lanes."""


class Oracle(Protocol):
    """The loss of the *same* minibatch at other weights; every call is charged."""

    def __call__(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """Return loss `(..., 1)` and gradient `(..., P)` at `w`.

        The dropout masks are those of the step's own gradient, and running statistics
        of BatchNorm stay as they are.
        """


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each tensor of the model lies in the flat vector.

    Args:
        names: Parameter names, in the model's order.
        shapes: Their shapes.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    @property
    def sizes(self) -> list[int]:
        """Number of entries of each tensor."""
        return [math.prod(shape) for shape in self.shapes]

    @property
    def slices(self) -> list[slice]:
        """Where each tensor lies in the last dimension."""
        ends = list(accumulate(self.sizes))
        return [slice(end - size, end) for end, size in zip(ends, self.sizes, strict=True)]


@dataclass(frozen=True, slots=True)
class Run:
    """What a rule may know of the run it is in.

    Args:
        steps: Steps in the whole budget.
        steps_per_epoch: Steps in one pass over the training data.
    """

    steps: int
    steps_per_epoch: int


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a rule: its default and what it may be.

    Args:
        default: Value where the study names none.
        doc: One line for `list rules`.
        low: Bound of a number, or None.
        high: Bound of a number, or None.
        low_open: Whether `low` itself is refused.
        high_open: Whether `high` itself is refused.
        choices: Allowed words (or flags), for a setting that is not a number.
        integer: Whether the number must be whole.
        shared: Whether lanes of a pack must agree on it; numbers usually differ.
        length: Number of entries of a tuple of numbers; None for a single value.
        optional: Whether None (YAML: null) is allowed and means "by the rule".
    """

    default: Value
    doc: str
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False
    choices: tuple[str | bool, ...] = ()
    integer: bool = False
    shared: bool = False
    length: int | None = None
    optional: bool = False


class Rule(ABC):
    """An update rule over the lanes of a pack.

    A subclass states its `settings`, what it `adapts` and its `reference`, and is built
    from the stacked settings of its lanes. It keeps nothing on itself but those:
    everything it learns is in the state.

    Args:
        settings: Settings of the lanes: numbers as tensors `(..., 1)` in the precision of
            the weights, everything else (words, flags) as plain values; defaults filled in.
        run: Length of the run.
    """

    settings: ClassVar[Mapping[str, Setting]]
    adapts: ClassVar[str]  # "nothing", "rate", "momentum" or "schedule"
    reference: ClassVar[str]  # author, title or name, venue and year
    extra_gradients: ClassVar[str] = "0"  # a step, for `list rules`
    extra_memory: ClassVar[str] = "0"  # parameter-sized copies, for `list rules`

    def __init__(self, settings: Stacked, run: Run) -> None:
        self.given = settings
        self.run = run

    @classmethod
    def check(cls, settings: Mapping[str, Value]) -> None:
        """Refuse settings that contradict each other; single values are checked before.

        Raises:
            ValueError: With a sentence that says what is wrong and what to do.
        """

    def number(self, name: str) -> Tensor:
        """Return a number of the lanes, shape `(..., 1)`."""
        value = self.given[name]
        assert isinstance(value, Tensor)
        return value

    @abstractmethod
    def init(self, w: Tensor, layout: Layout) -> State:
        """Return the state before the first step for weights `w`, shape `(..., P)`."""

    @abstractmethod
    def update(
        self, w: Tensor, g: Tensor, state: State, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """Take one step.

        May work in place on `w` and on the state's tensors, and on `g`.

        Args:
            w: Weights, shape `(..., P)`.
            g: Gradient of the minibatch at `w`, shape `(..., P)`.
            state: What `init` or the previous step returned.
            oracle: The same minibatch at other weights.
        """

    @abstractmethod
    def observe(self, state: State) -> dict[str, Tensor]:
        """Return scalars `(..., 1)` to log: `lr`, with which the next step starts,
        `momentum` if there is one, and the rule's own.
        """


def stack_settings(
    lanes: Sequence[Mapping[str, Value]],
    known: Mapping[str, Setting],
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Stacked:
    """Return the lanes' settings as a rule takes them, defaults filled in.

    Raises:
        ValueError: If lanes disagree on a setting that a pack must share.
    """
    stacked: dict[str, Tensor | Value] = {}
    for name, setting in known.items():
        values = [lane.get(name, setting.default) for lane in lanes]
        number = isinstance(values[0], (int, float)) and not isinstance(values[0], bool)
        if number and not setting.shared:
            column = torch.tensor(values, dtype=torch.float64)[:, None]
            stacked[name] = column.to(dtype=dtype, device=device)
        elif any(value != values[0] for value in values):
            raise ValueError(f"`{name}` must be the same in all lanes of a pack; got {values!r}.")
        else:
            stacked[name] = values[0]
    return stacked
