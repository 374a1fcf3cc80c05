"""MoMo and MoMo-Adam, of their authors' library momo-opt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from typing_extensions import override

from hpo_vs_adapt.optim.base import Range, Setting
from hpo_vs_adapt.optim.declarations import Declaration
from hpo_vs_adapt.optim.directions import ADAM_SETTINGS
from hpo_vs_adapt.optim.external import External
from hpo_vs_adapt.optim.guests import Guest, Point
from hpo_vs_adapt.optim.lane_settings import Arguments
from hpo_vs_adapt.optim.schedules import SCHEDULE_SETTINGS

__all__ = ["MoMo", "MoMoAdam"]

_BOUND: Mapping[str, Setting] = {
    "weight_decay": Setting(0.0, "decoupled (proximal) weight decay", low=0),
    "lb": Setting(0.0, "least loss that a minibatch can have"),
    "use_fstar": Setting(
        False, "estimate the least loss, from lb on", choices=(False, True)
    ),
    **SCHEDULE_SETTINGS,
}


class MoMo(External):
    """SGD with momentum at a Polyak rate for the averaged loss, with a cap.

    The library does not show its rate: it is measured as the length of the step along
    the averaged gradient, over that gradient's.
    """

    declares = Declaration(lr="cap", needs_loss=True)
    source = "momo:Momo"
    install = "momo-opt"
    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": Setting(1.0, "largest rate", low=0, low_open=True),
        "beta": Setting(
            0.9, "decay of the averages of gradient and loss", 0, 1, high_open=True
        ),
        "bias_correction": Setting(
            False, "start the averages at 0, not at the first", choices=(False, True)
        ),
        **_BOUND,
    }
    adapts = "rate"
    reference = "Schaipp et al., MoMo, ICML 2024, arXiv 2305.07583"
    defaults = "library"
    space: ClassVar[Mapping[str, Range]] = {"lr": Range(0.01, 10)}
    space_from = "ours"
    extra_memory = "2 + 2"

    @override
    def step(self, guest: Guest, optimizer: Optimizer, point: Point) -> None:
        super().step(guest, optimizer, point)
        (group,) = optimizer.param_groups
        shrunk = 1 + group["lr"] * group["weight_decay"]
        moved = point.w - shrunk * guest.gather()
        direction = torch.cat(
            [self._direction(optimizer, p).reshape(-1) for p in group["params"]]
        )
        along = (moved * direction).sum() / (direction * direction).sum()
        _rates(optimizer)[:] = [along.nan_to_num(0.0)]

    @override
    def rate(self, guest: Guest, settings: Arguments) -> float:
        (optimizer,) = guest.optimizers
        return float((_rates(optimizer) or [optimizer.param_groups[0]["lr"]])[0])

    def _direction(self, optimizer: Optimizer, parameter: nn.Parameter) -> Tensor:
        return optimizer.state[parameter]["grad_avg"]


class MoMoAdam(MoMo):
    """Adam at a Polyak rate for the averaged loss, with a cap."""

    source = "momo:MomoAdam"
    settings: ClassVar[Mapping[str, Setting]] = {
        "lr": Setting(1e-2, "largest rate", low=0, low_open=True),
        **ADAM_SETTINGS,
        **_BOUND,
    }
    space: ClassVar[Mapping[str, Range]] = {"lr": Range(1e-4, 0.1)}
    extra_memory = "3 + 2"

    @override
    def _direction(self, optimizer: Optimizer, parameter: nn.Parameter) -> Tensor:
        state, group = optimizer.state[parameter], optimizer.param_groups[0]
        correction = 1 - group["betas"][1] ** state["step"]
        below = state["grad_avg_sq"].div(correction).sqrt_().add_(group["eps"])
        return state["grad_avg"] / below


def _rates(optimizer: Optimizer) -> list[float | Tensor]:
    """Return the library's list of rates, which it leaves empty."""
    state: Any = optimizer.state
    return state["step_size_list"]
