"""GAP: of several momenta, the one whose buffer agrees best with the gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, cast

from torch import Tensor
from typing_extensions import override

from hpo_vs_adapt.optim.base import (
    Layout,
    Oracle,
    Range,
    Rule,
    Run,
    Setting,
    SettingProblem,
    Stacked,
    State,
)
from hpo_vs_adapt.optim.clock import Clock
from hpo_vs_adapt.optim.directions import DECAY_SETTINGS
from hpo_vs_adapt.optim.momentum_filters import FILTERS
from hpo_vs_adapt.optim.rates import LearntRate
from hpo_vs_adapt.optim.schedules import SCHEDULE_SETTINGS
from hpo_vs_adapt.optim.selection import Selection

if TYPE_CHECKING:
    from hpo_vs_adapt.records.trials import Value

__all__ = ["GAP"]

_UNTIL_HELD_OUT = Clock("held_out_clock")
_FLAG = (False, True)
_VAL_SHARE = 0.1


class GAP(Rule):
    """Greedy alignment principle: the momentum is chosen anew at every step.

    Every candidate `m_j` keeps a buffer `b_j` of its own, and all are fed at every
    step. The score `S_j` is `<g, b_j>` over the norm of the candidate's filter, so
    `<g, b_j> sqrt(1 - m_j^2)` for SGD (`filters.py` has Adam's); the weights move along
    the buffer of the largest score, over all tensors together (``mode: switch``) or
    for each tensor by itself (``switch_parameter_wise``). Where all scores are zero,
    or one is not finite, the choice stays; of equal scores the smallest momentum has
    it. ``mode: default`` keeps to the first candidate.

    - `score_ema`: scores are smoothed, `S <- score_ema S_old + (1 - score_ema) S`,
      beginning with the first ones.
    - `patience`: the choice changes only to a candidate whose raw score was the
      largest so many selections in a row.
    - `exclude_current`: without the step's own gradient in the buffer, whose agreement
      with itself favours small momenta; for comparison, not in the paper.
    - `lr_modulation`: the rate is multiplied by the norm of the first candidate's
      filter over the chosen one's, so that a switch does not change the step's size.
    - `validate`: the gradient in the scores is one of held-out training samples, taken
      every `val_every` steps; between them the choice is kept.

    The paper's code was not seen: the norm of Adam's filter, patience, modulation,
    when validation selects and where weight decay goes are reconstructed.

    The state has the tensors of the filters, of `Selection` (`choice` is an index into
    the ascending candidates) and of `LearntRate`. With `validate`, `held_out_clock` is
    an empty tensor as long as there are steps until the next selection: a step must
    know that, and reads no counter back.
    """

    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": Setting(0.1, "rate", low=0, low_open=True),
        "base": Setting("sgd", "base direction", choices=tuple(FILTERS)),
        "candidates": Setting(
            (0.5, 0.9, 0.99),
            "momenta to choose from (Adam: beta1)",
            low=0,
            high=1,
            high_open=True,
            several=True,
        ),
        "beta2": Setting(
            0.999,
            "decay of Adam's average of the gradient's square",
            low=0,
            high=1,
            high_open=True,
            shared=True,
        ),
        "eps": Setting(
            1e-8, "added to the root of the second moment", low=0, low_open=True
        ),
        "mode": Setting(
            "switch",
            "default: the first candidate; switch: the best one; "
            "switch_parameter_wise: the best one of each tensor",
            choices=("default", "switch", "switch_parameter_wise"),
        ),
        "score_ema": Setting(
            0.0, "share of the old score in the new", low=0, high=1, high_open=True
        ),
        "norm": Setting(
            "filter",
            "of a filter: stationary; exact: in finite time; readme_literal: Adam's "
            "formula to the letter, which favours small momenta",
            choices=("filter", "exact", "readme_literal"),
        ),
        "exclude_current": Setting(
            False, "score buffers without the step's own gradient", choices=_FLAG
        ),
        "lr_modulation": Setting(
            False, "rescale the rate so that filters have equal norms", choices=_FLAG
        ),
        "patience": Setting(
            0,
            "selections in a row that a candidate must lead before it is chosen; 0: 1",
            low=0,
            integer=True,
            shared=True,
        ),
        "validate": Setting(
            False, "score by a gradient of held-out training samples", choices=_FLAG
        ),
        "val_every": Setting(
            10, "steps between two selections", low=1, integer=True, shared=True
        ),
        "val_share": Setting(
            _VAL_SHARE,
            "share of the training samples held out for selections",
            low=0,
            high=1,
            low_open=True,
            high_open=True,
            shared=True,
        ),
        **DECAY_SETTINGS,
        **SCHEDULE_SETTINGS,
    }
    adapts = "momentum"
    reference = (
        "Lee & Lee, Greedy Alignment Principle for Optimizer Selection, 2026, "
        "arXiv 2512.06370"
    )
    defaults = "paper (the front page of its code)"
    space: ClassVar[Mapping[str, Range]] = {"lr": Range(1e-4, 1)}
    space_from = "ours"
    extra_gradients = "0; with validate 1 in val_every"
    extra_memory = "a buffer a candidate; with base adam or adamw 1 more"

    def __init__(self, settings: Stacked, run: Run) -> None:
        super().__init__(settings, run)
        candidates = cast("tuple[float, ...]", settings["candidates"])
        mode = settings["mode"]
        momenta = candidates[:1] if mode == "default" else tuple(sorted(candidates))
        self._filters = FILTERS[str(settings["base"])](self, momenta)
        self._rate = LearntRate(self)
        self._selects = len(momenta) > 1
        tensor_wise = self._selects and mode == "switch_parameter_wise"
        self._selection = Selection(self, len(momenta), tensor_wise)
        # Adam weighs tensors by their own second moments, whoever chooses.
        self._cuts = self._selects and (tensor_wise or settings["base"] != "sgd")
        self._validates = self._selects and bool(settings["validate"])
        self._val_every = cast("int", settings["val_every"])

    @override
    @classmethod
    def check(cls, settings: Mapping[str, Value]) -> None:
        mode = settings.get("mode", "switch")
        choosing = ("norm", "exclude_current", "lr_modulation", "patience", "validate")
        beside: dict[str, tuple[str, ...]] = {}
        if mode != "switch":
            also = choosing if mode == "default" else ()
            beside[f"mode {mode}"] = ("score_ema", *also)
        if settings.get("base", "sgd") == "sgd":
            beside["base sgd"] = ("beta2", "eps")
        if not settings.get("validate"):
            beside["validate false"] = ("val_every", "val_share")
        for other, names in beside.items():
            for name in names:
                value, default = settings.get(name), cls.settings[name].default
                if name in settings and value != default:
                    raise SettingProblem(name, value, f"left out beside {other}")

    @override
    @classmethod
    def held_out_share(cls, settings: Mapping[str, Value]) -> float:
        if not settings.get("validate"):
            return 0.0
        return cast("float", settings.get("val_share", _VAL_SHARE))

    @override
    def init(self, w: Tensor, layout: Layout) -> State:
        pieces = layout.sizes if self._cuts else [w.shape[-1]]
        state = {
            **self._filters.init(w, layout, pieces),
            **self._selection.init(w, len(pieces)),
            **self._rate.init(),
        }
        if self._validates:
            _UNTIL_HELD_OUT.set(state, w, 0)
        return state

    @override
    def update(
        self, w: Tensor, g: Tensor, state: State, oracle: Oracle
    ) -> tuple[Tensor, State]:
        held_out = self._held_out_gradient(w, state, oracle)
        g = self._filters.gradient(w, g, state)
        against = g if self._selects and not self._validates else held_out
        scores = self._filters.refresh(g, against, state)
        if scores:
            self._selection.select(scores, state)
        choice = self._selection.choice(state)
        self._filters.move(w, g, state, self._rate.now(state), choice)
        self._rate.advance(state)
        return w, state

    @override
    def observe(self, state: State) -> dict[str, Tensor]:
        choice = self._selection.choice(state)
        momentum, lr = self._filters.momentum(choice), self._rate.now(state)
        shown = {"momentum": momentum, "choice": choice.to(lr.dtype)}
        if self.given["lr_modulation"]:
            shown["lr_factor"] = self._filters.factor(choice)
        means = {name: each.mean(-1, keepdim=True) for name, each in shown.items()}
        return {"lr": lr, **means, "rejected": state["rejected"]}

    @override
    def save(self, state: State) -> State:
        return _UNTIL_HELD_OUT.save(state) if self._validates else state

    @override
    def resume(self, w: Tensor, saved: State) -> State:
        return _UNTIL_HELD_OUT.resume(w, saved) if self._validates else saved

    def _held_out_gradient(
        self, w: Tensor, state: State, oracle: Oracle
    ) -> Tensor | None:
        """Return the gradient that a selection is due by; None if none is due."""
        if not self._validates:
            return None
        until = _UNTIL_HELD_OUT.read(state)
        _UNTIL_HELD_OUT.set(state, w, (until or self._val_every) - 1)
        return None if until else oracle.held_out(w)[1]
