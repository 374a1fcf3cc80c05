"""TLR: a damped Newton step on the rate, from the step's own direction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

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
)
from hpo_vs_adapt.optim.bases import refuse_settings_of_other_bases
from hpo_vs_adapt.optim.clock import Clock
from hpo_vs_adapt.optim.directions import (
    ADAM_SETTINGS,
    DECAY_SETTINGS,
    DIRECTIONS,
    MOMENTUM_SETTINGS,
)
from hpo_vs_adapt.optim.rates import LearntRate
from hpo_vs_adapt.optim.reductions import dot
from hpo_vs_adapt.optim.schedules import SCHEDULE_SETTINGS
from hpo_vs_adapt.optim.windows import Windows

if TYPE_CHECKING:
    from hpo_vs_adapt.records.trials import Value

__all__ = ["PRESETS", "TLR"]

PRESETS: Mapping[str, tuple[float, float]] = {
    "paper": (0.33, 0.20),
    "code_defaults": (0.20, 1 / 3),
    "code_exact": (0.20, 1 / 3),
}
"""`gamma` and `p`, the share of an epoch between two changes of the rate."""

_CODE_EPSILON = 1e-10  # what the published code adds to the denominator
_TAKEN = Clock("clock")


class TLR(Rule):
    """Newton-based trainable learning rate over SGD, Adam or AdamW.

    Every `K` steps (`every`), with `u_new` the sum of the last `K` steps' directions
    (momentum and weight decay included) and `u_old` that of the `K` before them:
    `num = <u_old, u_new>`, `den = ||u_old||^2 - num`, and `lr <- lr phi` with `phi = 1`
    if `den <= 0`, else `min(1 + gamma num / den, cap)`. The first sum has no `u_old`
    and changes nothing.

    With ``form: look_ahead`` (the paper's Eqs 1-8) every step tries itself first: for
    the direction `u` and the gradient `g`, `ghat` is the gradient of the same minibatch
    at `w - lr u`, `num = <u, ghat>`, `den = <u, g - ghat>`, and the step is taken with
    the new rate.

    ``preset: code_exact`` is the published code: the first `K + 1` steps are in no sum,
    `phi = 1 + gamma num / (den + 1e-10)` for any sign and without a cap, so that rates
    may become negative; only rates that are not finite are refused.

    A schedule multiplies the rate, and does not change what is learnt from a direction:
    the sums are then weighted means (`Windows`).

    The state has the base's tensors, the parts of `LearntRate` and, in the practical
    form, of `Windows`, and `factor` (the last `phi`), `(..., 1)`. The steps taken are
    also the length of an empty tensor: so it is known, without reading a counter back,
    in which steps no lane's window is full and the sums need not be looked at.
    """

    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": Setting(0.1, "rate of the first step", low=0, low_open=True),
        "base": Setting("sgd", "base direction", choices=("sgd", "adam", "adamw")),
        "gamma": Setting(0.33, "share of the Newton step; 0: the rate stays", 0, 1),
        "every": Setting(100, "steps between two changes", low=1, integer=True),
        "preset": Setting(
            None,
            "gamma and steps of the paper, of its code, or the code as published",
            choices=tuple(PRESETS),
            optional=True,
        ),
        "cap": Setting(100.0, "largest factor of one change", low=1, low_open=True),
        "form": Setting(
            "practical",
            "sums of past directions, or a second gradient at every step",
            choices=("practical", "look_ahead"),
        ),
        **MOMENTUM_SETTINGS,
        **ADAM_SETTINGS,
        **DECAY_SETTINGS,
        **SCHEDULE_SETTINGS,
    }
    adapts = "rate"
    reference = (
        "Retsinas, Sfikas, Filntisis, Maragos, Newton-based trainable learning rate, "
        "ICASSP 2023"
    )
    defaults = "paper (gamma, cap); ours (lr, every)"
    space: ClassVar[Mapping[str, Range]] = {"lr": Range(1e-6, 1)}
    space_from = "ours"
    extra_gradients = "0; 1 with form look_ahead"
    extra_memory = "2 and the base's; the base's and 1 with form look_ahead"

    def __init__(self, settings: Stacked, run: Run) -> None:
        super().__init__(settings, run)
        self._base = DIRECTIONS[str(settings["base"])](self)
        self._rate = LearntRate(self)
        self._look_ahead = settings["form"] == "look_ahead"
        self._exact = settings["preset"] == "code_exact"
        self._gamma, every = self.number("gamma"), self.number("every").long()
        if settings["preset"] is not None:
            gamma, share = PRESETS[str(settings["preset"])]
            self._gamma = torch.full_like(self._gamma, gamma)
            every = torch.full_like(every, max(1, int(share * run.steps_per_epoch)))
        self._windows = Windows(every)
        self._lengths = set(every.flatten().tolist())

    @override
    @classmethod
    def check(cls, settings: Mapping[str, Value]) -> None:
        refuse_settings_of_other_bases(settings)
        preset = settings.get("preset")
        look_ahead = settings.get("form") == "look_ahead"
        clashes = {
            **(dict.fromkeys(("gamma", "every"), f"preset {preset}") if preset else {}),
            **(
                dict.fromkeys(("every", "preset"), "form look_ahead")
                if look_ahead
                else {}
            ),
        }
        for name, beside in clashes.items():
            if settings.get(name) is not None:
                raise SettingProblem(name, settings[name], f"left out beside {beside}")

    @override
    def init(self, w: Tensor, layout: Layout) -> State:
        state = {
            **self._base.init(w, layout),
            **self._rate.init(),
            **({} if self._look_ahead else self._windows.init(w)),
            "factor": torch.ones_like(self.number("lr")),
        }
        if not self._look_ahead:
            _TAKEN.set(state, w, 0)
        return state

    @override
    def update(
        self, w: Tensor, g: Tensor, state: State, oracle: Oracle
    ) -> tuple[Tensor, State]:
        g = self._base.gradient(w, g, state)
        if self._look_ahead:
            w = self._step_after_looking(w, g, state, oracle)
        else:
            u, scale = self._base.step(w, g, state)
            w.addcmul_(u, -self._rate.now(state) * scale)
            self._slide(u, scale, state)
        self._rate.advance(state)
        return w, state

    @override
    def observe(self, state: State) -> dict[str, Tensor]:
        return {
            "lr": self._rate.now(state),
            **{name: state[name] for name in ("factor", "rejected")},
            **self._base.observe(state),
        }

    @override
    def save(self, state: State) -> State:
        return state if self._look_ahead else _TAKEN.save(state)

    @override
    def resume(self, w: Tensor, saved: State) -> State:
        return saved if self._look_ahead else _TAKEN.resume(w, saved)

    def _slide(self, u: Tensor, scale: Tensor, state: State) -> None:
        """Add a direction to the window; change the rate where the window is full."""
        taken = _TAKEN.read(state) + 1
        _TAKEN.set(state, u, taken)
        step, every = state["step"] + 1, self._windows.every
        factor = self._rate.factor(state)
        if self._exact:
            # The code's counter starts its first window after K + 1 steps.
            factor = factor * (step > every + 1)
            step = step - 1
        self._windows.add(u, scale, factor, state)
        if all((taken - self._exact) % length for length in self._lengths):
            return
        num = self._windows.product(state)
        den = self._windows.old_length(state).square() - num
        due = step % every == 0
        self._change_rate(num, den, due, state)
        self._windows.slide(due, state)

    def _step_after_looking(
        self, w: Tensor, g: Tensor, state: State, oracle: Oracle
    ) -> Tensor:
        u, scale = self._base.step(w, g.clone(), state)
        ahead = torch.addcmul(w, u, -self._rate.now(state) * scale)
        _, gradient_ahead = oracle(ahead)
        gradient_ahead = self._base.gradient(ahead, gradient_ahead, state)
        num = scale * dot(u, gradient_ahead)
        den = scale * dot(u, g - gradient_ahead)
        self._change_rate(num, den, torch.ones_like(num, dtype=torch.bool), state)
        return w.addcmul_(u, -self._rate.now(state) * scale)

    def _change_rate(self, num: Tensor, den: Tensor, due: Tensor, state: State) -> None:
        if self._exact:
            factor = 1 + self._gamma * num / (den + _CODE_EPSILON)
        else:
            newton = (1 + self._gamma * num / den).minimum(self.number("cap"))
            factor = torch.where(den <= 0, 1.0, newton)
        lr = state["lr"]
        taken = self._rate.learn(state, torch.where(due, lr * factor, lr))
        state["factor"] = torch.where(due & taken, factor, state["factor"])
