"""The contract, for every rule and its main settings."""

from typing import ClassVar

import pytest
import torch

from hpo_vs_adapt.optim import RULES
from hpo_vs_adapt.optim.base import Rule, Setting
from hpo_vs_adapt.optim.testing import RULE_CHECKS
from hpo_vs_adapt.optim.trial_problem import count_scalar_reads

CASES = [
    ("sgd", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("sgd", {"schedule": "cosine", "warmup": 0.25}),
    ("sgd", {"momentum": 0.5, "weight_decay": 0.1, "decay": "matrices"}),
    ("adam", {"weight_decay": 0.1}),
    ("adam", {"schedule": "multistep"}),
    ("adamw", {"decay": "matrices"}),
    ("clara", {"unit_step": True, "per_tensor": False, "damping": 0.1}),
    ("clara", {"base": "adam", "mu": "table", "weight_decay": 0.1}),
    ("clara", {"base": "adam", "unit_step": True, "mu": 0.6}),
    ("tlr", {"every": 2}),
    ("tlr", {"every": 3, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01}),
    ("tlr", {"base": "adam", "preset": "paper"}),
    ("tlr", {"base": "adamw", "preset": "code_defaults"}),
    ("tlr", {"preset": "code_exact"}),
    ("tlr", {"form": "look_ahead", "momentum": 0.5, "nesterov": True}),
    ("tlr", {"form": "look_ahead", "base": "adam", "weight_decay": 0.1}),
]


@pytest.mark.parametrize("check", RULE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("name", "settings"), CASES, ids=str)
def test_rule_keeps_the_contract(name, settings, check):
    check(RULES[name], settings)


@pytest.mark.parametrize("check", RULE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", RULES)
def test_every_rule_keeps_the_contract_at_its_defaults(name, check):
    reason = RULES[name].exemptions.get(check.__name__)
    if reason is None:
        check(RULES[name], {})
    else:
        assert len(reason.split()) > 5  # a reason, not a flag


def test_every_exemption_is_needed_by_a_rule():
    checks = {check.__name__: check for check in RULE_CHECKS}
    exempt = {
        (name, why) for rule in RULES.values() for name, why in rule.exemptions.items()
    }
    for name, why in sorted(exempt):
        rules = [rule for rule in RULES.values() if rule.exemptions.get(name) == why]
        assert any(_breaks(checks[name], rule) for rule in rules), (name, why)


def _breaks(check, rule):
    try:
        check(rule, {})
    except AssertionError:
        return True
    return False


class Careless(Rule):
    """Breaks what the contract asks for: lanes meet, values are read, state hides."""

    settings: ClassVar = {"lr": Setting(0.1, "rate")}
    adapts = "rate"
    reference = "none"

    def init(self, w, layout):
        self.size = w.shape[0]
        return {"mean": torch.zeros(1)}

    def update(self, w, g, state, oracle):
        state["mean"] = g.mean() + float(g[0, 0]) + 0 * self.size
        return w - self.number("lr") * (g + state["mean"]), state

    def observe(self, state):
        return {"lr": self.number("lr")}


@pytest.mark.parametrize("check", RULE_CHECKS[2:8], ids=lambda check: check.__name__)
def test_a_careless_rule_breaks_the_contract(check):
    with pytest.raises((AssertionError, AttributeError, IndexError)):
        check(Careless, {})


def test_scalar_reads_are_counted():
    numbers = torch.ones(3)
    assert count_scalar_reads(lambda: numbers.sum().item() + float(numbers[0])) == 2
    assert count_scalar_reads(lambda: numbers + 1) == 0
