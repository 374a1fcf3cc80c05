"""GAP keeps the contract of rules in all its bases, modes and variants."""

import pytest

from hpo_vs_adapt.optim.gap import GAP
from hpo_vs_adapt.optim.testing import RULE_CHECKS

CASES = [
    {"candidates": (0.9,)},
    {"mode": "default", "weight_decay": 0.01, "schedule": "cosine"},
    {"mode": "switch_parameter_wise", "candidates": (0.0, 0.9), "norm": "exact"},
    {"score_ema": 0.9, "patience": 2, "weight_decay": 0.1, "decay": "matrices"},
    {"exclude_current": True, "lr_modulation": True, "schedule": "multistep"},
    {"mode": "switch_parameter_wise", "exclude_current": True, "patience": 2},
    {"validate": True, "val_every": 2},
    {"validate": True, "val_every": 3, "mode": "switch_parameter_wise"},
    {"base": "adam", "weight_decay": 0.1},
    {"base": "adam", "mode": "switch_parameter_wise", "norm": "readme_literal"},
    {"base": "adam", "norm": "exact", "score_ema": 0.5, "warmup": 0.25},
    {"base": "adam", "validate": True, "val_every": 1, "exclude_current": True},
    {"base": "adamw", "weight_decay": 0.1, "candidates": (0.5, 0.99)},
    {"base": "adamw", "weight_decay": 0.1, "decay": "matrices", "mode": "default"},
    {"base": "adamw", "mode": "switch_parameter_wise", "lr_modulation": True},
]


@pytest.mark.parametrize("check", RULE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("settings", CASES, ids=str)
def test_gap_keeps_the_contract(settings, check):
    check(GAP, settings)
