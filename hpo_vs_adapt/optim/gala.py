"""GALA: the rate that past alignments and curvatures of the loss would have wanted."""

from __future__ import annotations

import math
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
from hpo_vs_adapt.optim.gala_alignment import alignment_of
from hpo_vs_adapt.optim.rates import LearntRate
from hpo_vs_adapt.optim.reductions import overwrite
from hpo_vs_adapt.optim.schedules import SCHEDULE_SETTINGS

if TYPE_CHECKING:
    from hpo_vs_adapt.records.trials import Value

__all__ = ["GALA"]

_BEGUN = Clock("begun")  # 0 before the first step, then 1


class GALA(Rule):
    """Learning rate from gradient alignment, by follow-the-regularised-leader.

    Every step but the first differentiates its minibatch `B_n` twice, at the weights
    `x_n` (`g`) and at those before the last step (`h`), and takes each past step as a
    quadratic in the rate, `-eta a_n + L_n q_n eta^2 / 2`, whose sum has its least value
    at the rate of the coming step::

        L_n = ||g - h|| / ||x_n - x_{n-1}||
        N  += a_n                  D += L_n q_n
        eta = min(max((delta eta_0 + N) / (delta + D), 0), lr_max)

    With ``align: same_batch`` (the default over SGD) `a_n = <g, h>` and
    `q_n = ||g_{n-1}||^2`, raw gradients whatever the momentum; over Adam
    `a_n = <g, P h>` and `q_n = ||P g_{n-1}||^2` with its last preconditioner
    `P = 1 / (sqrt(vhat) + eps)`. With ``align: direction`` (the default over Adam and
    AdamW) `a_n = <g, u>` and `q_n = ||u||^2` with the direction `u` of the last step,
    without decoupled decay. How GALA goes with Adam, where `delta` and `eta_0` enter
    and `optimistic` (the newest `a` and `L` count once more, with the coming step's
    `q`, as a guess at the next quadratic) are not published in full: they are our
    reading.

    With ``align: same_batch`` the sums do not know that momentum 0.9 multiplies steps
    by ten. Measured on `digits_mlp` (batch 64, 560 steps, two seeds, first rates 1e-5
    to 1): validation accuracies of 0.74 to 0.88; 0.965 to 0.975 without momentum, 0.97
    to 0.98 with it and ``align: direction``. It is the method: the same formulas on
    autograd, without this package, gave 0.83 to 0.93 against 0.97 (batch 128).

    Where a step moved nothing, `L` is the last one. Where `delta + D` is 0, the rate
    stays. Where a sum would not be finite, sums and rate stay, which `rejected` counts.

    The state has the base's tensors, the parts of `LearntRate` and of the alignment,
    and `previous` (`x_{n-1}`), `(..., P)`; `alignment` (`a`), `curvature` (`L`) and, in
    float64, `alignment_sum` and `curvature_sum` (`N` and `D`), all `(..., 1)`; and
    `begun`, a `Clock`.
    """

    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": Setting(1e-3, "rate of the first step, eta_0", low=0, low_open=True),
        "base": Setting("sgd", "base direction", choices=("sgd", "adam", "adamw")),
        "delta": Setting(0.0, "weight of the regulariser", low=0),
        "center": Setting(
            True, "regularise towards lr, not towards 0", choices=(False, True)
        ),
        "lr_max": Setting(
            None, "largest rate; null: none", low=0, low_open=True, optional=True
        ),
        "align": Setting(
            None,
            "whether the gradient is compared with the last step's direction or with "
            "the minibatch's own before it; null: direction with Adam, else same_batch",
            choices=("direction", "same_batch"),
            optional=True,
        ),
        "optimistic": Setting(
            False, "count the newest quadratic twice", choices=(False, True)
        ),
        **MOMENTUM_SETTINGS,
        "momentum": Setting(0.9, "heavy-ball momentum", low=0, high=1, high_open=True),
        **ADAM_SETTINGS,
        **DECAY_SETTINGS,
        **SCHEDULE_SETTINGS,
    }
    adapts = "rate"
    reference = (
        "Jiang, Kavis, Mokhtari, Online Learning-guided Learning Rate Adaptation via "
        "Gradient Alignment, 2025, arXiv 2506.08419"
    )
    defaults = "paper (momentum); ours (lr, delta)"
    space: ClassVar[Mapping[str, Range]] = {"lr": Range(1e-6, 1)}
    space_from = "ours"
    extra_gradients = "1"
    extra_memory = "1 and the base's; 1 more with the align that is not the default"

    def __init__(self, settings: Stacked, run: Run) -> None:
        super().__init__(settings, run)
        self._base = DIRECTIONS[str(settings["base"])](self)
        self._rate = LearntRate(self)
        self._align = alignment_of(self)
        self._delta = self.number("delta").double()
        self._towards = self.number("lr").double() * bool(settings["center"])
        most = math.inf if settings["lr_max"] is None else self.number("lr_max")
        self._most = torch.as_tensor(
            most, dtype=torch.float64, device=self._delta.device
        )

    @override
    @classmethod
    def check(cls, settings: Mapping[str, Value]) -> None:
        refuse_settings_of_other_bases(settings)

    @override
    def init(self, w: Tensor, layout: Layout) -> State:
        base = self._base.init(w, layout)
        zero = torch.zeros_like(w[..., :1])
        state = {
            **base,
            **self._rate.init(),
            **self._align.init(w, base),
            "previous": w.clone(),
            "alignment": torch.full_like(zero, math.nan),
            "curvature": zero,
            "alignment_sum": torch.zeros_like(zero, dtype=torch.float64),
            "curvature_sum": torch.zeros_like(zero, dtype=torch.float64),
        }
        state["lr"] = state["lr"].minimum(self._most.to(zero.dtype))
        _BEGUN.set(state, w, 0)
        return state

    @override
    def update(
        self, w: Tensor, g: Tensor, state: State, oracle: Oracle
    ) -> tuple[Tensor, State]:
        previous = state["previous"]
        # Before the first step there is nothing to compare, and nothing is asked.
        _, h = oracle(previous) if _BEGUN.read(state) else (None, g)
        _BEGUN.set(state, w, 1)
        moved = overwrite(previous, w)
        a, squared, changed = self._align.measure(g, h, state)
        curvature = torch.where(moved > 0, changed / moved, state["curvature"])
        g = self._base.gradient(w, g, state)
        u, scale = self._base.step(w, g, state)
        self._align.renew(u, state)
        self._learn(a, curvature, squared, state)
        w.addcmul_(u, -self._rate.now(state) * scale)
        self._rate.advance(state)
        return w, state

    @override
    def probe(self, w: Tensor, state: State) -> Tensor | None:
        return state["previous"] if _BEGUN.read(state) else None

    @override
    def save(self, state: State) -> State:
        return _BEGUN.save(state)

    @override
    def resume(self, w: Tensor, saved: State) -> State:
        return _BEGUN.resume(w, saved)

    @override
    def observe(self, state: State) -> dict[str, Tensor]:
        scalars = {name: state[name] for name in ("alignment", "curvature", "rejected")}
        return {
            "lr": self._rate.now(state),
            **scalars,
            **self._base.observe(state),
        }

    def _learn(
        self, a: Tensor, curvature: Tensor, squared: Tensor, state: State
    ) -> None:
        """Add the last step's quadratic to the sums, and follow their leader."""
        n = state["alignment_sum"] + a
        d = state["curvature_sum"] + curvature.double() * squared
        above, below = n, d
        if self.given["optimistic"]:
            coming = self._align.coming(state)
            above, below = n + a, d + curvature.double() * coming
        lr = state["lr"]
        # An infinite D would give the rate 0, which is finite.
        finite = torch.isfinite(above) & torch.isfinite(below)
        followed = torch.where(finite, self._lead(above, below, lr.double()), math.nan)
        begun = state["step"] > 0
        learnt = torch.where(begun, followed.to(lr.dtype), lr)
        taken = begun & self._rate.learn(state, learnt)
        for name, value in (
            ("alignment", a),
            ("curvature", curvature),
            ("alignment_sum", n),
            ("curvature_sum", d),
        ):
            state[name] = torch.where(taken, value, state[name])

    def _lead(self, above: Tensor, below: Tensor, lr: Tensor) -> Tensor:
        """Return the rate at which the sum of the quadratics is least."""
        total = self._delta + below
        # In this order a delta that outweighs D leaves eta_0 to the last bit.
        eta = self._delta / total * self._towards + above / total
        return torch.where(total > 0, eta, lr).clamp(min=0).minimum(self._most)
