"""Bases of adaptive rules: the settings that they have, and the last direction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from hpo_vs_adapt.optim.base import Rule, SettingProblem, State
from hpo_vs_adapt.optim.directions import ADAM_SETTINGS, MOMENTUM_SETTINGS

if TYPE_CHECKING:
    from hpo_vs_adapt.trials import Value

__all__ = ["LastDirection", "dot", "norm", "refuse_settings_of_other_bases"]


def refuse_settings_of_other_bases(settings: Mapping[str, Value]) -> None:
    """Refuse settings that the base direction does not have.

    Args:
        settings: What a study names for a rule with the setting `base`.

    Raises:
        SettingProblem: For Adam's settings beside SGD, or SGD's beside Adam.
    """
    base = settings.get("base", "sgd")
    for name in ADAM_SETTINGS if base == "sgd" else MOMENTUM_SETTINGS:
        if settings.get(name) is not None:
            raise SettingProblem(name, settings[name], f"left out beside base {base}")


class LastDirection:
    """The direction along which the base took its last step, 0 before the first.

    Heavy-ball momentum is its own direction, and Adam's follows from its moments; the
    others are kept: the state then has `direction`, shape `(..., P)`. Decoupled weight
    decay is no part of it.

    Args:
        rule: A rule with the settings `base` and those of the bases.
    """

    def __init__(self, rule: Rule) -> None:
        self._adam = rule.given["base"] != "sgd"
        self._beta1, self._beta2 = cast("tuple[float, float]", rule.given["betas"])
        self._eps = rule.number("eps")
        self._nesterov = bool(rule.given["nesterov"])

    def init(self, w: Tensor, base: State) -> State:
        """Return what is kept beside the base's part of the state."""
        if self._adam or ("momentum" in base and not self._nesterov):
            return {}
        return {"direction": torch.zeros_like(w)}

    def keep(self, u: Tensor, state: State) -> None:
        """Keep what the base's step returned, if nothing else tells it."""
        if "direction" in state:
            state["direction"].copy_(u)

    def read(self, state: State, out: Tensor) -> tuple[Tensor, Tensor]:
        """Return `(u, scale)`; the direction is `scale * u`.

        Args:
            state: The rule's state.
            out: Memory that may be written to, shape `(..., P)`; `u` is there, or a
                tensor of the state.
        """
        if not self._adam:
            kept = "direction" if "direction" in state else "momentum"
            return state[kept], torch.ones_like(self._eps)
        root2, correction1 = self._corrections(state)
        below = torch.sqrt(state["square"], out=out)
        below.add_(self._eps * root2.to(out.dtype))
        u = torch.div(state["mean"], below, out=out)
        return u, (root2 / correction1).to(out.dtype)

    def _corrections(self, state: State) -> tuple[Tensor, Tensor]:
        """Return both bias corrections, that of the second moment as a root."""
        root2 = (1 - state["beta2_power"]).sqrt_()
        correction1 = 1 - state["beta1_power"]
        # Before the first step both are 0, and so is the direction, whatever they are.
        return (
            torch.where(root2 > 0, root2, 1.0),
            torch.where(correction1 > 0, correction1, 1.0),
        )


def dot(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """Return the inner products, shape `(..., 1)`.

    A product and a sum round alike for any number of lanes; `matmul` and `einsum` do
    not, and are slower.

    Args:
        a: One factor, shape `(..., P)`.
        b: The other.
        out: Memory that may be written to; may be that of a factor.
    """
    return torch.mul(a, b, out=out).sum(-1, keepdim=True)


def norm(a: Tensor) -> Tensor:
    """Return the Euclidean norms, shape `(..., 1)`."""
    return torch.linalg.vector_norm(a, dim=-1, keepdim=True)
