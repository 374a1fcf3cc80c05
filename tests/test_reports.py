"""The committed reports say what was found, and what is said of them is in them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.optim import RULES
from hpo_vs_adapt.study import Study

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGE = (ROOT / "docs" / "tuned_or_adaptive.md").read_text()
REPLICATIONS = (ROOT / "docs" / "replications.md").read_text()
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


def test_the_page_counts_the_rows_that_are_as_published():
    near = _near("clara_tables_small")
    assert f"for {near.sum()} of {len(near)} rows" in " ".join(REPLICATIONS.split())


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
SECTION = " ".join(PAGE.split())
SHORT = README[README.index("## Tuned or adaptive?") :].split("\n## ")[0]
SHORT = " ".join(SHORT.split())


def _evidence(name):
    return pd.DataFrame(SUMMARY[name])


def test_the_examples_stay_small():
    files = [path for path in EXAMPLES.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 12 * 2**20


def test_the_page_says_how_large_the_evidence_is():
    progress = pd.read_csv(EVIDENCE / "tables" / "progress.csv")
    study = Study.from_yaml(EVIDENCE / "study.yaml")
    assert study.text == (ROOT / "studies" / "tuned_or_adaptive.yaml").read_text()
    assert f"{len(study.arms)} arms on nine workloads with five seeds" in SECTION
    assert f"{progress['done'].sum()} trials" in SECTION
    assert (len(study.workloads), len(study.seeds)) == (9, 5)


def test_the_page_says_what_tuning_costs_beyond_the_least_bill():
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


def test_the_page_says_who_met_how_many_targets():
    solved = _evidence("across_workloads").set_index("arm")["solved"]
    arms = {arm.name: arm for arm in Study.from_yaml(EVIDENCE / "study.yaml").arms}
    plain = [name for name, arm in arms.items() if arm.by == "single"]
    tuned = [n for n, arm in arms.items() if arm.by in ("grid", "random", "optuna")]
    missed = (solved[plain] <= 7).sum()
    for text in (SECTION, SHORT):
        assert f"{missed} of the {len(plain)} arms that tune nothing missed" in text
    assert f"Adam at its default rate on {9 - solved['adam']}" in SECTION
    assert f"and SGD on {9 - solved['sgd']}." in SECTION
    whole = (solved[tuned] == 9).sum()
    assert f"Of the {len(tuned)} tuned arms {whole} met all nine targets" in SECTION
    assert f"{whole} of the {len(tuned)} tuned arms met all nine" in SHORT
    four = ", ".join(f"{solved[name]}" for name in ("gala", "clara", "gap"))
    assert f"they met {four} and {solved['tlr']} of the nine targets" in SECTION


def test_the_page_says_what_the_best_methods_cost():
    arms = _evidence("across_workloads").set_index("arm")
    assert arms.loc[["alig", "momo"], "solved"].tolist() == [9, 9]
    assert arms.loc["sps", "solved"] == 8
    alig, momo, sps = (
        f"{arms.loc[n, 'mean_ratio']:.2f}" for n in ("alig", "momo", "sps")
    )
    assert f"for {alig} and {momo} times the bill of the grid" in SECTION
    assert f"SPS eight of them for {sps}" in SECTION
    assert f"met all nine targets for {alig} times the grid's bill" in SHORT


@pytest.fixture(scope="module")
def two_arms():
    trials = pd.read_csv(EVIDENCE / "tables" / "trials_of_two_arms.csv")
    trials["lr"] = [json.loads(text).get("lr") for text in trials["settings"]]
    trials["spent"] = trials["cost_to_target"].where(trials["hit"], trials["cost"])
    return trials


def _bills(trials):
    """Return by workload what trials spend until the target, over their hits."""
    spent = trials.groupby("workload")[["spent", "hit"]].sum()
    return spent["spent"] / spent["hit"]


def _grid(trials):
    return trials[(trials["arm"] == "sgd-grid") & (trials["role"] == "policy")]


def _vain(trials):
    """Return what rates that fail before the first hit cost: mean over all orders."""
    return trials.loc[~trials["hit"], "cost"].sum() / (trials["hit"].sum() + 1)


def test_the_page_says_what_one_fixed_rate_costs(two_arms):
    grid = _grid(two_arms)
    fixed = grid[grid["lr"] == 0.1]
    assert f"meets the target in {fixed['hit'].sum()} of them" in SECTION
    assert fixed.groupby("workload")["hit"].agg(["size", "sum"]).min().tolist() == [
        5,
        4,
    ]
    arms = pd.DataFrame(SUMMARY["arms"])
    whole = arms[arms["arm"] == "sgd-grid"].set_index("workload")["bill"]
    whole = pd.Series({name: bill["expected"] for name, bill in whole.items()})
    ratio = _bills(fixed) / whole
    assert (
        f"from {ratio.min():.2f} times the grid's bill on `{ratio.idxmin()}`" in SECTION
    )
    assert f"to {ratio.max():.2f} times on `{ratio.idxmax()}`" in SECTION
    mean = np.exp(np.log(ratio).mean())
    assert f"{mean:.2f} times in the geometric mean" in SECTION
    assert f"for {mean:.2f} times the grid's bill (geometric mean)" in SHORT


def test_the_page_says_how_often_alig_ran_at_its_cap(two_arms):
    rates = pd.read_csv(EVIDENCE / "tables" / "rates_of_alig.csv")
    alig = two_arms[two_arms["arm"] == "alig"]
    assert alig["hit"].all()
    last = (alig["cost_to_target"] / alig["batch_size"]).groupby(alig["workload"]).max()
    before = rates[rates["step"] <= rates["workload"].map(last)]
    capped = before.groupby("workload")["low"].min() > 0.0999  # in float32
    assert f"On {capped.sum()} of {len(capped)} workloads the rate" in SECTION
    assert f"On {capped.sum()} of {len(capped)} workloads it ran at the cap" in SHORT
    assert list(capped[~capped].index) == ["mnist1d_mlp"]


def test_the_page_says_what_the_order_of_the_grid_costs(two_arms):
    grid = _grid(two_arms)
    streams = grid.groupby(["workload", "stream"])
    vain = streams[["hit", "cost"]].apply(_vain).groupby("workload").sum()
    arms = pd.DataFrame(SUMMARY["arms"])
    whole = arms[arms["arm"] == "sgd-grid"].set_index("workload")
    spent = pd.Series(
        {w: r["bill"]["expected"] * r["pass_hits"] for w, r in whole.iterrows()}
    )
    low, high = (f"{100 * one:.0f}" for one in (vain / spent).agg(["min", "max"]))
    for text in (SECTION, SHORT):
        assert f"make up {low} to {high} % of the bill of SGD's grid" in text


def test_the_page_counts_the_retrainings_of_winners(two_arms):
    again = two_arms[two_arms["role"] == "retrain"]
    assert again["seed"].nunique() == 1
    different = again.groupby("workload")["key"].nunique()
    assert different.value_counts().to_dict() == {1: 5, 2: 4}
    assert "one on five workloads, two on four, for SGD's grid" in SECTION
