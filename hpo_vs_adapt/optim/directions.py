"""Base directions: what the weights move along before any rate is chosen.

A direction keeps its tensors in the rule's state and returns `(u, scale)`: the weights
move to `w - lr * scale * u`. The scale, shape `(..., 1)`, saves a pass over the
parameters (Adam's bias corrections are in it). `u` may be the gradient's own memory or
a tensor of the state: read it, do not write to it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor
from typing_extensions import override

from hpo_vs_adapt.optim.base import Layout, Rule, Setting, State

__all__ = [
    "ADAM_SETTINGS",
    "DECAY_SETTINGS",
    "DIRECTIONS",
    "MOMENTUM_SETTINGS",
    "AdamDirection",
    "AdamWDirection",
    "Direction",
    "SGDDirection",
]

DECAY_SETTINGS: Mapping[str, Setting] = {
    "weight_decay": Setting(0.0, "weight decay, as in torch.optim", low=0),
    "decay": Setting(
        "all",
        "what decays: all parameters, or matrices only (no biases, no norms)",
        choices=("all", "matrices"),
    ),
}

MOMENTUM_SETTINGS: Mapping[str, Setting] = {
    "momentum": Setting(0.0, "heavy-ball momentum", low=0, high=1, high_open=True),
    "nesterov": Setting(
        False,
        "Nesterov's form; at momentum 0 it changes nothing",
        choices=(False, True),
    ),
}

ADAM_SETTINGS: Mapping[str, Setting] = {
    "betas": Setting(
        (0.9, 0.999),
        "decay of the averages of the gradient and of its square",
        low=0,
        high=1,
        high_open=True,
        length=2,
    ),
    "eps": Setting(
        1e-8, "added to the root of the second moment", low=0, low_open=True
    ),
}


class Direction(ABC):
    """What the weights move along: weight decay here, the rest in the subclasses.

    Args:
        rule: A rule with `DECAY_SETTINGS` and the settings of the direction.
    """

    coupled = True  # weight decay is part of the gradient (L2), not of the step

    def __init__(self, rule: Rule) -> None:
        self._weight_decay = rule.number("weight_decay")
        self._decays = bool((self._weight_decay != 0).any())
        self._masked = self._decays and rule.given["decay"] == "matrices"

    def init(self, w: Tensor, layout: Layout) -> State:
        """Return the direction's part of the state."""
        if not self._masked:
            return {}
        mask = torch.zeros_like(w)
        for place, shape in zip(layout.slices, layout.shapes, strict=True):
            mask[..., place] = float(len(shape) > 1)
        return {"decay_mask": mask}

    def gradient(self, w: Tensor, g: Tensor, state: State) -> Tensor:
        """Return the gradient of what is minimised: coupled decay added, in place."""
        return self._add_decay(w, g, state, self._weight_decay) if self.coupled else g

    @abstractmethod
    def step(self, w: Tensor, g: Tensor, state: State) -> tuple[Tensor, Tensor]:
        """Return `(u, scale)`, with the state's tensors brought up to date in place.

        Args:
            w: Weights, shape `(..., P)`.
            g: What `gradient` returned, shape `(..., P)`; may be overwritten.
            state: The rule's state.
        """

    def observe(self, state: State) -> dict[str, Tensor]:
        """Return `momentum`, shape `(..., 1)`, if the direction has one."""
        return {}

    def _add_decay(self, w: Tensor, u: Tensor, state: State, rate: Tensor) -> Tensor:
        if not self._decays:
            return u
        decaying = w * state["decay_mask"] if self._masked else w
        return u.addcmul_(decaying, rate)


class SGDDirection(Direction):
    """The gradient, or its heavy-ball average as `torch.optim.SGD` keeps it.

    `b <- momentum b + g`; `u = b`, or `u = g + momentum b` in Nesterov's form.
    """

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self._scale = torch.ones_like(self._weight_decay)
        self._nesterov = bool(rule.given.get("nesterov", False))
        self._momentum = rule.number("momentum") if "momentum" in rule.given else None
        # In a pack in which some lanes have none, 0 * b + g is g.
        self._heavy = self._momentum is not None and bool((self._momentum != 0).any())

    @override
    def init(self, w: Tensor, layout: Layout) -> State:
        state = super().init(w, layout)
        return {**state, "momentum": torch.zeros_like(w)} if self._heavy else state

    @override
    def step(self, w: Tensor, g: Tensor, state: State) -> tuple[Tensor, Tensor]:
        if not self._heavy or self._momentum is None:
            return g, self._scale
        buffer = state["momentum"]
        torch.addcmul(g, buffer, self._momentum, out=buffer)  # one pass, one rounding
        if self._nesterov:
            return g.addcmul_(buffer, self._momentum), self._scale
        return buffer, self._scale

    @override
    def observe(self, state: State) -> dict[str, Tensor]:
        return {} if self._momentum is None else {"momentum": self._momentum}


class AdamDirection(Direction):
    """Adam's bias-corrected direction (Kingma & Ba, ICLR 2015), decay coupled.

    `m <- beta1 m + (1 - beta1) g`, `v <- beta2 v + (1 - beta2) g^2`, and the direction
    is `m / b1 / (sqrt(v / b2) + eps)` with `b = 1 - beta^t`; here with both sides of
    the fraction multiplied by `sqrt(b2)`.
    """

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self._beta1, self._beta2 = cast("tuple[float, float]", rule.given["betas"])
        self._eps = rule.number("eps")

    @override
    def init(self, w: Tensor, layout: Layout) -> State:
        # beta^t is multiplied up in float64: 1 - 0.999 has 4 digits in float32.
        one = torch.ones_like(w[..., :1], dtype=torch.float64)
        return {
            **super().init(w, layout),
            "mean": torch.zeros_like(w),
            "square": torch.zeros_like(w),
            "beta1_power": one,
            "beta2_power": one.clone(),
        }

    @override
    def step(self, w: Tensor, g: Tensor, state: State) -> tuple[Tensor, Tensor]:
        correction1 = 1 - state["beta1_power"].mul_(self._beta1)
        root2 = (1 - state["beta2_power"].mul_(self._beta2)).sqrt_()
        mean = state["mean"].lerp_(g, 1 - self._beta1)
        square = state["square"].mul_(self._beta2)
        square.addcmul_(g, g, value=1 - self._beta2)
        below = torch.sqrt(square, out=g).add_(self._eps * root2.to(g.dtype))
        u = torch.div(mean, below, out=g)
        return u, (root2 / correction1).to(g.dtype)


class AdamWDirection(AdamDirection):
    """Adam's direction with decoupled decay, `+ weight_decay * w`.

    Loshchilov & Hutter, Decoupled weight decay regularization, ICLR 2019; as in
    `torch.optim.AdamW` the decay is multiplied by the rate.
    """

    coupled = False

    @override
    def step(self, w: Tensor, g: Tensor, state: State) -> tuple[Tensor, Tensor]:
        u, scale = super().step(w, g, state)
        return self._add_decay(w, u, state, self._weight_decay / scale), scale


DIRECTIONS: Mapping[str, type[Direction]] = {
    "sgd": SGDDirection,
    "adam": AdamDirection,
    "adamw": AdamWDirection,
}
"""The base of an adaptive rule, by the word of its setting `base`."""
