"""COCOB, of its author's library parameterfree."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from typing_extensions import override

from hpo_vs_adapt.optim.base import Range, Setting
from hpo_vs_adapt.optim.declarations import Declaration
from hpo_vs_adapt.optim.external import External
from hpo_vs_adapt.optim.guests import Guest
from hpo_vs_adapt.optim.lane_settings import Arguments

__all__ = ["COCOB"]


class COCOB(External):
    """Betting on every weight's gradients; no rate is chosen.

    A weight is at `w_0 + rate * (minus the sum of its gradients)`. What is logged is
    the length of the way from `w_0` over that of this sum, 0 until the first gradient.
    """

    declares = Declaration(lr="none", schedule="forbidden")
    source = "parameterfree:COCOB"
    install = "parameterfree"
    settings: ClassVar[Mapping[str, Setting]] = {
        "alpha": Setting(100.0, "about how many steps warm up", low=0),
        "eps": Setting(1e-8, "first bound of the gradients", low=0, low_open=True),
        "weight_decay": Setting(0.0, "coupled (L2) weight decay", low=0),
    }
    adapts = "rate"
    reference = (
        "Orabona & Tommasi, Training deep networks without learning rates through coin "
        "betting, NeurIPS 2017"
    )
    defaults = "library"
    space: ClassVar[Mapping[str, Range]] = {"alpha": Range(10, 1000)}
    space_from = "ours"
    extra_memory = "5 + 2"

    @override
    def rate(self, guest: Guest, settings: Arguments) -> float:
        moved = gradients = 0.0
        for s in guest.optimizers[0].state.values():
            below = torch.maximum(
                s["grad_norm_sum"] + s["L"], settings["alpha"] * s["L"]
            )
            rate = (s["reward"] + s["L"]) / (below * s["L"])
            total = s["sum_negative_gradients"]
            moved += float((rate * total).square().sum())
            gradients += float(total.square().sum())
        return math.sqrt(moved / gradients) if gradients else 0.0
