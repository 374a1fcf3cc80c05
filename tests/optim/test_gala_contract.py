"""GALA keeps the contract of rules, with every base and alignment."""

import pytest

from hpo_vs_adapt.optim.gala import GALA
from hpo_vs_adapt.optim.testing import RULE_CHECKS

CASES = [
    {"momentum": 0, "delta": 0.1, "lr_max": 0.2},
    {"nesterov": True, "align": "direction", "weight_decay": 0.01},
    {"momentum": 0, "align": "direction", "optimistic": True},
    {"momentum": 0.5, "optimistic": True, "center": False, "delta": 1.0},
    {"schedule": "cosine", "warmup": 0.25},
    {"base": "adam"},
    {"base": "adam", "weight_decay": 0.1, "optimistic": True},
    {"base": "adam", "align": "same_batch", "lr_max": 0.3, "optimistic": True},
    {"base": "adamw", "weight_decay": 0.1, "decay": "matrices"},
    {"base": "adamw", "align": "same_batch", "lr_max": 0.3, "schedule": "multistep"},
]


@pytest.mark.parametrize("check", RULE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("settings", CASES, ids=str)
def test_it_keeps_the_contract(settings, check):
    check(GALA, settings)
