import pytest

from hpo_vs_adapt.optim.base import Rule
from hpo_vs_adapt.plugins.references import ReferenceProblem, find_rule, find_workload
from hpo_vs_adapt.workloads import WORKLOADS, Workload
from tests.own_files import forget_own_modules, write


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    yield from forget_own_modules(monkeypatch)


OWN_WORKLOAD = """
from dataclasses import dataclass

import numpy as np
from torch import nn

from hpo_vs_adapt.workloads import Arrays, Workload

@dataclass(frozen=True)
class Width:
    value: int

class Tiny(Workload):
    target = 0.5
    epochs = 1
    def load(self, data):
        return Arrays(np.zeros((8, 2)), np.zeros(8, dtype=np.int64))
    def model(self):
        return nn.Linear(2, Width(2).value)

class Untargeted(Workload):
    epochs = 1
    load = model = lambda self: None

number = 3
"""


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_is_found_by_its_name(name):
    assert type(find_workload(name)) is WORKLOADS[name]


def test_a_workload_of_ones_own_is_found(tmp_path):
    write(tmp_path, mine=OWN_WORKLOAD)
    workload = find_workload("mine.py:Tiny", tmp_path)
    assert isinstance(workload, Workload)
    assert workload.model().out_features == 2


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("digits_mpl", "did you mean `digits_mlp`?"),
        ("zzz", "known are `breast_cancer_logreg`"),
        ("mine.py:number", "must be a subclass"),
        ("mine.py:Width", "must be a subclass"),
        ("mine.py:Untargeted", "must set `target`"),
        ("mine.py:Workload", "must define `load` and `model`"),
    ],
)
def test_what_is_not_a_workload_is_refused(tmp_path, reference, reason):
    write(tmp_path, mine=OWN_WORKLOAD)
    with pytest.raises(ReferenceProblem) as caught:
        find_workload(reference, tmp_path)
    assert reference in str(caught.value)
    assert reason in str(caught.value)


OWN_RULE = """
from hpo_vs_adapt.optim.base import Rule, Setting
class Still(Rule):
    settings = {"lr": Setting(0.1, "unused")}
    adapts = "nothing"
    reference = "nobody"
    def init(self, w, layout): return {}
    def update(self, w, g, state, oracle): return w, state
    def observe(self, state): return {}
class Unstated(Still):
    pass
class Partial(Rule):
    settings = {}
    def init(self, w, layout): return {}
other = 3
"""


def test_a_rule_of_ones_own_is_found(tmp_path):
    write(tmp_path, mine=OWN_RULE)
    assert issubclass(find_rule("mine.py:Still", tmp_path), Rule)
    assert find_rule("sgd").__module__.startswith("hpo_vs_adapt.optim.")


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("sdg", "did you mean `sgd`?"),
        ("mine.py:other", "must be a subclass"),
        ("mine.py:Partial", "`observe`, `update`, `adapts`, `reference`"),
        ("torch.nn:Linear", "must be a subclass"),
    ],
)
def test_what_is_not_a_rule_is_refused(tmp_path, reference, reason):
    write(tmp_path, mine=OWN_RULE)
    with pytest.raises(ReferenceProblem) as caught:
        find_rule(reference, tmp_path)
    assert reference in str(caught.value)
    assert reason in str(caught.value)
