"""Optimizers of the library pytorch-optimizer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from typing_extensions import override

from hpo_vs_adapt.optim.base import Range, Setting
from hpo_vs_adapt.optim.declarations import EXEMPTIONS, Declaration
from hpo_vs_adapt.optim.directions import ADAM_SETTINGS
from hpo_vs_adapt.optim.external import External
from hpo_vs_adapt.optim.guests import Guest
from hpo_vs_adapt.optim.lane_settings import Arguments
from hpo_vs_adapt.optim.schedules import SCHEDULE_SETTINGS

__all__ = [
    "AdamG",
    "AliG",
    "DAdaptAdam",
    "DAdaptSGD",
    "Prodigy",
    "ScheduleFreeAdamW",
    "ScheduleFreeRAdam",
    "ScheduleFreeSGD",
]

_MULTIPLIER = Setting(
    1.0, "multiplies the rate found; 1: as published", low=0, low_open=True
)
_RATE = Setting(2.5e-3, "rate", low=0, low_open=True)
_MOMENTUM = Setting(0.9, "momentum", low=0, high=1, high_open=True)
_COUPLED = Setting(0.0, "coupled (L2) weight decay", low=0)
_DECOUPLED = Setting(0.0, "decoupled weight decay, times the rate", low=0)
_INTERPOLATION = Setting(
    0.9, "share of the average where gradients are taken", 0, 1, True, True
)
_DISTANCE: Mapping[str, Setting] = {
    "d0": Setting(1e-6, "first estimate of the distance", low=0, low_open=True),
    "growth_rate": Setting(
        None,
        "largest factor of the estimate in a step; null: any",
        low=1,
        low_open=True,
        optional=True,
    ),
}


class _Distance(External):
    """Learns the distance to a solution, `d`: the rate is in proportion to it."""

    declares = Declaration(lr="multiplier", mutates_grad=True)
    install = "pytorch-optimizer>=4.1,<5"
    adapts = "rate"

    @override
    def arguments(self, settings: Arguments) -> Arguments:
        growth = settings["growth_rate"]
        unbounded = math.inf if growth is None else growth
        return {**super().arguments(settings), "growth_rate": unbounded}

    @override
    def rate(self, guest: Guest, settings: Arguments) -> float:
        group = guest.optimizers[0].param_groups[0]
        return group["d"] * group["lr"]


class DAdaptSGD(_Distance):
    """SGD with momentum whose rate is `d` over the first gradient's norm.

    Before that gradient the rate is logged as if its norm were 1.
    """

    source = "pytorch_optimizer:DAdaptSGD"
    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": _MULTIPLIER,
        "momentum": _MOMENTUM,
        **_DISTANCE,
        "weight_decay": _COUPLED,
        **SCHEDULE_SETTINGS,
    }
    reference = "Defazio & Mishchenko, D-Adaptation, ICML 2023, arXiv 2301.07733"
    defaults = "library"
    space: ClassVar[Mapping[str, Range]] = {"lr": Range(0.01, 10)}
    space_from = "ours"
    extra_memory = "3 + 2"

    @override
    def rate(self, guest: Guest, settings: Arguments) -> float:
        norm = guest.optimizers[0].param_groups[0].get("g0_norm", 1.0)
        return super().rate(guest, settings) / norm


class DAdaptAdam(_Distance):
    """Adam whose rate is the estimated distance; weight decay is decoupled."""

    source = "pytorch_optimizer:DAdaptAdam"
    fixed: ClassVar = {"weight_decouple": True}
    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": _MULTIPLIER,
        **ADAM_SETTINGS,
        **_DISTANCE,
        "weight_decay": _DECOUPLED,
        **SCHEDULE_SETTINGS,
    }
    reference = DAdaptSGD.reference
    defaults = "library"
    space: ClassVar[Mapping[str, Range]] = {"lr": Range(0.01, 10)}
    space_from = "ours"
    extra_memory = "3 + 2"


class Prodigy(_Distance):
    """Adam whose rate is an estimated distance that is found sooner."""

    source = "pytorch_optimizer:Prodigy"
    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": _MULTIPLIER,
        **ADAM_SETTINGS,
        **_DISTANCE,
        "d_coef": Setting(1.0, "factor of the distance", low=0, low_open=True),
        "safeguard_warmup": Setting(
            True, "warm-up does not enlarge the estimate", choices=(False, True)
        ),
        "weight_decay": _DECOUPLED,
        **SCHEDULE_SETTINGS,
    }
    reference = "Mishchenko & Defazio, Prodigy, ICML 2024, arXiv 2306.06101"
    defaults = "library; safeguard_warmup on, as its authors advise with warm-up"
    space: ClassVar[Mapping[str, Range]] = {"d_coef": Range(0.1, 10)}
    space_from = "ours; its authors advise to tune d_coef alone"
    extra_memory = "4 + 2"


class _ScheduleFree(External):
    """Gradients between the iterate and its average, which is what is evaluated."""

    declares = Declaration(schedule="forbidden", mode_switch=True, mutates_grad=True)
    install = "pytorch-optimizer>=4.1,<5"
    adapts = "schedule"
    reference = "Defazio et al., The road less scheduled, NeurIPS 2024, 2405.15682"
    defaults = "library"

    @override
    def arguments(self, settings: Arguments) -> Arguments:
        given = super().arguments(settings)
        share = given.pop("warmup", None)
        if share is not None:
            given["warmup_steps"] = round(share * self.run.steps)
        return given

    @override
    def rate(self, guest: Guest, settings: Arguments) -> float:
        group = guest.optimizers[0].param_groups[0]
        steps, warming = group.get("step", 0) + 1, group.get("warmup_steps", 0)
        return group["lr"] * (steps / warming if steps < warming else 1)


class ScheduleFreeSGD(_ScheduleFree):
    """SGD without a schedule; its rate is usually far above SGD's."""

    source = "pytorch_optimizer:ScheduleFreeSGD"
    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": Setting(1.0, "rate", low=0, low_open=True),
        "momentum": _INTERPOLATION,
        "weight_decay": _COUPLED,
        "warmup": SCHEDULE_SETTINGS["warmup"],
    }
    space: ClassVar[Mapping[str, Range]] = {"lr": Range(0.01, 100)}
    space_from = "ours"
    extra_memory = "1 + 2"


class ScheduleFreeAdamW(_ScheduleFree):
    """AdamW without a schedule."""

    source = "pytorch_optimizer:ScheduleFreeAdamW"
    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": _RATE,
        **ADAM_SETTINGS,
        "weight_decay": _DECOUPLED,
        "warmup": SCHEDULE_SETTINGS["warmup"],
    }
    space: ClassVar[Mapping[str, Range]] = {"lr": Range(1e-4, 0.1)}
    space_from = "ours"
    extra_memory = "2 + 2"


class ScheduleFreeRAdam(_ScheduleFree):
    """RAdam without a schedule; the warm-up is its own rectification."""

    source = "pytorch_optimizer:ScheduleFreeRAdam"
    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": _RATE,
        **ADAM_SETTINGS,
        "weight_decay": _DECOUPLED,
    }
    space: ClassVar[Mapping[str, Range]] = {"lr": Range(1e-4, 0.1)}
    space_from = "ours"
    extra_memory = "2 + 2"
    exemptions: ClassVar[Mapping[str, str]] = {
        **EXEMPTIONS,
        "check_zero_gradients_are_harmless": (
            "RAdam's first five steps move nothing, and four with a gradient are all "
            "that the check takes."
        ),
    }


class AliG(External):
    """Polyak's rate on each minibatch, with a cap, for losses that can reach 0."""

    declares = Declaration(lr="cap", schedule="forbidden", closure="value")
    source = "pytorch_optimizer:AliG"
    install = "pytorch-optimizer>=4.1,<5"
    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": Setting(0.1, "largest rate (max_lr)", low=0, low_open=True),
        "momentum": _MOMENTUM,
    }
    adapts = "rate"
    reference = (
        "Berrada, Zisserman, Kumar, Training neural networks for and by interpolation, "
        "ICML 2020"
    )
    defaults = "ours; the library has no cap and no momentum"
    space: ClassVar[Mapping[str, Range]] = {"lr": Range(0.01, 10)}
    space_from = "ours"
    extra_memory = "1 + 2"

    @override
    def arguments(self, settings: Arguments) -> Arguments:
        return {"max_lr": settings["lr"], "momentum": settings["momentum"]}

    @override
    def rate(self, guest: Guest, settings: Arguments) -> float:
        group = guest.optimizers[0].param_groups[0]
        return group.get("step_size", group["max_lr"])


class AdamG(External):
    """Adam over a running scale of the gradients; the rate falls with the root of t."""

    declares = Declaration(lr="multiplier")
    source = "pytorch_optimizer:AdamG"
    install = "pytorch-optimizer>=4.1,<5"
    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": Setting(1.0, "largest rate, above 1 / sqrt(t)", low=0, low_open=True),
        "eps": ADAM_SETTINGS["eps"],
        "weight_decay": _DECOUPLED,
        **SCHEDULE_SETTINGS,
    }
    fixed: ClassVar = {"weight_decouple": True}
    adapts = "rate"
    reference = (
        "Pang, Yu, Hoang, Zhou, Towards stability of parameter-free optimization, "
        "2024, arXiv 2405.04376"
    )
    defaults = "library"
    space: ClassVar[Mapping[str, Range]] = {"lr": Range(0.01, 10)}
    space_from = "ours"
    extra_memory = "3 + 2"

    @override
    def rate(self, guest: Guest, settings: Arguments) -> float:
        group = guest.optimizers[0].param_groups[0]
        return min(group["lr"], 1 / math.sqrt(group.get("step", 0) + 1))
