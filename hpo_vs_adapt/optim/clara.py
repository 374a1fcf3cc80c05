"""CLARA: the rate follows the length of the path of normalised steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import count, takewhile
from typing import TYPE_CHECKING, ClassVar, cast

import torch
from torch import Tensor
from typing_extensions import override

from hpo_vs_adapt.optim.base import (
    Layout,
    Oracle,
    Rule,
    Run,
    Setting,
    SettingProblem,
    Stacked,
    State,
)
from hpo_vs_adapt.optim.directions import ADAM_SETTINGS, DECAY_SETTINGS, DIRECTIONS

if TYPE_CHECKING:
    from hpo_vs_adapt.trials import Value

__all__ = ["CLARA", "MU_TABLE", "auto_damping", "stationary_mu"]

MU_TABLE: Mapping[int, float] = {
    2: 0.5958,
    15: 0.6729,
    42: 0.6770,
    62: 0.6853,
    650: 0.6827,
    235_146: 0.6825,
    2_193_226: 0.6825,
    2_216_356: 0.6826,
}
"""The reference code's mu for Adam (c 0.2, beta1 0.9), by number of parameters."""

_NORM_FLOOR = 1e-12

# `damping: auto`; `auto_damping` says why
_DECADES, _SHARE = 6, 1 / 8
_MOST_GROWTH, _MOST_UNIT_GROWTH, _MOST_SHRINKING = 0.25, 0.8, 0.3


def stationary_mu(c: Tensor, beta: float) -> Tensor:
    """Return the mean squared path length under white noise.

    Consecutive normalised steps have correlation `beta^k` in high dimension, so
    `mu = c / (2 - c) * (1 + (1 - c) beta) / (1 - (1 - c) beta)`.

    Args:
        c: Share of the newest step in the path, shape `(..., 1)`.
        beta: Decay of the average of gradients: Adam's beta1; 0 for SGD.
    """
    kept = (1 - c) * beta
    return c / (2 - c) * (1 + kept) / (1 - kept)


def auto_damping(mu: Tensor, steps: int, unit_step: bool) -> Tensor:
    """Return the damping for a run's length.

    The path is never longer than 1, so a step multiplies the rate by at most
    `exp(damping (1 / mu - 1))` and at least `exp(-damping)`. The law: a rate can climb
    six decades in an eighth of the run,
    `damping = 6 ln(10) / (steps / 8 (1 / mu - 1))` (with c 0.2: 13.8 / steps for SGD,
    238 / steps for Adam), as long as a step grows by a factor of at most `exp(0.25)`,
    or `exp(0.8)` for unit steps, whose length is the rate's alone, and shrinks to no
    less than `exp(-0.3)`.

    Measured for lr 1e-6, 1e-3, 0.1 and 1 on digits and MNIST-1D (a layer of 64, batch
    64): in 340 to 1700 steps a sixteenth to a quarter of the run did alike; less
    damping does not arrive from 1e-6, and above the bounds runs diverge (raw SGD from
    damping 0.1 on) or lose accuracy (Adam at 1). The bounds decide in runs below some
    450 steps (SGD) or 800 (Adam); in 170 steps all forms still arrive from 1e-6, in 85
    only SGD with unit steps.

    Args:
        mu: Squared path length at which the rate stays, shape `(..., 1)`.
        steps: Length of the run.
        unit_step: Whether steps are normalised.
    """
    growth = 1 / mu - 1
    law = _DECADES * math.log(10) / (max(steps, 1) * _SHARE * growth)
    most = (_MOST_UNIT_GROWTH if unit_step else _MOST_GROWTH) / growth
    # A path of constant length (c 1) has no growth: mu is 1, and both are infinite.
    return law.minimum(most).clamp(max=_MOST_SHRINKING)


class CLARA(Rule):
    """Cumulative learning rate adaptation over SGD or Adam.

    With the base's step `s`, cut into the model's tensors `s_i` (or whole):
    `uhat_i = s_i / max(||s_i||, 1e-12)`; `w_i <- w_i - lr s_i` (or `uhat_i`, with
    `unit_step`); `p_i <- (1 - c) p_i + c uhat_i`; `r = sum_i ||p_i||^2 / (N mu)` over
    the `N` tensors; and `lr <- lr exp(damping (r - 1))` for the next step.

    The state has the base's tensors, `path.0`, `path.1`, ... (one a tensor of the
    model, `(..., size)`: their sizes tell where each lies), and `mu`, `damping`, `lr`,
    `r` and `rejected` (how often a rate was not finite and the old one was kept), all
    `(..., 1)`.
    """

    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": Setting(1e-3, "rate of the first step", low=0, low_open=True),
        "base": Setting("sgd", "base direction", choices=("sgd", "adam")),
        "damping": Setting(
            "auto",
            "how fast the rate follows the path; 0: never; auto: by the run's length",
            low=0,
            words=("auto",),
        ),
        "c": Setting(0.2, "share of the newest step in the path", 0, 1, low_open=True),
        "unit_step": Setting(
            False, "move by normalised steps, each of length lr", choices=(False, True)
        ),
        "per_tensor": Setting(
            True, "normalise each tensor's step, not the whole", choices=(False, True)
        ),
        "mu": Setting(
            None,
            "squared path length at which the rate stays; null: the closed form; "
            "table: the reference code's for its model sizes, else the closed form",
            low=0,
            high=1,
            low_open=True,
            words=("table",),
            optional=True,
        ),
        **ADAM_SETTINGS,
        **DECAY_SETTINGS,
    }
    adapts = "rate"
    reference = (
        "Atamna, Maus, Kievelitz, Glasmachers, Cumulative Learning Rate Adaptation, "
        "2025, arXiv 2508.05408"
    )
    extra_memory = "1; 3 with base adam"

    def __init__(self, settings: Stacked, run: Run) -> None:
        super().__init__(settings, run)
        self._base = DIRECTIONS[str(settings["base"])](self)
        self._c = self.number("c")
        self._unit_step = bool(settings["unit_step"])
        beta1, _ = cast("tuple[float, float]", settings["betas"])
        self._closed_mu = stationary_mu(
            self._c, beta1 if settings["base"] == "adam" else 0
        )

    @override
    @classmethod
    def check(cls, settings: Mapping[str, Value]) -> None:
        adam = settings.get("base", "sgd") == "adam"
        for name in ADAM_SETTINGS:
            if name in settings and not adam:
                raise SettingProblem(
                    name, settings[name], "left out unless base is adam"
                )
        if settings.get("mu") == "table":
            listed = adam and settings.get("c", 0.2) == 0.2
            betas = settings.get("betas", (0.9, 0.999))
            if not listed or not isinstance(betas, tuple) or betas[0] != 0.9:
                rule = "null or a number unless base is adam, c 0.2 and beta1 0.9"
                raise SettingProblem("mu", "table", rule)

    @override
    def init(self, w: Tensor, layout: Layout) -> State:
        whole = w.shape[-1]
        sizes = layout.sizes if self.given["per_tensor"] else [whole]
        paths = {
            f"path.{i}": w.new_zeros((*w.shape[:-1], size))
            for i, size in enumerate(sizes)
        }
        mu = self._mu(whole)
        lr = self.number("lr").clone()
        return {
            **self._base.init(w, layout),
            **paths,
            "mu": mu.clone(),
            "damping": self._damping(mu).clone(),
            "lr": lr,
            "r": torch.full_like(lr, math.nan),
            "rejected": torch.zeros_like(lr),
        }

    @override
    def update(
        self, w: Tensor, g: Tensor, state: State, oracle: Oracle
    ) -> tuple[Tensor, State]:
        g = self._base.gradient(w, g, state)
        s, scale = self._base.step(w, g, state)
        lr = state["lr"]
        if not self._unit_step:
            w.addcmul_(s, -lr * scale)
        begin, squares = 0, []
        for path in _paths(state):
            place = slice(begin, begin := begin + path.shape[-1])
            norm = scale * torch.linalg.vector_norm(s[..., place], dim=-1, keepdim=True)
            inverse = scale / norm.clamp(min=_NORM_FLOOR)
            if self._unit_step:
                w[..., place].addcmul_(s[..., place], -lr * inverse)
            path.mul_(1 - self._c).addcmul_(s[..., place], self._c * inverse)
            squares.append(
                torch.linalg.vector_norm(path, dim=-1, keepdim=True).square_()
            )
        r = sum(squares[1:], squares[0]) / (len(squares) * state["mu"])
        adapted = lr * torch.exp(state["damping"] * (r - 1))
        finite = torch.isfinite(adapted)
        state["lr"] = torch.where(finite, adapted, lr)
        state["r"] = r
        state["rejected"] += ~finite
        return w, state

    @override
    def observe(self, state: State) -> dict[str, Tensor]:
        return {name: state[name] for name in ("lr", "r", "rejected")}

    def _mu(self, parameters: int) -> Tensor:
        mu = self.given["mu"]
        if isinstance(mu, Tensor):
            return mu
        if mu == "table" and parameters in MU_TABLE:
            return torch.full_like(self._closed_mu, MU_TABLE[parameters])
        return self._closed_mu

    def _damping(self, mu: Tensor) -> Tensor:
        damping = self.given["damping"]
        if isinstance(damping, Tensor):
            return damping
        return auto_damping(mu, self.run.steps, self._unit_step)


def _paths(state: State) -> list[Tensor]:
    """Return the paths in the model's order, whatever order a checkpoint has."""
    names = takewhile(lambda name: name in state, (f"path.{i}" for i in count()))
    return [state[name] for name in names]
