"""The path scheme's rules keep the contract of rules."""

import pytest

from hpo_vs_adapt.optim.path_scheme import AgAdam, ALeRA, SALeRA
from hpo_vs_adapt.optim.testing import RULE_CHECKS

CASES = [
    (ALeRA, {}),
    (ALeRA, {"memory": 0.1, "gain": 0.01, "weight_decay": 0.1, "decay": "matrices"}),
    (ALeRA, {"schedule": "cosine", "warmup": 0.25}),
    (AgAdam, {}),
    (AgAdam, {"memory": 0.5, "gain": 0.01, "weight_decay": 0.1}),
    (SALeRA, {}),
    (SALeRA, {"threshold": 1e-3, "gain": 0.01, "schedule": "multistep"}),
    (SALeRA, {"averaged": True, "tolerance": 1e-3, "weight_decay": 0.1}),
]


@pytest.mark.parametrize("check", RULE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("rule", "settings"), CASES, ids=str)
def test_the_path_scheme_keeps_the_contract(rule, settings, check):
    check(rule, settings)
