"""The small baselines as optimizers of torch; `torch_optim.py` says how to use them."""

from __future__ import annotations

import math

from torch.optim.optimizer import ParamsT

from hpo_vs_adapt.optim import adagrad_norm, dowg, line_search, polyak
from hpo_vs_adapt.optim.hosting import HostingOptimizer, hosting

__all__ = ["SLS", "SPS", "AdaGradNorm", "DoWG"]


class DoWG(HostingOptimizer):
    """Distance over weighted gradients; `optim.dowg.DoWG` has the formulas.

    Args:
        params: Parameters or parameter groups.
        lr: Multiplies the rate; 1 as published.
        eps: First squared distance, and added to the root.
        weight_decay: In the gradient.
    """

    rule = dowg.DoWG

    @hosting
    def __init__(
        self,
        params: ParamsT,
        lr: float = 1.0,
        eps: float = 1e-4,
        weight_decay: float = 0.0,
    ) -> None: ...


class AdaGradNorm(HostingOptimizer):
    """AdaGrad with a single rate; `optim.adagrad_norm` has the formulas.

    Args:
        params: Parameters or parameter groups.
        lr: Rate where the root of the sum of squared gradients is 1.
        b0: That root before the first step.
        weight_decay: In the gradient.
    """

    rule = adagrad_norm.AdaGradNorm

    @hosting
    def __init__(
        self,
        params: ParamsT,
        lr: float = 1.0,
        b0: float = 0.1,
        weight_decay: float = 0.0,
    ) -> None: ...


class SLS(HostingOptimizer):
    """Stochastic line search; `optim.line_search.SLS` has the formulas.

    Its step needs a closure, which is called again for every rate that is tried. All
    parameter groups have the same settings and share one rate.

    Args:
        params: Parameters or parameter groups.
        lr: Rate tried first.
        lr_max: Largest rate tried.
        c: Share of the linear decrease asked for.
        backtrack: Factor of the rate after a trial that failed.
        growth: Factor of the rate in an epoch.
        steps_per_epoch: Steps in an epoch.
    """

    rule = line_search.SLS
    wants = "which tries rates on the minibatch"
    again = True
    joint = True

    @hosting
    def __init__(
        self,
        params: ParamsT,
        lr: float = 1.0,
        lr_max: float = 10.0,
        c: float = 0.1,
        backtrack: float = 0.9,
        growth: float = 2.0,
        steps_per_epoch: int = 500,
    ) -> None: ...


class SPS(HostingOptimizer):
    """Stochastic Polyak rate with a bound; `optim.polyak.SPS` has the formulas.

    Its step needs a closure, for the loss. All parameter groups have the same settings
    and share one rate.

    Args:
        params: Parameters or parameter groups.
        lr: Rate that the first bound starts from.
        lr_max: Largest rate.
        c: Divides the rate.
        growth: Factor of the bound in an epoch; None: `lr_max` alone.
        lower_bound: Least loss that a minibatch can have.
        steps_per_epoch: Steps in an epoch.
    """

    rule = polyak.SPS
    wants = "which needs the minibatch's loss"
    joint = True

    @hosting
    def __init__(
        self,
        params: ParamsT,
        lr: float = 1.0,
        lr_max: float = math.inf,
        c: float = 0.5,
        growth: float | None = 2.0,
        lower_bound: float = 0.0,
        steps_per_epoch: int = 500,
    ) -> None: ...
