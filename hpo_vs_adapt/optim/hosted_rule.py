"""A rule at work on the parameters of one or several groups of an optimizer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from hpo_vs_adapt.optim.base import Oracle, Rule, Run, State, build_rule
from hpo_vs_adapt.optim.parameter_vector import ParameterVector, refuse_odd_parameters
from hpo_vs_adapt.optim.rate_tensor import Rate, bare, scheduled
from hpo_vs_adapt.optim.state_split import MASTER, Kept, StateSplit

if TYPE_CHECKING:
    from hpo_vs_adapt.records.trials import Value

__all__ = ["Group", "HostedRule", "settings_of"]

Group = dict[str, Any]
"""A parameter group of `torch.optim`."""

_OF_BASE = {"momentum": "sgd", "nesterov": "sgd", "betas": "adam", "beta2": "adam"}


def settings_of(rule: type[Rule], group: Mapping[str, Any]) -> dict[str, Value]:
    """Return the settings of a rule that a parameter group names and its base has.

    Args:
        rule: The rule.
        group: A parameter group, or arguments of the same names; infinity means None.
    """
    adam = str(group.get("base", "")).startswith("adam")
    others = {name for name, base in _OF_BASE.items() if adam != (base == "adam")}
    if "base" in rule.settings and not adam:
        others.add("eps")
    if "base" not in rule.settings:
        others = set()
    return {
        name: None if group[name] == math.inf else group[name]
        for name in rule.settings
        if name in group and name not in others
    }


class HostedRule:
    """A rule, its state, and the vector of the parameters that have gradients.

    When the set of these changes, what belongs to a parameter goes where the parameter
    goes, and scalars stay. A parameter without gradient keeps its part of the state.

    Args:
        rule: The rule.
        groups: The parameter groups, alike in all settings; they share one rate.
        run: What the rule is told of the run.
        kept: The optimizer's state by parameter.
        saved: What `save` returned for each group, to go on from there.

    Raises:
        ValueError: If a setting is wrong, the groups differ in one, or parameters do
            not make a vector.
    """

    def __init__(
        self,
        rule: type[Rule],
        groups: Sequence[Group],
        run: Run,
        kept: Kept,
        saved: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.groups = groups
        self.vector: ParameterVector | None = None
        self._of, self._run, self._kept = rule, run, kept
        self._params = [p for group in groups for p in group["params"]]
        refuse_odd_parameters(self._params)
        self._initial = saved[0]["initial"] if saved else float(groups[0]["lr"])
        self._refuse_unlike_groups(len(saved))
        self._settings = self._read()
        self._rule, self._state = self._rehearse()
        scalars = saved[0]["scalars"] if saved else {}
        self._begun = bool(scalars)
        self._state.update({name: tensor.cpu() for name, tensor in scalars.items()})
        self._factors: list[Tensor | None] = [None] * len(groups)
        self._rates = [self._make_rate(i) for i in range(len(groups))]
        for i, rate in enumerate(self._rates):
            if i < len(saved) and saved[i]["scheduled"] is not None:
                rate.scheduled.copy_(saved[i]["scheduled"])
                self._reschedule(i)
            else:
                self._show(i)

    def gather(self) -> bool:
        """Take in gradients, and what was written to the groups since the last step.

        Returns:
            Whether any parameter has a gradient.

        Raises:
            ValueError: For a sparse gradient, or a wrong setting in a group.
        """
        self.take_written()
        settings = self._read()
        params = [p for p in self._params if p.grad is not None]
        if not params:
            return False
        if any(p.grad.layout != torch.strided for p in params if p.grad is not None):
            raise ValueError(
                "Gradients must be dense; got a sparse one. Use `sparse=False` in "
                "embeddings, or give their weights to `torch.optim.SparseAdam`."
            )
        vector = self.vector
        if vector is None or settings != self._settings or not vector.holds(params):
            vector = self._rebuild(params, settings)
        else:
            vector.settle()
        vector.collect()
        return True

    def advance(self, oracle: Oracle) -> None:
        """Take one step with the gradients that were gathered."""
        vector = self.gathered
        w, self._state = self._rule.update(vector.w, vector.g, self._state, oracle)
        if w is not vector.w:
            vector.w.copy_(w)
        vector.publish()
        for i in range(len(self.groups)):
            self._show(i)

    @property
    def gathered(self) -> ParameterVector:
        """The vector, once gradients were gathered."""
        assert self.vector is not None
        return self.vector

    def probe(self) -> Tensor | None:
        """Return the weights `(P,)` at which the rule will ask its oracle first."""
        return self._rule.probe(self.gathered.w, self._state)

    def observe(self) -> dict[str, Tensor]:
        """Return the rule's scalars, shape `(1,)`."""
        return self._rule.observe(self._state)

    def take_written(self) -> None:
        """Count a rate that was put in a group's place as written to the one there."""
        for i, (group, rate) in enumerate(zip(self.groups, self._rates, strict=True)):
            if group["lr"] is not rate:
                plan = torch.as_tensor(scheduled(group["lr"]), dtype=torch.float64)
                rate.scheduled.copy_(plan)
                group["lr"] = rate
                self._reschedule(i)

    def save(self) -> tuple[Kept, list[dict[str, Any]]]:
        """Return copies of the state by parameter, and of the rest for each group."""
        scalars = {n: t.clone() for n, t in self._learnt().items()}
        rest: list[dict[str, Any]] = []
        for rate, factor in zip(self._rates, self._factors, strict=True):
            plan = None if factor is None else rate.scheduled.clone()
            own = {} if rest else scalars
            rest.append({"initial": self._initial, "scheduled": plan, "scalars": own})
        if self.vector is None:
            return {}, rest
        saved = self._rule.save(self._state)
        return self._split.by_parameter(self.vector, saved), rest

    def _refuse_unlike_groups(self, known: int) -> None:
        """Refuse groups with other settings than the first; `known` ones had its lr."""
        first, *others = (
            settings_of(self._of, group)
            | {"lr": self._initial if i < known else float(group["lr"])}
            for i, group in enumerate(self.groups)
        )
        for other in others:
            for name, value in first.items():
                if other[name] != value:
                    raise ValueError(
                        f"`{name}` must be the same in all parameter groups, whose "
                        f"loss is one; got {value!r} and {other[name]!r}."
                    )

    def _read(self) -> dict[str, Value]:
        return settings_of(self._of, {**self.groups[0], "lr": self._initial})

    def _rehearse(self) -> tuple[Rule, State]:
        """Note what is whose in a state; return a rule and its state before a step."""
        rule = build_rule(self._of, self._settings, self._run, torch.float64)
        self._split, state = StateSplit.of(rule)
        return rule, state

    def _learnt(self) -> State:
        """Return what was learnt and belongs to no parameter, as `Rule.save` has it."""
        if self.vector is None and not self._begun:
            return {}
        scalars = self._split.scalars(self._rule.save(self._state))
        # The state has some settings too; they follow from the groups.
        settings = self._of.settings.keys() - {"lr"}
        return {name: t for name, t in scalars.items() if name not in settings}

    def _rebuild(
        self, params: Sequence[Tensor], settings: dict[str, Value]
    ) -> ParameterVector:
        """Make vector, rule and state anew; what was learnt is carried over."""
        learnt = self._learnt()
        if self.vector is not None:
            saved = self._rule.save(self._state)
            self._kept.update(self._split.by_parameter(self.vector, saved))
        if settings != self._settings:
            self._settings = settings
            self._rehearse()
        own = [self._kept.pop(p, {}) for p in params]
        masters = [parts.get(MASTER) for parts in own]
        vector = self.vector = ParameterVector(params, self._names(params), masters)
        w = vector.w
        self._rule = build_rule(self._of, settings, self._run, w.dtype, w.device)
        state = self._rule.save(self._rule.init(w, vector.layout))
        for name in state.keys() & learnt.keys():
            state[name].copy_(learnt[name])
        self._split.restore(own, vector, state)
        self._state = self._rule.resume(w, state)
        for i, factor in enumerate(self._factors):
            if factor is not None:
                self._reschedule(i)
        return vector

    def _names(self, params: Sequence[Tensor]) -> list[str]:
        names: dict[Tensor, str] = {}
        for group in self.groups:
            given = group.get("param_names", map(str, range(len(group["params"]))))
            names.update(zip(group["params"], given, strict=True))
        return [names[p] for p in params]

    def _make_rate(self, i: int) -> Rate:
        device = self._params[0].device if self._params else "cpu"
        shown = torch.empty((), dtype=torch.float64, device=device)
        plan = torch.full_like(shown, self._initial)
        rate = Rate.of(shown, plan, lambda: self._reschedule(i))
        self.groups[i]["lr"] = rate
        return rate

    def _reschedule(self, i: int) -> None:
        """Take a factor from what was written to a group's rate."""
        learnt = self._state["lr"]
        factor = (self._rates[i].scheduled / self._initial).reshape(1).to(learnt)
        self._factors[i] = factor
        if i == 0:  # the groups share one rate
            self._state["schedule"] = factor
        self._show(i)

    def _show(self, i: int) -> None:
        """Bring what the group shows up to date."""
        factor = self._factors[i]
        own = {} if factor is None else {"schedule": factor}
        shown = self._rule.observe({**self._state, **own})
        bare(self._rates[i]).copy_(shown["lr"].squeeze())
        if self._of.adapts == "momentum":
            self.groups[i]["momentum"] = shown["momentum"].squeeze()
