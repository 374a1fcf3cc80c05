"""The rules as optimizers of torch, for anybody's own loop.

An optimizer is used as those of `torch.optim` are::

    optimizer = CLARA(model.parameters(), lr=1e-3)
    for x, y in batches:
        optimizer.zero_grad()
        loss_function(model(x), y).backward()
        optimizer.step()

`GALA` evaluates every minibatch twice, and `SLS` and `SPS` need its loss, so they are
given a closure that clears the gradients, backpropagates and returns the loss::

    def closure():
        optimizer.zero_grad()
        loss = loss_function(model(x), y)
        loss.backward()
        return loss

    optimizer.step(closure)

The repeated evaluation sees the same dropout masks, and leaves gradients, running
statistics of BatchNorm and random numbers as they were after the first.

Each parameter group is adapted by itself. `float(optimizer.param_groups[0]["lr"])` is
the rate that the next step starts from. Torch's schedulers go on top: they schedule the
initial rate, and the rate is what they make of it times what was learnt. A value that
is written to `lr` counts as such a schedule.

The first step moves the parameters into one vector. They keep their names, shapes and
identity; only their memory is new (so make views of it later). Parameters of less than
float32's precision keep their memory, and a float32 master is kept of them.
"""

from __future__ import annotations

import math
from typing import Literal

from torch.optim.optimizer import ParamsT

from hpo_vs_adapt.optim import clara, gala, gap, hypergradient, tlr
from hpo_vs_adapt.optim.hosting import HostingOptimizer, hosting
from hpo_vs_adapt.optim.torch_optim_baselines import SLS, SPS, AdaGradNorm, DoWG

__all__ = [
    "CLARA",
    "GALA",
    "GAP",
    "SLS",
    "SPS",
    "TLR",
    "AdaGradNorm",
    "DoWG",
    "Hypergradient",
]


class GALA(HostingOptimizer):
    """Learning rate from gradient alignment; `optim.gala.GALA` has the formulas.

    Its step needs a closure, which is called twice: at the weights and at those before
    the last step.

    Args:
        params: Parameters or parameter groups.
        lr: Rate of the first step.
        base: `sgd`, `adam` or `adamw`.
        momentum: Heavy-ball momentum, for SGD.
        betas: Decays of Adam's averages.
        eps: Added to the root of Adam's second moment.
        weight_decay: In the gradient, or with `adamw` beside it.
        delta: Weight of the regulariser; grows with the third power of the loss's unit.
        center: Regularise towards `lr`, not towards 0.
        lr_max: Largest rate.
        align: What gradients are compared with, `direction` or `same_batch`; None:
            the former with Adam, the latter with SGD.
        nesterov: Nesterov's form of the momentum.
        optimistic: Count the newest quadratic twice.
    """

    rule = gala.GALA
    wants = "which evaluates every minibatch at two points"
    again = True

    @hosting
    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        base: Literal["sgd", "adam", "adamw"] = "sgd",
        momentum: float = 0.9,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        delta: float = 0.0,
        center: bool = True,
        lr_max: float = math.inf,
        align: Literal["direction", "same_batch"] | None = None,
        nesterov: bool = False,
        optimistic: bool = False,
    ) -> None: ...


class CLARA(HostingOptimizer):
    """Cumulative learning rate adaptation; `optim.clara.CLARA` has the formulas.

    Args:
        params: Parameters or parameter groups.
        lr: Rate of the first step.
        base: `sgd` or `adam`.
        betas: Decays of Adam's averages.
        eps: Added to the root of Adam's second moment.
        c: Share of the newest step in the path.
        damping: How fast the rate follows the path: a step multiplies the rate by
            `exp(8 damping)` at most with SGD (`c` 0.2), by `exp(0.465 damping)` with
            Adam, and by `exp(-damping)` at least. Or `auto`: by the length of the run.
        unit_step: Move by normalised steps, each of length `lr`.
        per_tensor: Normalise each tensor's step, not the whole.
        mu: Squared path length at which the rate stays; None: as white noise has it.
        weight_decay: In the gradient.
        steps: Length of the run, for ``damping="auto"``.
    """

    rule = clara.CLARA

    @hosting
    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        base: Literal["sgd", "adam"] = "sgd",
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        c: float = 0.2,
        damping: float | Literal["auto"] = 1e-3,
        unit_step: bool = False,
        per_tensor: bool = True,
        mu: float | None = None,
        weight_decay: float = 0.0,
        steps: int | None = None,
    ) -> None:
        if damping == "auto" and steps is None:
            raise ValueError(
                "`steps` must be the length of the run where damping is 'auto'; "
                "got None."
            )


class GAP(HostingOptimizer):
    """Greedy alignment principle: the best of several momenta, chosen at every step.

    `optim.gap.GAP` has the formulas. The momentum in use is shown in the parameter
    groups, as `momentum`.

    Args:
        params: Parameters or parameter groups.
        lr: Rate.
        base: `sgd`, `adam` or `adamw`.
        candidates: Momenta to choose from; Adam's first beta.
        beta2: Decay of Adam's average of the gradient's square.
        eps: Added to the root of Adam's second moment.
        mode: `default`, the first candidate; `switch`, the best one;
            `switch_parameter_wise`, the best one of each tensor.
        score_ema: Share of the old score in the new.
        norm: Norm of a filter: `filter`, stationary; `exact`, in finite time;
            `readme_literal`, the published formula for Adam to the letter.
        exclude_current: Score buffers without the step's own gradient.
        lr_modulation: Rescale the rate so that filters have equal norms.
        patience: Steps in a row that a candidate must lead before it is chosen.
        weight_decay: In the gradient, or with `adamw` beside it.
    """

    rule = gap.GAP

    @hosting
    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.1,
        base: Literal["sgd", "adam", "adamw"] = "sgd",
        candidates: tuple[float, ...] = (0.5, 0.9, 0.99),
        beta2: float = 0.999,
        eps: float = 1e-8,
        mode: Literal["default", "switch", "switch_parameter_wise"] = "switch",
        score_ema: float = 0.0,
        norm: Literal["filter", "exact", "readme_literal"] = "filter",
        exclude_current: bool = False,
        lr_modulation: bool = False,
        patience: int = 0,
        weight_decay: float = 0.0,
    ) -> None: ...


class TLR(HostingOptimizer):
    """Newton-based trainable learning rate; `optim.tlr.TLR` has the formulas.

    Args:
        params: Parameters or parameter groups.
        lr: Rate of the first step.
        base: `sgd`, `adam` or `adamw`.
        momentum: Heavy-ball momentum, for SGD.
        betas: Decays of Adam's averages.
        eps: Added to the root of Adam's second moment.
        gamma: Share of the Newton step; 0: the rate stays.
        every: Steps between two changes of the rate.
        cap: Largest factor of one change.
        weight_decay: In the gradient, or with `adamw` beside it.
        nesterov: Nesterov's form of the momentum.
    """

    rule = tlr.TLR

    @hosting
    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.1,
        base: Literal["sgd", "adam", "adamw"] = "sgd",
        momentum: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        gamma: float = 0.33,
        every: int = 100,
        cap: float = 100.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None: ...


class Hypergradient(HostingOptimizer):
    """Hypergradient descent; `optim.hypergradient.Hypergradient` has the formulas.

    Args:
        params: Parameters or parameter groups.
        lr: Rate of the first step.
        base: `sgd` or `adam`.
        momentum: Heavy-ball momentum, for SGD.
        betas: Decays of Adam's averages.
        eps: Added to the root of Adam's second moment.
        hyper_lr: Step of the rate; 0: the rate stays.
        form: `additive`, by the product of gradient and direction (`hyper_lr` then has
            a unit), or `multiplicative`, by their cosine.
        every: Steps between two changes of the rate; above 1, over sums of directions.
        weight_decay: In the gradient.
        nesterov: Nesterov's form of the momentum.
    """

    rule = hypergradient.Hypergradient

    @hosting
    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        base: Literal["sgd", "adam"] = "sgd",
        momentum: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        hyper_lr: float = 1e-3,
        form: Literal["additive", "multiplicative"] = "additive",
        every: int = 1,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None: ...
