"""CLARA: the rate follows the length of the path of normalised steps."""

from __future__ import annotations

import math
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
from hpo_vs_adapt.optim.damping import auto_damping, reference_sigma
from hpo_vs_adapt.optim.directions import ADAM_SETTINGS, DECAY_SETTINGS, DIRECTIONS
from hpo_vs_adapt.optim.random_walk import MU_TABLE, SMALL, stationary_mu
from hpo_vs_adapt.optim.rates import LearntRate
from hpo_vs_adapt.optim.schedules import SCHEDULE_SETTINGS
from hpo_vs_adapt.optim.walk_cache import find_walk

if TYPE_CHECKING:
    from hpo_vs_adapt.records.trials import Value

__all__ = ["CLARA"]

_NORM_FLOOR = 1e-12


class CLARA(Rule):
    """Cumulative learning rate adaptation over SGD or Adam.

    With the base's step `s`, cut into the model's tensors `s_i` (or whole):
    `uhat_i = s_i / max(||s_i||, 1e-12)`; `w_i <- w_i - lr s_i` (or `uhat_i`, with
    `unit_step`); `p_i <- (1 - c) p_i + c uhat_i`; `r = sum_i ||p_i||^2 / sum_i mu_i`
    over the tensors; and `lr <- lr exp(damping (r - 1))` for the next step, a schedule
    apart. `mu_i` is the squared length of the path of a random walk: the closed form
    of high dimension (for SGD of any), or with Adam and less than 50 parameters the
    mean of simulations.

    The state has the base's tensors, `path.0`, `path.1`, ... (one a tensor of the
    model, `(..., size)`: their sizes tell where each lies), and `mu` (the mean of the
    `mu_i`), `damping`, `r` and those of `LearntRate`, all `(..., 1)`; with `transient`
    also `forgotten`, `(1 - c)^(2 t)` after `t` steps.
    """

    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": Setting(1e-3, "rate of the first step", low=0, low_open=True),
        "base": Setting("sgd", "base direction", choices=("sgd", "adam")),
        "damping": Setting(
            "auto",
            "how fast the rate follows the path; 0: never; auto: by the run's length; "
            "sigma: twice the deviation of a random walk's squared length; "
            "published_sigma: twice the reference code's value of it",
            low=0,
            words=("auto", "sigma", "published_sigma"),
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
            "squared path length at which the rate stays; null: a random walk's; "
            "table: the reference code's for its model sizes, else a random walk's",
            low=0,
            high=1,
            low_open=True,
            words=("table",),
            optional=True,
        ),
        "transient": Setting(
            False,
            "expect short paths, mu (1 - (1 - c)^(2 t)), in the first steps",
            choices=(False, True),
        ),
        "lr_max": Setting(
            None, "largest rate; null: no bound", low=0, low_open=True, optional=True
        ),
        **ADAM_SETTINGS,
        **DECAY_SETTINGS,
        **SCHEDULE_SETTINGS,
    }
    adapts = "rate"
    reference = (
        "Atamna, Maus, Kievelitz, Glasmachers, Cumulative Learning Rate Adaptation, "
        "2025, arXiv 2508.05408"
    )
    defaults = "paper, but damping: calibrated here on digits and MNIST-1D"
    space: ClassVar[Mapping[str, Range]] = {"damping": Range(1e-5, 0.1)}
    space_from = "paper (the grid of its tables)"
    extra_memory = "1; 3 with base adam"

    def __init__(self, settings: Stacked, run: Run) -> None:
        super().__init__(settings, run)
        self._base = DIRECTIONS[str(settings["base"])](self)
        self._rate = LearntRate(self)
        self._c = self.number("c")
        self._unit_step = bool(settings["unit_step"])
        self._transient = bool(settings["transient"])
        betas = cast("tuple[float, float]", settings["betas"])
        self._betas = betas if settings["base"] == "adam" else None

    @override
    @classmethod
    def check(cls, settings: Mapping[str, Value]) -> None:
        adam = settings.get("base", "sgd") == "adam"
        for name in ADAM_SETTINGS:
            if name in settings and not adam:
                raise SettingProblem(
                    name, settings[name], "left out unless base is adam"
                )
        betas = settings.get("betas", (0.9, 0.999))
        beta1 = betas[0] if isinstance(betas, tuple) else None
        listed = adam and settings.get("c", 0.2) == 0.2 and beta1 == 0.9
        if settings.get("mu") == "table" and not listed:
            rule = "null or a number unless base is adam, c 0.2 and beta1 0.9"
            raise SettingProblem("mu", "table", rule)
        if settings.get("damping") == "published_sigma" and adam and not listed:
            rule = "something else with base adam unless c is 0.2 and beta1 0.9"
            raise SettingProblem("damping", "published_sigma", rule)

    @override
    def init(self, w: Tensor, layout: Layout) -> State:
        whole = w.shape[-1]
        sizes = layout.sizes if self.given["per_tensor"] else [whole]
        paths = {
            f"path.{i}": w.new_zeros((*w.shape[:-1], size))
            for i, size in enumerate(sizes)
        }
        mu = self._mu(sizes, whole)
        state = {
            **self._base.init(w, layout),
            **paths,
            **self._rate.init(),
            "mu": mu.clone(),
            "damping": self._damping(mu, whole).clone(),
            "r": torch.full_like(mu, math.nan),
        }
        if self._transient:
            state["forgotten"] = torch.ones_like(mu, dtype=torch.float64)
        return state

    @override
    def update(
        self, w: Tensor, g: Tensor, state: State, oracle: Oracle
    ) -> tuple[Tensor, State]:
        g = self._base.gradient(w, g, state)
        s, scale = self._base.step(w, g, state)
        lr = self._rate.now(state)
        if not self._unit_step:
            w.addcmul_(s, -lr * scale)
        begin, squares = 0, []
        for path in of_tensors(state, "path"):
            place = slice(begin, begin := begin + path.shape[-1])
            norm = scale * torch.linalg.vector_norm(s[..., place], dim=-1, keepdim=True)
            inverse = scale / norm.clamp(min=_NORM_FLOOR)
            if self._unit_step:
                w[..., place].addcmul_(s[..., place], -lr * inverse)
            path.mul_(1 - self._c).addcmul_(s[..., place], self._c * inverse)
            squares.append(
                torch.linalg.vector_norm(path, dim=-1, keepdim=True).square_()
            )
        r = sum(squares[1:], squares[0]) / (len(squares) * self._expected(state))
        adapted = state["lr"] * torch.exp(state["damping"] * (r - 1))
        if self.given["lr_max"] is not None:
            adapted = adapted.minimum(self.number("lr_max"))
        state["r"] = r
        self._rate.learn(state, adapted)
        self._rate.advance(state)
        return w, state

    @override
    def observe(self, state: State) -> dict[str, Tensor]:
        return {
            "lr": self._rate.now(state),
            "r": state["r"],
            "rejected": state["rejected"],
        }

    def _expected(self, state: State) -> Tensor:
        """Return the squared path length of a random walk at this step."""
        if not self._transient:
            return state["mu"]
        forgotten = state["forgotten"].mul_((1 - self._c.double()).square())
        return state["mu"] * (1 - forgotten).to(self._c.dtype)

    def _mu(self, sizes: list[int], whole: int) -> Tensor:
        mu = self.given["mu"]
        if isinstance(mu, Tensor):
            return mu
        if mu == "table" and whole in MU_TABLE:
            return torch.full_like(self._c, MU_TABLE[whole])
        closed = stationary_mu(self._c, self._betas[0] if self._betas else 0)
        small = [size for size in sizes if size < SMALL]
        if self._betas is None or not small:
            return closed
        betas = self._betas
        walks = {
            (size, c): find_walk(size, c, betas).mu
            for size in set(small)
            for c in set(_values(self._c))
        }
        simulated = [sum(walks[size, c] for size in small) for c in _values(self._c)]
        large = (len(sizes) - len(small)) * closed
        return (large + _like(simulated, self._c)) / len(sizes)

    def _damping(self, mu: Tensor, whole: int) -> Tensor:
        damping = self.given["damping"]
        if isinstance(damping, Tensor):
            return damping
        if damping == "auto":
            return auto_damping(mu, self.run.steps, self._unit_step)
        published = damping == "published_sigma"
        sigmas = [
            reference_sigma(whole, c, self._betas, published) for c in _values(self._c)
        ]
        return 2 * _like(sigmas, self._c)


def _values(c: Tensor) -> list[float]:
    """Return a setting of the lanes as numbers, whatever precision it was kept in."""
    return [float(f"{value:.6g}") for value in c.flatten().tolist()]


def _like(values: list[float], c: Tensor) -> Tensor:
    return c.new_tensor(values).reshape(c.shape)
