"""Bases of adaptive rules: the settings that they have, and the last direction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from hpo_vs_adapt.optim.base import Rule, SettingProblem, State
from hpo_vs_adapt.optim.directions import ADAM_SETTINGS, MOMENTUM_SETTINGS
from hpo_vs_adapt.optim.reductions import add_up, blocks, combine_norms, norm

if TYPE_CHECKING:
    from hpo_vs_adapt.records.trials import Value

__all__ = ["LastDirection", "refuse_settings_of_other_bases"]


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

    def length(self, state: State) -> Tensor:
        """Return the direction's norm, shape `(..., 1)`."""
        scale = self._scale(state)
        parts = [norm(self._part(place, state)) for place in blocks(self._whole(state))]
        return scale * combine_norms(parts)

    def compare(self, g: Tensor, state: State) -> tuple[Tensor, Tensor]:
        """Return `(<g, u>, ||u||)` for the direction `u`, both of shape `(..., 1)`."""
        scale, products, norms = self._scale(state), [], []
        for place in blocks(g):
            u = self._part(place, state)
            norms.append(norm(u))
            products.append((g[..., place] * u).sum(-1, keepdim=True))
        return scale * add_up(products), scale * combine_norms(norms)

    def _whole(self, state: State) -> Tensor:
        if self._adam:
            return state["mean"]
        return state["direction" if "direction" in state else "momentum"]

    def _part(self, place: slice, state: State) -> Tensor:
        """Return a block of the direction but for its scale."""
        u = self._whole(state)[..., place]
        if not self._adam:
            return u
        root2 = (1 - state["beta2_power"]).sqrt_()
        # Before the first step it is 0, and so is the direction, whatever is below.
        root2 = torch.where(root2 > 0, root2, 1.0)
        below = torch.sqrt(state["square"][..., place])
        return u / below.add_(self._eps * root2.to(u.dtype))

    def _scale(self, state: State) -> Tensor:
        if not self._adam:
            return torch.ones_like(self._eps)
        root2 = (1 - state["beta2_power"]).sqrt_()
        correction1 = 1 - state["beta1_power"]
        scale = root2 / torch.where(correction1 > 0, correction1, 1.0)
        return scale.to(self._eps.dtype)
