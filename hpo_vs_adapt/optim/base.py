"""What a rule is: the paper's formula on flat vectors, for any number of lanes.

All trainable parameters of a lane are one vector of shape `(P,)`; a pack of N lanes is
`(N, P)`. Every scalar of a rule has shape `(..., 1)`, so each lane has its own.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, count, takewhile
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeAlias

import torch
from torch import Tensor

from hpo_vs_adapt.optim.settings import (
    Lanes,
    Range,
    Setting,
    SettingProblem,
    Stacked,
    coerce_setting,
    nearest_name,
    stack_settings,
)

if TYPE_CHECKING:
    from hpo_vs_adapt.records.trials import Value

__all__ = [
    "Layout",
    "Oracle",
    "Range",
    "Rule",
    "Run",
    "Setting",
    "SettingProblem",
    "Stacked",
    "State",
    "build_rule",
    "check_settings",
    "of_tensors",
    "stack_settings",
]

State: TypeAlias = dict[str, Tensor]
"""All that a rule has learnt; every tensor has the lanes first.

A tensor is as long as the weights, `(..., P)`, or a scalar of the lane, `(..., 1)`;
what belongs to tensor `i` of the model has a name that ends in `.i`.
"""


class Oracle(Protocol):
    """The step's own minibatch, to be evaluated again; every call is charged.

    The dropout masks are those of the step's own gradient, and running statistics of
    BatchNorm stay as they are.
    """

    @property
    def loss(self) -> Tensor:
        """Loss `(..., 1)` that the step's own gradient was taken of; free."""

    def __call__(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """Return loss `(..., 1)` and gradient `(..., P)` at `w`."""

    def forward(self, w: Tensor, wanted: Tensor | None = None) -> Tensor:
        """Return the loss `(..., 1)` at `w`, without its gradient.

        Args:
            w: Weights, shape `(..., P)`.
            wanted: Lanes that need it, true or false, shape `(..., 1)`; the others are
                not charged. None: all.
        """

    def held_out(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """Return loss and gradient at `w` of a minibatch that training does not see.

        It is drawn from the share of the training samples that the rule sets aside
        (`Rule.held_out_share`).
        """

    def lane(self, row: int) -> Oracle:
        """Return the same for one lane, its weights `(P,)`; no other is charged."""


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
        return [
            slice(end - size, end) for end, size in zip(ends, self.sizes, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Run:
    """What a rule may know of the run it is in.

    Args:
        steps: Steps in the whole budget.
        steps_per_epoch: Steps in one pass over the training data.
    """

    steps: int
    steps_per_epoch: int


class Rule(ABC):
    """An update rule over the lanes of a pack.

    A subclass states its `settings`, what it `adapts` and its `reference`, and is built
    from the stacked settings of its lanes. It keeps nothing on itself but those and
    what follows from them: everything it learns, and what it must know of the model, is
    in the state, so that a rule built anew continues from a state alone.

    Args:
        settings: Settings of the lanes, defaults filled in: numbers as `(..., 1)`
            tensors in the precision of the weights, all else as plain values.
        run: Length of the run.
    """

    settings: ClassVar[Mapping[str, Setting]]
    adapts: ClassVar[str]  # "nothing", "rate", "momentum" or "schedule"
    reference: ClassVar[str]  # author, title or name, venue and year
    defaults: ClassVar[str] = "unknown"  # paper, library, calibrated here on ..., ours
    defaults_trials: ClassVar[int | None] = None  # that finding them took, if known
    space: ClassVar[Mapping[str, Range]] = {}  # of tuners, where a study has no own
    space_from: ClassVar[str] = "unknown"  # in the same words as `defaults`
    space_trials: ClassVar[int | None] = None
    extra_gradients: ClassVar[str] = "0"  # a step, for `list rules`
    extra_memory: ClassVar[str] = "0"  # parameter-sized copies, for `list rules`
    exemptions: ClassVar[Mapping[str, str]] = {}  # contract checks, and why not
    resumable: ClassVar[bool] = True  # else `save` fails: no checkpoints, packs of one

    def __init__(self, settings: Stacked, run: Run) -> None:
        self.given = settings
        self.run = run

    @classmethod  # noqa: B027  # nothing to refuse by default
    def check(cls, settings: Mapping[str, Value]) -> None:
        """Refuse settings that contradict each other; single values are checked before.

        Args:
            settings: What a study names, defaults not filled in.

        Raises:
            ValueError: With a sentence that says what is wrong and what to do.
        """

    @classmethod
    def held_out_share(cls, settings: Mapping[str, Value]) -> float:
        """Return the share of the training samples that `Oracle.held_out` draws from.

        Training does not see them. Lanes of a pack share it, so it may rest only on
        settings that they share.

        Args:
            settings: What a study names, defaults not filled in.
        """
        return 0.0

    def number(self, name: str) -> Tensor:
        """Return a number of the lanes, shape `(..., 1)`."""
        value = self.given[name]
        assert isinstance(value, Tensor)
        return value

    @abstractmethod
    def init(self, w: Tensor, layout: Layout) -> State:
        """Return the state before the first step for weights `w`, shape `(..., P)`.

        Every tensor of the state has the lanes first, so that lanes can be taken out
        of it: per-lane scalars and counters are `(..., 1)`.
        """

    @abstractmethod
    def update(
        self, w: Tensor, g: Tensor, state: State, oracle: Oracle
    ) -> tuple[Tensor, State]:
        """Take one step.

        May work in place on `w` and on the state's tensors, and on `g`. Reads no value
        back from the device, and lets no lane see another.

        Args:
            w: Weights, shape `(..., P)`.
            g: Gradient of the minibatch at `w`, shape `(..., P)`.
            state: What `init` or the previous step returned.
            oracle: The same minibatch at other weights.
        """

    @abstractmethod
    def observe(self, state: State) -> dict[str, Tensor]:
        """Return scalars `(..., 1)` to log, in the precision of the weights.

        They are `lr`, with which the next step starts, `momentum` if there is one, and
        the rule's own.
        """

    def weights(self, w: Tensor, state: State) -> Tensor:
        """Return the weights to evaluate, shape `(..., P)`: `w`, or their average.

        Where they are not `w` itself, running statistics of BatchNorm are renewed for
        them before an evaluation, which is charged.
        """
        return w

    def probe(self, w: Tensor, state: State) -> Tensor | None:
        """Return the weights at which `update` will ask the oracle first, if it will.

        Only for rules that know them before the step's gradient; an optimizer with
        several parameter groups then evaluates all of them at once.
        """
        return None

    def save(self, state: State) -> State:
        """Return the state as tensors alone, lanes first, for a checkpoint."""
        return state

    def resume(self, w: Tensor, saved: State) -> State:
        """Return the state to go on from at weights `w`: the inverse of `save`."""
        return saved


def of_tensors(state: State, stem: str) -> list[Tensor]:
    """Return `stem.0`, `stem.1`, ... of a state, whatever order a checkpoint has."""
    names = takewhile(lambda name: name in state, (f"{stem}.{i}" for i in count()))
    return [state[name] for name in names]


def check_settings(rule: type[Rule], settings: Mapping[str, Value]) -> None:
    """Refuse settings that a rule does not have or cannot take.

    Args:
        rule: The rule.
        settings: What a study names, defaults not filled in; text that reads as a
            number is taken as the number.

    Raises:
        SettingProblem: For the first setting that is wrong by itself.
        ValueError: For settings that contradict each other; the sentence says how.
    """
    read: dict[str, Value] = {}
    for name, value in settings.items():
        if name not in rule.settings:
            known = f"one of {', '.join(rule.settings)}"
            nearest = nearest_name(name, rule.settings)
            raise SettingProblem(name, value, known, nearest, unknown=True)
        setting = rule.settings[name]
        read[name] = coerce_setting(setting, value)
        if not setting.accepts(read[name]):
            raise SettingProblem(name, value, setting.allowed)
    rule.check(read)


def build_rule(
    rule: type[Rule],
    lanes: Lanes,
    run: Run,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Rule:
    """Return a rule for the lanes of a pack, its settings checked.

    Args:
        rule: The rule.
        lanes: Settings of each lane, for weights `(lanes, P)`; or one mapping, for
            weights `(P,)`.
        run: Length of the run.
        dtype: Precision of the weights.
        device: Where the weights are.

    Raises:
        SettingProblem: If a setting is wrong, or lanes disagree on one that they share.
        ValueError: If settings of a lane contradict each other.
    """
    if isinstance(lanes, Mapping):
        read: Lanes = _read(rule, lanes)
    else:
        read = [_read(rule, lane) for lane in lanes]
    return rule(stack_settings(read, rule.settings, dtype, device), run)


def _read(rule: type[Rule], settings: Mapping[str, Value]) -> dict[str, Value]:
    check_settings(rule, settings)
    known = rule.settings
    return {name: coerce_setting(known[name], settings[name]) for name in settings}
