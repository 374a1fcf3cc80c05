"""How fast CLARA's rate follows its path: the damping, by the run or by the noise."""

from __future__ import annotations

import math

from torch import Tensor

from hpo_vs_adapt.optim.random_walk import (
    SIGMA_TABLE,
    SMALL,
    published_sigma,
    true_sigma,
)
from hpo_vs_adapt.optim.walk_cache import find_walk

__all__ = ["auto_damping", "reference_sigma"]

# `damping: auto`; `auto_damping` says why
_DECADES, _SHARE = 6, 1 / 8
_MOST_GROWTH, _MOST_UNIT_GROWTH, _MOST_SHRINKING = 0.25, 0.8, 0.3


def auto_damping(mu: Tensor, steps: int, unit_step: bool) -> Tensor:
    """Return the damping for a run's length.

    The path is never longer than 1, so a step multiplies the rate by at most
    `exp(damping (1 / mu - 1))` and at least `exp(-damping)`. The law: a rate can climb
    six decades in an eighth of the run,
    `damping = 6 ln(10) / (steps / 8 (1 / mu - 1))` (with c 0.2: 13.8 / steps for SGD,
    238 / steps for Adam), as long as a step grows by a factor of at most `exp(0.25)`,
    or `exp(0.8)` for unit steps, whose length is the rate's alone, and shrinks to no
    less than `exp(-0.3)`.

    Measured for lr 1e-6, 1e-3, 0.1 and 1 on digits and MNIST-1D (a layer of 64, batch
    64): in 340 to 1700 steps a sixteenth to a quarter of the run did alike; less
    damping does not arrive from 1e-6, and above the bounds runs diverge (raw SGD from
    damping 0.1 on) or lose accuracy (Adam at 1). The bounds decide in runs below some
    450 steps (SGD) or 800 (Adam); in 170 steps all forms still arrive from 1e-6, in 85
    only SGD with unit steps.

    Beside the paper's fixed values, test accuracy in % on digits (a layer of 64, batch
    64, from lr 1e-6, two seeds, in the longest run one) after 85, 340, 1700 and 6000
    steps:

    =========  ===============  ===============  ===============  ===============
    damping    SGD              SGD, unit step   Adam             Adam, unit step
    =========  ===============  ===============  ===============  ===============
    auto       10, 98, 98, 97   97, 98, 98, 98   50, 98, 98, 98    9, 98, 98, 98
    0.001       8,  8, 12, 97    8,  8, 14, 98    8,  8, 12, 77    8,  8,  8,  9
    0.01        8, 88, 98, 97    8, 94, 98, 98    8,  9, 97, 98    8,  8, 34, 98
    0.1        51, 54, 54, 11   97, 98, 98, 98    8, 98, 98, 98    8, 96, 98, 98
    =========  ===============  ===============  ===============  ===============

    A fixed value suits some lengths and bases only: 0.001 is too slow from there in
    any but the longest run, 0.1 breaks raw SGD. From lr 0.1 all of them end at 94 to
    99 %.

    Args:
        mu: Squared path length at which the rate stays, shape `(..., 1)`.
        steps: Length of the run.
        unit_step: Whether steps are normalised.
    """
    growth = 1 / mu - 1
    law = _DECADES * math.log(10) / (max(steps, 1) * _SHARE * growth)
    most = (_MOST_UNIT_GROWTH if unit_step else _MOST_GROWTH) / growth
    # A path of constant length (c 1) has no growth: mu is 1, and both are infinite.
    return law.minimum(most).clamp(max=_MOST_SHRINKING)


def reference_sigma(
    size: int, c: float, betas: tuple[float, float] | None, published: bool
) -> float:
    """Return the deviation of the squared path length that twice damps the rate.

    The reference code's own default damping is twice its sigma.

    Args:
        size: Number of parameters of the model.
        c: Share of the newest step in the path.
        betas: Decay of Adam's averages; None for SGD.
        published: The reference code's value: for SGD too small by `sqrt(2)`, for Adam
            listed for its model sizes (for others the true one is returned).
    """
    if betas is None:
        return published_sigma(c, size) if published else true_sigma(c, 0, size)
    if published and size in SIGMA_TABLE:
        return SIGMA_TABLE[size]
    if size < SMALL:
        return find_walk(size, c, betas).sigma
    return true_sigma(c, betas[0], size)
