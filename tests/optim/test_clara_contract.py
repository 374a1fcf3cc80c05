"""CLARA keeps the contract of rules with its schedules, bounds and dampings."""

import pytest

from hpo_vs_adapt.optim.clara import CLARA
from hpo_vs_adapt.optim.testing import RULE_CHECKS

CASES = [
    {"damping": 0.05, "schedule": "cosine", "warmup": 0.25},
    {"base": "adam", "damping": 0.05, "transient": True, "schedule": "multistep"},
    {"base": "adam", "per_tensor": False, "weight_decay": 0.1, "decay": "matrices"},
    {"damping": "sigma", "lr_max": 0.1, "weight_decay": 0.1},
    {"base": "adam", "damping": "published_sigma", "unit_step": True},
    {"damping": 0.1, "transient": True, "lr_max": 1.0},
]


@pytest.mark.parametrize("check", RULE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("settings", CASES, ids=str)
def test_clara_keeps_the_contract(settings, check):
    check(CLARA, settings)
