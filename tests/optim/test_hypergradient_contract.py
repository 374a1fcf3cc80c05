"""Hypergradient descent keeps the contract of rules, in every form."""

import pytest

from hpo_vs_adapt.optim.hypergradient import Hypergradient
from hpo_vs_adapt.optim.testing import RULE_CHECKS

CASES = [
    {"form": "multiplicative", "hyper_lr": 0.1},
    {"momentum": 0.8, "weight_decay": 0.01, "decay": "matrices"},
    {"momentum": 0.8, "nesterov": True, "form": "multiplicative"},
    {"every": 3, "hyper_lr": 1e-4, "schedule": "cosine"},
    {"every": 2, "form": "multiplicative", "momentum": 0.5, "weight_decay": 0.01},
    {"base": "adam", "hyper_lr": 1e-4, "weight_decay": 0.1},
    {"base": "adam", "form": "multiplicative", "schedule": "multistep"},
    {"base": "adam", "every": 3, "hyper_lr": 1e-5},
    {"base": "adam", "in_loop": True, "hyper_lr": 1e-4},
]


@pytest.mark.parametrize("check", RULE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("settings", CASES, ids=str)
def test_it_keeps_the_contract(settings, check):
    check(Hypergradient, settings)
