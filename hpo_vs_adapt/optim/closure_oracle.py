"""The oracles of an optimizer's groups, from one closure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from hpo_vs_adapt.optim.base import Oracle
from hpo_vs_adapt.optim.hosted_rule import HostedRule
from hpo_vs_adapt.optim.minibatches import Minibatch

__all__ = ["ClosureOracle", "Evaluations"]


class Evaluations:
    """A step's evaluations of its minibatch, shared by the parameter groups.

    The first group that asks has the others evaluated along with it, each at the
    weights that it will ask for: so a second gradient costs one pass, whatever the
    number of groups, and is that of a state that all groups were in together.

    Args:
        minibatch: The step's minibatch, evaluated at the step's own weights; None if
            the step has no closure, for rules that ask for nothing.
        hosts: The rules at work.
        params: All parameters of the optimizer.
    """

    def __init__(
        self,
        minibatch: Minibatch | None,
        hosts: Sequence[HostedRule],
        params: Sequence[Tensor],
    ) -> None:
        self._given, self._params = minibatch, params
        self._waiting = list(hosts)
        self._ready: dict[HostedRule, Any] = {}

    @property
    def _minibatch(self) -> Minibatch:
        assert self._given is not None
        return self._given

    @property
    def returned(self) -> Any:
        """What the closure returned at the step's own weights."""
        return self._minibatch.returned

    def gradient(self, host: HostedRule, w: Tensor) -> tuple[Any, Tensor]:
        """Return loss and gradient `(P,)` of a group at weights `(P,)`."""
        if host not in self._ready:
            asking = {host: w}
            for other in self._waiting:
                probe = None if other is host else other.probe()
                if probe is not None:
                    asking[other] = probe
            self._waiting = [h for h in self._waiting if h not in asking]
            places = {asked.gathered: at for asked, at in asking.items()}
            loss = self._minibatch.at(places, self._params, gradients=True)
            self._ready.update(dict.fromkeys(asking, loss))
        return self._ready.pop(host), host.gathered.second

    def loss(self, host: HostedRule, w: Tensor) -> Any:
        """Return the loss with a group at weights `(P,)`."""
        return self._minibatch.at({host.gathered: w}, self._params, gradients=False)


class ClosureOracle(Oracle):
    """A minibatch that a closure evaluates, as one group's rule sees it.

    Every evaluation costs a backward pass too: closures backpropagate.

    Args:
        evaluations: What the groups share.
        host: The group's rule.
    """

    def __init__(self, evaluations: Evaluations, host: HostedRule) -> None:
        self._evaluations, self._host = evaluations, host

    @property
    @override
    def loss(self) -> Tensor:
        return self._as_lane(self._evaluations.returned)

    @override
    def __call__(self, w: Tensor) -> tuple[Tensor, Tensor]:
        loss, gradient = self._evaluations.gradient(self._host, w)
        return self._as_lane(loss), gradient

    @override
    def forward(self, w: Tensor, wanted: Tensor | None = None) -> Tensor:
        return self._as_lane(self._evaluations.loss(self._host, w))

    @override
    def held_out(self, w: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError("A closure has no minibatch that is held out.")

    @override
    def lane(self, row: int) -> Oracle:
        return self

    def _as_lane(self, loss: Any) -> Tensor:
        w = self._host.gathered.w
        lane = torch.as_tensor(loss, dtype=w.dtype, device=w.device)
        return lane.detach().reshape(1)
