"""Hypergradient descent: the rate descends on the loss, whose slope in it is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, cast

import torch
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
    of_tensors,
)
from hpo_vs_adapt.optim.bases import (
    LastDirection,
    refuse_settings_of_other_bases,
)
from hpo_vs_adapt.optim.directions import (
    ADAM_SETTINGS,
    DECAY_SETTINGS,
    DIRECTIONS,
    MOMENTUM_SETTINGS,
)
from hpo_vs_adapt.optim.rates import LearntRate
from hpo_vs_adapt.optim.reductions import dot, norm
from hpo_vs_adapt.optim.schedules import SCHEDULE_SETTINGS
from hpo_vs_adapt.optim.windows import Windows

if TYPE_CHECKING:
    from hpo_vs_adapt.records.trials import Value

__all__ = ["Hypergradient"]


class Hypergradient(Rule):
    """Hypergradient descent over SGD (momentum, Nesterov) or Adam.

    The slope of the loss in the rate of the last step is `-<g_t, u_{t-1}>`, with the
    gradient `g_t` (coupled weight decay in it) and the last step's direction `u_{t-1}`.
    The rate descends on it before the step is taken:
    `lr <- lr + hyper_lr <g_t, u_{t-1}>`, or with ``form: multiplicative``
    `lr <- lr (1 + hyper_lr cos(g_t, u_{t-1}))`, where the cosine of a zero vector is 0.
    Nothing keeps an additive rate positive.

    With `every` = K > 1 it is the form that Retsinas et al. (ICASSP 2023) compare with:
    after every K steps, with the sums of the applied directions over the last K steps
    and the K before, `lr <- lr + hyper_lr <u_new, u_old>`, or the cosine of the two.

    `in_loop` is Adam's form as its authors' code has it: the rate moves by each
    tensor's own product in turn, and the tensor is stepped at once, so that later
    tensors see more of the change. (Their eps is added to the uncorrected root; here it
    is where `torch.optim.Adam` has it.)

    The state has the base's tensors, the parts of `LearntRate` and, by the form, of
    `LastDirection` or `Windows`, or `direction.0`, `direction.1`, ... (one a tensor of
    the model, `(..., size)`: their sizes tell where each lies).
    """

    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": Setting(1e-3, "rate of the first step", low=0, low_open=True),
        "base": Setting("sgd", "base direction", choices=("sgd", "adam")),
        "hyper_lr": Setting(1e-3, "step of the rate; 0: the rate stays", low=0),
        "form": Setting(
            "additive",
            "add the product, or multiply by the cosine",
            choices=("additive", "multiplicative"),
        ),
        "every": Setting(
            1,
            "steps between two changes; above 1, over sums of so many directions",
            low=1,
            integer=True,
            shared=True,
        ),
        "in_loop": Setting(
            False,
            "change the rate tensor by tensor, as the published code for Adam",
            choices=(False, True),
        ),
        **MOMENTUM_SETTINGS,
        **ADAM_SETTINGS,
        **DECAY_SETTINGS,
        **SCHEDULE_SETTINGS,
    }
    adapts = "rate"
    reference = (
        "Baydin, Cornish, Martinez Rubio, Schmidt, Wood, Online learning rate "
        "adaptation with hypergradient descent, ICLR 2018"
    )
    defaults = "paper (lr; hyper_lr of additive SGD)"
    space: ClassVar[Mapping[str, Range]] = {"hyper_lr": Range(1e-7, 0.1)}
    space_from = "ours"
    extra_memory = (
        "the base's, and 1 with SGD without momentum or in Nesterov's form; "
        "2 with every above 1"
    )

    def __init__(self, settings: Stacked, run: Run) -> None:
        super().__init__(settings, run)
        self._base = DIRECTIONS[str(settings["base"])](self)
        self._rate = LearntRate(self)
        self._last = LastDirection(self)
        self._hyper_lr = self.number("hyper_lr")
        self._additive = settings["form"] == "additive"
        self._windows: Windows | None = None
        if settings["every"] != 1:
            every = cast("int", settings["every"])
            like = self._hyper_lr
            self._windows = Windows(torch.full_like(like, every, dtype=torch.int64))

    @override
    @classmethod
    def check(cls, settings: Mapping[str, Value]) -> None:
        refuse_settings_of_other_bases(settings)
        if not settings.get("in_loop", False):
            return
        published = {"base": "adam", "form": "additive", "every": 1}
        for name, value in published.items():
            if settings.get(name, cls.settings[name].default) != value:
                raise SettingProblem("in_loop", True, f"false unless {name} is {value}")

    @override
    def init(self, w: Tensor, layout: Layout) -> State:
        base = self._base.init(w, layout)
        kept: State = {}
        if self.given["in_loop"]:
            for i, size in enumerate(layout.sizes):
                kept[f"direction.{i}"] = w.new_zeros((*w.shape[:-1], size))
        elif self._windows is not None:
            kept = self._windows.init(w)
        else:
            kept = self._last.init(w, base)
        return {**base, **self._rate.init(), **kept}

    @override
    def update(
        self, w: Tensor, g: Tensor, state: State, oracle: Oracle
    ) -> tuple[Tensor, State]:
        g = self._base.gradient(w, g, state)
        if self.given["in_loop"]:
            self._step_in_loop(w, g, state)
        elif self._windows is not None:
            self._step_in_window(w, g, state, self._windows)
        else:
            self._step(w, g, state)
        self._rate.advance(state)
        return w, state

    @override
    def observe(self, state: State) -> dict[str, Tensor]:
        return {
            "lr": self._rate.now(state),
            "rejected": state["rejected"],
            **self._base.observe(state),
        }

    def _step(self, w: Tensor, g: Tensor, state: State) -> None:
        product, length = self._last.compare(g, state)
        if self._additive:
            lr = self._descend(state, product)
        else:
            lr = self._turn(state, product, norm(g) * length)
        self._rate.learn(state, lr)
        u, scale = self._base.step(w, g, state)
        self._last.keep(u, state)
        w.addcmul_(u, -self._rate.now(state) * scale)

    def _step_in_window(
        self, w: Tensor, g: Tensor, state: State, windows: Windows
    ) -> None:
        u, scale = self._base.step(w, g, state)
        w.addcmul_(u, -self._rate.now(state) * scale)
        windows.add(u, scale, self._rate.factor(state), state)
        due = (state["step"] + 1) % windows.every == 0
        product = windows.product(state)
        if self._additive:
            lr = self._descend(state, product)
        else:
            lengths = windows.old_length(state) * windows.new_length(state)
            lr = self._turn(state, product, lengths)
        self._rate.learn(state, torch.where(due, lr, state["lr"]))
        windows.slide(due, state)

    def _step_in_loop(self, w: Tensor, g: Tensor, state: State) -> None:
        kept = of_tensors(state, "direction")
        places, begin = [], 0
        for last in kept:
            places.append(slice(begin, begin := begin + last.shape[-1]))
        products = [
            dot(g[..., place], last) for place, last in zip(places, kept, strict=True)
        ]
        u, scale = self._base.step(w, g, state)
        for place, last, product in zip(places, kept, products, strict=True):
            self._rate.learn(state, self._descend(state, product))
            torch.mul(u[..., place], scale, out=last)
            w[..., place].addcmul_(u[..., place], -self._rate.now(state) * scale)

    def _descend(self, state: State, product: Tensor) -> Tensor:
        return state["lr"] + self._hyper_lr * product

    def _turn(self, state: State, product: Tensor, lengths: Tensor) -> Tensor:
        cosine = torch.where(lengths == 0, 0.0, product / lengths).clamp(-1, 1)
        return state["lr"] * (1 + self._hyper_lr * cosine)
