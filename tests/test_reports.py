"""The committed reports say what their tables hold."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from hpo_vs_adapt.optim import RULES
from hpo_vs_adapt.study import Study

ROOT = Path(__file__).parent.parent
CONTENDERS = ROOT / "reports" / "contenders"


@pytest.fixture(scope="module")
def bills():
    return pd.read_csv(CONTENDERS / "tables" / "bills.csv").set_index("arm")


def test_the_table_of_contenders_is_that_of_their_report(bills):
    text = (CONTENDERS / "README.md").read_text()
    rows = re.findall(
        r"^\| `([\w.-]+)` \| ([\d.]+)(?: ± ([\d.]+))? \| (\d+) of", text, re.M
    )
    assert {arm for arm, *_ in rows} == set(bills.index)
    for arm, accuracy, deviation, hits in rows:
        assert float(accuracy) == round(100 * bills.loc[arm, "final_metric"], 1), arm
        assert float(deviation) == round(100 * bills.loc[arm, "final_sd"], 1), arm
        assert int(hits) == bills.loc[arm, "hits"], arm


def test_every_rule_is_among_the_contenders_at_its_defaults():
    study = Study.from_yaml(ROOT / "studies" / "contenders.yaml")
    plain = {arm.rule for arm in study.arms if not arm.settings and arm.tune is None}
    assert plain - {""} == set(RULES)


def test_every_contender_that_falls_short_is_explained(bills):
    text = (CONTENDERS / "README.md").read_text()
    explained = text.partition("## Why some fail")[2].partition("All twins")[0]
    short = bills[bills["final_metric"] < 0.95]
    for arm in short.index:
        name = arm.removesuffix("-calibrated")
        assert f"`{name}" in explained, arm
