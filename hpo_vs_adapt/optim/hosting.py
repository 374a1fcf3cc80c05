"""Optimizers of torch that host a rule."""

from __future__ import annotations

import functools
import inspect
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from itertools import chain
from typing import Any, ClassVar, ParamSpec

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, ParamsT, StateDict
from typing_extensions import override

from hpo_vs_adapt.optim.base import Rule, Run, check_settings
from hpo_vs_adapt.optim.closure_oracle import ClosureOracle, Evaluations
from hpo_vs_adapt.optim.hosted_rule import Group, HostedRule, settings_of
from hpo_vs_adapt.optim.minibatches import Closure, Minibatch
from hpo_vs_adapt.optim.rate_tensor import bare, scheduled

__all__ = ["HostingOptimizer", "hosting"]

_P = ParamSpec("_P")

_SAVED = "rule_state"


class HostingOptimizer(Optimizer):
    """An optimizer whose parameter groups are each stepped by a rule.

    Args:
        params: Parameters or parameter groups, as for any optimizer of torch.
        given: What a constructor that is marked `hosting` was called with; arguments
            named like a setting of the rule may differ between groups.

    Raises:
        ValueError: If an argument is wrong, or has no meaning for its base.
    """

    rule: ClassVar[type[Rule]]
    wants: ClassVar[str] = ""  # why its step needs a closure, after its name
    again: ClassVar[bool] = False  # whether it evaluates minibatches again
    joint: ClassVar[bool] = False  # the groups share one rate, which the loss decides

    def __init__(self, params: ParamsT, given: inspect.BoundArguments) -> None:
        known = given.signature.parameters
        self._arguments = {
            name: value
            for name, value in given.arguments.items()
            if name not in ("self", "params")
        }
        own = settings_of(self.rule, self._arguments)
        others = {
            name: value
            for name, value in self._arguments.items()
            if name in self.rule.settings and value != known[name].default
        }
        check_settings(self.rule, {**others, **own})
        self._hosts: list[HostedRule] = []
        super().__init__(params, {name: self._arguments[name] for name in own})

    def observe(self) -> list[dict[str, Tensor]]:
        """Return the rule's own scalars, shape `(1,)`, for each parameter group."""
        hosts = self._hosts * (len(self.param_groups) if self.joint else 1)
        return [host.observe() for host in hosts]

    @override
    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        try:
            self._host(self.param_groups[-1])
        except ValueError:
            self.param_groups.pop()
            raise

    @override
    def step(self, closure: Closure | None = None) -> Any:
        """Take one step.

        Args:
            closure: Clears the gradients, backpropagates and returns the loss. Without
                it the gradients are those that the parameters have.

        Returns:
            What the closure returned.

        Raises:
            ValueError: If a closure is needed and missing, or a gradient is sparse.
        """
        if closure is None:
            if self.wants:
                raise ValueError(
                    f"`closure` must be given to the step of {type(self).__name__}, "
                    f"{self.wants}; got None. Pass a function that clears the "
                    "gradients, backpropagates and returns the loss."
                )
            with torch.no_grad():
                self._advance(None)
            return None
        with torch.no_grad(), ExitStack() as undo:
            minibatch = Minibatch(closure, self.again)
            undo.callback(minibatch.rewind)
            minibatch.evaluate()
            if self.wants and minibatch.returned is None:
                raise ValueError(
                    "`closure` must return the minibatch's loss; got None."
                )
            self._advance(minibatch)
            undo.pop_all()
        return minibatch.returned

    @override
    def state_dict(self) -> StateDict:
        own = self.state, self.param_groups
        self.state, self.param_groups = self._export()
        try:
            return super().state_dict()
        finally:
            self.state, self.param_groups = own

    @override
    def load_state_dict(self, state_dict: StateDict) -> None:
        by_index: dict[Any, dict[str, Tensor]] = {}

        # Torch would round states to the precision of their parameters.
        def take(_: Optimizer, given: StateDict) -> StateDict:
            by_index.update(given["state"])
            return {**given, "state": {}}

        def put(_: Optimizer) -> None:
            for i, p in enumerate(self._params()):
                parts = by_index.get(i, {}).items()
                self.state[p] = {n: t.to(p.device, copy=True) for n, t in parts}

        with ExitStack() as hooks:
            before = self.register_load_state_dict_pre_hook(take)
            after = self.register_load_state_dict_post_hook(put, prepend=True)
            hooks.callback(before.remove)
            hooks.callback(after.remove)
            super().load_state_dict(state_dict)

    @override
    def __getstate__(self) -> dict[str, Any]:
        state, groups = self._export()
        own = {"state": state, "param_groups": groups, "_arguments": self._arguments}
        return {**super().__getstate__(), **own}

    @override
    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        groups, self.param_groups, self._hosts = self.param_groups, [], []
        for group in groups:
            self.param_groups.append(group)
            self._host(group)

    def _params(self) -> list[Tensor]:
        return list(chain.from_iterable(g["params"] for g in self.param_groups))

    def _host(self, group: Group) -> None:
        """Put a rule to work on a group; a state saved in it is gone on from."""
        saved = [group.pop(_SAVED)] if _SAVED in group else []
        for name in settings_of(self.rule, {**self._arguments, **group}):
            group.setdefault(name, self._arguments.get(name))
        groups = [group]
        if self.joint and self._hosts:
            kept, rest = self._hosts.pop().save()
            self.state.update(kept)
            groups, saved = list(self.param_groups), rest + saved
        given = self._arguments
        run = Run(given.get("steps") or 1, given.get("steps_per_epoch") or 1)
        self._hosts.append(HostedRule(self.rule, groups, run, self.state, saved))

    def _advance(self, minibatch: Minibatch | None) -> None:
        hosts = [host for host in self._hosts if host.gather()]
        evaluations = Evaluations(minibatch, hosts, self._params())
        for host in hosts:
            host.advance(ClosureOracle(evaluations, host))

    def _export(self) -> tuple[defaultdict[Tensor, Any], list[Group]]:
        """Return state and groups as torch expects them, nothing in vectors."""
        state: defaultdict[Tensor, Any] = defaultdict(dict, self.state)
        groups = []
        for host in self._hosts:
            host.take_written()
            kept, rest = host.save()
            state.update(kept)
            for group, saved in zip(host.groups, rest, strict=True):
                plain = {name: scheduled(value) for name, value in group.items()}
                lr = bare(group["lr"]).clone()
                groups.append({**plain, "lr": lr, _SAVED: saved})
        return state, groups


def hosting(init: Callable[_P, None]) -> Callable[_P, None]:
    """Let a constructor, behind checks of its own, hand on all that it is given.

    Its arguments reach `HostingOptimizer` under the names of its signature, those that
    are left out with their defaults.
    """
    signature = inspect.signature(init)

    @functools.wraps(init)
    def hosted(*args: _P.args, **kwargs: _P.kwargs) -> None:
        init(*args, **kwargs)
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        optimizer, params = given.arguments["self"], given.arguments["params"]
        HostingOptimizer.__init__(optimizer, params, given)

    return hosted
