"""Mechanic over SGD and AdamW, of its authors' library mechanic-pytorch (an extra)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import nn
from torch.optim import Optimizer
from typing_extensions import override

from hpo_vs_adapt.optim.base import Range, Setting
from hpo_vs_adapt.optim.declarations import Declaration
from hpo_vs_adapt.optim.directions import ADAM_SETTINGS
from hpo_vs_adapt.optim.external import External
from hpo_vs_adapt.optim.guests import Guest
from hpo_vs_adapt.optim.lane_settings import Arguments
from hpo_vs_adapt.optim.schedules import SCHEDULE_SETTINGS

__all__ = ["MechanicAdam", "MechanicSGD"]

_SHARED: Mapping[str, Setting] = {
    "lr": Setting(
        1.0, "rate of the base, which is scaled; 1: as published", 0, low_open=True
    ),
    "s_decay": Setting(0.01, "decay of the scale, as of weights", low=0),
}


class _Mechanic(External):
    """Scales the base's steps from the start by what would have paid."""

    declares = Declaration(lr="multiplier")
    source = "mechanic_pytorch:mechanize"
    install = "hpo-vs-adapt[mechanic]"
    adapts = "rate"
    reference = "Cutkosky, Defazio, Mehta, Mechanic, NeurIPS 2023, arXiv 2306.00144"
    defaults = "library"
    space: ClassVar[Mapping[str, Range]] = {"s_decay": Range(0.001, 0.1)}
    space_from = "ours"
    base: ClassVar[type[Optimizer]]

    @override
    def make(
        self, parameters: list[nn.Parameter], settings: Arguments
    ) -> list[Optimizer]:
        mechanize = self.optimizer_class()  # a function that returns a class
        arguments = self.arguments(settings)
        scaled = mechanize(self.base, s_decay=arguments.pop("s_decay"))
        return [scaled(parameters, **arguments)]

    @override
    def rate(self, guest: Guest, settings: Arguments) -> float:
        (optimizer,) = guest.optimizers
        state: Any = optimizer.state  # the library's own part has a name for a key
        scale = state["_mechanic"]["s"].sum() if state else 0.0
        return float(scale) * optimizer.param_groups[0]["lr"]


class MechanicSGD(_Mechanic):
    """Mechanic over SGD with momentum."""

    base = torch.optim.SGD
    settings: ClassVar[Mapping[str, Setting]] = {
        **_SHARED,
        "momentum": Setting(0.9, "momentum of SGD", 0, 1, high_open=True),
        "weight_decay": Setting(0.0, "coupled (L2) weight decay", low=0),
        **SCHEDULE_SETTINGS,
    }
    extra_memory = "4 + 2"


class MechanicAdam(_Mechanic):
    """Mechanic over AdamW."""

    base = torch.optim.AdamW
    settings: ClassVar[Mapping[str, Setting]] = {
        **_SHARED,
        **ADAM_SETTINGS,
        "weight_decay": Setting(1e-2, "decoupled weight decay, times the rate", low=0),
        **SCHEDULE_SETTINGS,
    }
    extra_memory = "5 + 2"
