"""DoG and L-DoG, of their authors' library dog-optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from typing_extensions import override

from hpo_vs_adapt.optim.base import Range, Setting
from hpo_vs_adapt.optim.declarations import Declaration
from hpo_vs_adapt.optim.external import External
from hpo_vs_adapt.optim.guests import Guest
from hpo_vs_adapt.optim.lane_settings import Arguments

__all__ = ["DoG", "LDoG"]


class DoG(External):
    """The rate is the largest distance from the start, over the gradients' root sum.

    The average of the iterates is evaluated, without which the paper has no results.
    The rate is logged as 0 until the first gradient.
    """

    declares = Declaration(
        lr="none", schedule="forbidden", averaging=True, mutates_grad=True
    )
    source = "dog:DoG"
    install = "dog-optimizer"
    settings: ClassVar[Mapping[str, Setting]] = {
        "reps_rel": Setting(
            1e-6,
            "first distance over 1 + ||w||; 1e-4 for models with BatchNorm",
            low=0,
            low_open=True,
        ),
        "eps": Setting(1e-8, "first sum of squares", low=0, low_open=True),
        "weight_decay": Setting(0.0, "coupled (L2) weight decay", low=0),
    }
    adapts = "rate"
    reference = "Ivgi, Hinder, Carmon, DoG is SGD's best friend, ICML 2023, 2302.12022"
    defaults = "library"
    space: ClassVar[Mapping[str, Range]] = {"reps_rel": Range(1e-8, 0.01)}
    space_from = "ours"
    extra_memory = "2 + 2"

    @override
    def rate(self, guest: Guest, settings: Arguments) -> float:
        rates = guest.optimizers[0].param_groups[0].get("eta", [0.0])
        return sum(map(float, rates)) / len(rates)


class LDoG(DoG):
    """DoG with a rate for each tensor of the model; their mean is logged."""

    source = "dog:LDoG"
