"""Optimizers that come with torch, beside those that the package has of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import nn
from torch.optim import Optimizer
from typing_extensions import override

from hpo_vs_adapt.optim.base import Range, Setting
from hpo_vs_adapt.optim.declarations import Declaration
from hpo_vs_adapt.optim.directions import ADAM_SETTINGS
from hpo_vs_adapt.optim.external import External
from hpo_vs_adapt.optim.lane_settings import Arguments
from hpo_vs_adapt.optim.schedules import SCHEDULE_SETTINGS

__all__ = ["Adagrad", "Muon", "NAdam", "NAdamW", "RMSprop", "has_muon"]

_DECAY = Setting(0.0, "coupled (L2) weight decay", low=0)


class NAdam(External):
    """Adam with Nesterov momentum, as `torch.optim.NAdam`."""

    declares = Declaration()
    source = "torch.optim:NAdam"
    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": Setting(2e-3, "rate", low=0, low_open=True),
        **ADAM_SETTINGS,
        "weight_decay": _DECAY,
        "momentum_decay": Setting(4e-3, "decay of the momentum's schedule", low=0),
        **SCHEDULE_SETTINGS,
    }
    adapts = "nothing"
    reference = "Dozat, Incorporating Nesterov momentum into Adam, ICLR workshop 2016"
    defaults = "library"
    space: ClassVar[Mapping[str, Range]] = {"lr": Range(1e-4, 0.1)}
    space_from = "ours"
    extra_memory = "2 + 2"


class NAdamW(NAdam):
    """NAdam with decoupled weight decay, as `torch.optim.NAdam` offers it."""

    fixed: ClassVar = {"decoupled_weight_decay": True}
    settings: ClassVar[Mapping[str, Setting]] = {
        **NAdam.settings,
        "weight_decay": Setting(1e-2, "decoupled weight decay, times the rate", low=0),
    }
    defaults = "library; weight_decay that of torch's AdamW"
    space: ClassVar[Mapping[str, Range]] = {
        "lr": Range(1e-4, 0.1),
        "weight_decay": Range(1e-4, 0.1),
    }
    space_from = "ours"


class RMSprop(External):
    """RMSprop, as `torch.optim.RMSprop`."""

    declares = Declaration()
    source = "torch.optim:RMSprop"
    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": Setting(1e-2, "rate", low=0, low_open=True),
        "alpha": Setting(0.99, "decay of the average of squares", 0, 1, high_open=True),
        "eps": ADAM_SETTINGS["eps"],
        "weight_decay": _DECAY,
        "momentum": Setting(0.0, "heavy-ball momentum", 0, 1, high_open=True),
        "centered": Setting(
            False, "divide by an estimate of the deviation", choices=(False, True)
        ),
        **SCHEDULE_SETTINGS,
    }
    adapts = "nothing"
    reference = "Hinton, Neural networks for machine learning, lecture 6, 2012"
    defaults = "library"
    space: ClassVar[Mapping[str, Range]] = {"lr": Range(1e-4, 0.1)}
    space_from = "ours"
    extra_memory = "1 + 2, 2 + 2 with momentum"


class Adagrad(External):
    """AdaGrad with a rate for each weight, as `torch.optim.Adagrad`."""

    declares = Declaration()
    source = "torch.optim:Adagrad"
    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": Setting(1e-2, "rate", low=0, low_open=True),
        "lr_decay": Setting(0.0, "the rate is over 1 + lr_decay t", low=0),
        "weight_decay": _DECAY,
        "initial_accumulator_value": Setting(0.0, "first sum of squares", low=0),
        "eps": Setting(1e-10, "added to the root of the sum", low=0, low_open=True),
        **SCHEDULE_SETTINGS,
    }
    adapts = "nothing"
    reference = "Duchi, Hazan, Singer, Adaptive subgradient methods, JMLR 2011"
    defaults = "library"
    space: ClassVar[Mapping[str, Range]] = {"lr": Range(0.001, 1)}
    space_from = "ours"
    extra_memory = "1 + 2"


class Muon(External):
    """Matrices move along orthogonalised momentum, all else as in AdamW.

    A matrix's rate is scaled so that its steps are as long as AdamW's (torch's
    ``match_rms_adamw``), and one `lr` serves both.
    """

    declares = Declaration()
    source = "torch.optim:Muon"
    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": Setting(1e-3, "rate", low=0, low_open=True),
        "momentum": Setting(0.95, "of the matrices", 0, 1, high_open=True),
        "weight_decay": Setting(0.1, "decoupled weight decay, times the rate", low=0),
        **ADAM_SETTINGS,
        **SCHEDULE_SETTINGS,
    }
    adapts = "nothing"
    reference = "Jordan et al., Muon, 2024; Liu et al., 2025, arXiv 2502.16982"
    defaults = "library"
    space: ClassVar[Mapping[str, Range]] = {"lr": Range(0.001, 0.1)}
    space_from = "ours"
    extra_memory = "1 + 2 for matrices, else 2 + 2"

    @override
    def make(
        self, parameters: list[nn.Parameter], settings: Arguments
    ) -> list[Optimizer]:
        shared = {name: settings[name] for name in ("lr", "weight_decay")}
        matrices = [p for p in parameters if p.ndim == 2]
        others = [p for p in parameters if p.ndim != 2]
        made: list[Optimizer] = []
        if matrices:
            made.append(
                self.optimizer_class()(
                    matrices,
                    momentum=settings["momentum"],
                    adjust_lr_fn="match_rms_adamw",
                    **shared,
                )
            )
        if others:
            betas, eps = settings["betas"], settings["eps"]
            made.append(torch.optim.AdamW(others, betas=betas, eps=eps, **shared))
        return made


def has_muon() -> bool:
    """Return whether the installed torch has Muon (2.9 and later)."""
    return "Muon" in vars(torch.optim)
