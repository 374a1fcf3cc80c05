"""The committed reports say what was found, and what is said of them is in them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from hpo_vs_adapt.optim import RULES
from hpo_vs_adapt.study import Study

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
EXAMPLES = ROOT / "reports" / "examples"
CONTENDERS = EXAMPLES / "contenders"


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


def test_what_a_calibration_cost_stands_beside_the_bill(bills):
    page = (CONTENDERS / "index.html").read_text()
    calibrated = bills[bills["calibration"].notna()]
    assert list(calibrated.index) == [
        arm for arm in bills.index if arm.endswith("-calibrated")
    ]
    shown = re.findall(r'data-unit="cost">\+ ([\d.]+) M once<', page)
    costs = calibrated.sort_values("bill", na_position="last")["calibration"]
    assert sorted(map(float, shown)) == sorted((costs / 1e6).round(1))


def _near(report, arms=None):
    """Whether each row is within 2 points or 2 standard deviations, of either."""
    rows = pd.read_csv(EXAMPLES / report / "tables" / "published.csv")
    if arms is not None:
        rows = rows[rows["arm"].isin(arms)]
    deviation = rows[["published_sd", "ours_sd"]].max(axis=1)
    return rows["difference"].abs() <= deviation.mul(2).clip(lower=2)


def test_five_epochs_of_fashion_mnist_are_as_published():
    near = _near("clara_fashion_5_epochs")
    assert len(near) == 6 * 4
    assert near.all()


def test_the_readme_counts_the_rows_that_are_as_published():
    near = _near("clara_tables_small")
    assert f"for {near.sum()} of {len(near)} rows" in README


def test_functions_without_noise_agree_to_the_printed_digit():
    rows = pd.read_csv(EXAMPLES / "clara_synthetic" / "tables" / "published.csv")
    exact = rows[~rows["workload"].str.startswith("noisy")]
    assert len(exact) == 10
    assert (exact["ours"].round(1) == exact["published"]).all()


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


EVIDENCE = EXAMPLES / "tuned_or_adaptive"
SUMMARY = json.loads((EVIDENCE / "summary.json").read_text())
SECTION = README[README.index("## Tuned or adaptive?") :].split("\n## ")[0]
SECTION = " ".join(SECTION.split())


def _evidence(name):
    return pd.DataFrame(SUMMARY[name])


def test_the_examples_stay_small():
    files = [path for path in EXAMPLES.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 12 * 2**20


def test_the_readme_says_how_large_the_evidence_is():
    progress = pd.read_csv(EVIDENCE / "tables" / "progress.csv")
    study = Study.from_yaml(EVIDENCE / "study.yaml")
    assert study.text == (ROOT / "studies" / "tuned_or_adaptive.yaml").read_text()
    assert f"{len(study.arms)} arms on nine workloads with five seeds" in SECTION
    assert f"{progress['done'].sum()} trials" in SECTION
    assert (len(study.workloads), len(study.seeds)) == (9, 5)


def test_the_readme_says_what_tuning_costs_beyond_the_least_bill():
    best = _evidence("headlines")
    assert (best["leader"] != best["tuned"]).all()
    low, high = (f"{ratio:.2g}" for ratio in best["tuned_ratio"].agg(["min", "max"]))
    assert f"costs {low} to {high} times as much" in SECTION
    pairs = _evidence("break_even")
    pairs = best.merge(pairs, on=["workload", "tuned"])
    never = pairs[(pairs["other"] == pairs["untuned"]) & (pairs["runs"] == "inf")]
    assert f"on {len(never)} of 9 tuning never pays" in SECTION
    grids = best["tuned"].str.endswith("-grid").sum()
    assert f"the cheapest search in {grids} of 9 cases" in SECTION
    least, most = best["candidates"].agg(["min", "max"])
    assert f"{least} to {most} arms may be the cheapest" in SECTION


def test_the_readme_says_who_met_how_many_targets():
    solved = _evidence("across_workloads").set_index("arm")["solved"]
    arms = {arm.name: arm for arm in Study.from_yaml(EVIDENCE / "study.yaml").arms}
    plain = [name for name, arm in arms.items() if arm.by == "single"]
    tuned = [n for n, arm in arms.items() if arm.by in ("grid", "random", "optuna")]
    missed = (solved[plain] <= 7).sum()
    assert f"{missed} of the {len(plain)} arms that tune nothing missed" in SECTION
    assert f"Adam at its default rate on {9 - solved['adam']}" in SECTION
    assert f"and SGD on {9 - solved['sgd']}." in SECTION
    whole = (solved[tuned] == 9).sum()
    assert f"Of the {len(tuned)} tuned arms {whole} met all nine targets" in SECTION
    four = ", ".join(f"{solved[name]}" for name in ("gala", "clara", "gap"))
    assert f"they met {four} and {solved['tlr']} of the nine targets" in SECTION


def test_the_readme_says_what_the_best_methods_cost():
    arms = _evidence("across_workloads").set_index("arm")
    assert arms.loc[["alig", "momo"], "solved"].tolist() == [9, 9]
    assert arms.loc["sps", "solved"] == 8
    alig, momo, sps = (
        f"{arms.loc[n, 'mean_ratio']:.2f}" for n in ("alig", "momo", "sps")
    )
    assert f"for {alig} and {momo} times the bill of the grid" in SECTION
    assert f"SPS eight of them for {sps}" in SECTION
