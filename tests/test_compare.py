import dataclasses
import itertools
import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hpo_vs_adapt.compare import (
    CHANGE_COLUMNS,
    Comparison,
    Report,
    ReportProblem,
    compare_reports,
    read_report,
)
from hpo_vs_adapt.compare.arm_trials import ArmTrials, arm_trials, paired_bounds
from hpo_vs_adapt.compare.changes import best_change, bill_change, hits_change
from hpo_vs_adapt.compare.verdicts import MINUS
from hpo_vs_adapt.metrics import reference_ratios
from hpo_vs_adapt.report import write_report
from tests.report import builder

ROOT = Path(__file__).parent.parent
QUICKSTART = ROOT / "reports" / "quickstart"
PLACE = ("w", "a")


def single(
    costs: Sequence[float], seeds: Sequence[int] | None = None, name: str = ""
) -> pd.DataFrame:
    """Return trials of an arm without `tune`; a cost of inf is a miss that spent 100.

    Best metrics are the costs' logarithms, 0 where the target was missed.
    """
    seeds = range(len(costs)) if seeds is None else seeds
    rows = [
        {
            **{"workload": "w", "arm": "a", "kind": "fixed", "by": "single"},
            **{"role": "policy", "stream": -1, "number": number, "settings": {}},
            **{"key": f"{name}{seed}-{cost}", "rule": "sgd", "batch_size": 1},
            **{"seed": seed, "end": "budget", "failed": False, "hit": cost < math.inf},
            **{"cost": 100.0, "cost_to_target": cost},
            "best_metric": math.log(cost) if cost < math.inf else 0.0,
        }
        for number, (cost, seed) in enumerate(zip(costs, seeds, strict=True))
    ]
    return pd.DataFrame(rows)


def sides(first: pd.DataFrame, other: pd.DataFrame) -> tuple[ArmTrials, ArmTrials]:
    one, two = (arm_trials(trials, {"w": "max"})[PLACE] for trials in (first, other))
    return one, two


def bill_bounds(first: pd.DataFrame, other: pd.DataFrame) -> Any:
    paired = paired_bounds(first, other)
    return bill_change(*sides(first, other), lambda level: paired(PLACE, level))


def written(tmp_path: Path, name: str, **parts: Any) -> Path:
    """Write what is read of the report of an imagined study."""
    results = builder.finished(builder.study(**{"sweep": False, **parts}))
    folder = tmp_path / name
    (folder / "tables").mkdir(parents=True)
    settings = [json.dumps(one) for one in results.records["settings"]]
    trials = results.records.assign(settings=settings)
    trials.to_csv(folder / "tables" / "trials.csv", index=False)
    results.progress.to_csv(folder / "tables" / "progress.csv", index=False)
    study = results.study
    facts = [
        {
            **{"name": one.name, "metric": one.metric.name, "mode": one.metric.mode},
            **{"target": one.target, "budget": {"epochs": one.epochs}},
        }
        for one in study.workloads
    ]
    places = [
        {"workload": one["name"], "arm": arm.name, "kind": arm.kind}
        for one, arm in itertools.product(facts, study.arms)
    ]
    summary = {"schema": 1, "study": study.name, "unit": "sample gradients"}
    summary |= {"provenance": dict(results.provenance)}
    summary |= {"workloads": facts, "arms": places}
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "study.yaml").write_text(study.text)
    return folder


def compared(*folders: Path) -> Comparison:
    return compare_reports([read_report(folder) for folder in folders])


def row(comparison: Comparison, arm: str, quantity: str) -> dict[str, Any]:
    table = comparison.changes
    chosen = table[(table["arm"] == arm) & (table["quantity"] == quantity)]
    (found,) = chosen.to_dict("records")
    return {str(name): value for name, value in found.items()}


def notes(comparison: Comparison, about: str, name: str = "B") -> tuple[str, ...]:
    found = [one.items for one in comparison.notes[name] if one.about.startswith(about)]
    return found[0] if found else ()


def change_table(folder: Path, name: str, **columns: Any) -> None:
    """Set columns of a table of a report to other values."""
    path = folder / "tables" / f"{name}.csv"
    table = pd.read_csv(path, dtype={"key": str})
    table.assign(**columns).to_csv(path, index=False)


def change_summary(folder: Path, **parts: Any) -> None:
    path = folder / "summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **parts}))


# What is read


@pytest.mark.parametrize("name", ["quickstart", "clara_synthetic", "gap_momentum"])
def test_the_numbers_are_those_that_the_report_itself_states(name):
    folder = ROOT / "reports" / name
    summary = json.loads((folder / "summary.json").read_text())
    stated = {(arm["workload"], arm["arm"]): arm for arm in summary["arms"]}
    table = compared(folder, folder).changes
    assert len(table)
    for one in table.to_dict("records"):
        arm = stated[one["workload"], one["arm"]]
        expected = {
            "bill": arm["bill"]["expected"],
            "per run": arm["cost_per_run"]["expected"],
            "best": arm["best_metric"],
            "hits": arm["pass_hits"] / arm["passes"],
        }[one["quantity"]]
        known = math.nan if expected is None else expected
        assert one["first"] == pytest.approx(known, rel=1e-12, nan_ok=True)


def test_a_report_against_itself_is_the_same_trials_and_nothing_is_tested():
    comparison = compared(QUICKSTART, QUICKSTART)
    table = comparison.changes
    assert tuple(table.columns) == CHANGE_COLUMNS
    # 12 arms of 2 workloads; of each two, 2 are tuned and have runs besides
    assert len(table) == 12 * 3 + 4
    assert set(table["finding"]) == {"same"}
    assert not table["shown"].any()
    assert comparison.tested == 0
    assert comparison.notes == {"B": []}


def test_who_has_the_least_bill_is_told_of_every_report():
    comparison = compared(QUICKSTART, QUICKSTART)
    summary = json.loads((QUICKSTART / "summary.json").read_text())
    stated = {
        (a["workload"], a["arm"]): a["first_probability"] for a in summary["arms"]
    }
    rows = comparison.firsts.to_dict("records")
    assert [(one["report"], one["arm"]) for one in rows] == [
        *(("A", "clara-sgd"), ("A", "sgd-grid")),
        *(("B", "clara-sgd"), ("B", "sgd-grid")),
    ]
    for one in rows:
        probability = stated[one["workload"], one["arm"]]
        assert one["first_probability"] == pytest.approx(probability, abs=0.02)


def test_names_that_look_like_numbers_or_nothing_stay_names(tmp_path):
    arms = [builder.fixed_arm("null"), builder.fixed_arm("1e5"), builder.fixed_arm("")]
    folder = written(tmp_path, "names", arms=arms, sweep=False)
    report = read_report(folder)
    assert set(report.trials["arm"]) == {"null", "1e5", ""}
    table = compared(folder, folder).changes
    assert list(table["arm"].unique()) == ["null", "1e5", ""]


def test_keys_of_digits_alone_are_not_rounded(tmp_path):
    folder = written(tmp_path, "keys")
    count = len(pd.read_csv(folder / "tables" / "trials.csv"))
    keys = [f"{number:032d}" for number in range(10**17, 10**17 + count)]
    change_table(folder, "trials", key=keys)
    assert list(read_report(folder).trials["key"]) == keys


def test_a_folder_without_a_summary_is_no_report(tmp_path):
    with pytest.raises(ReportProblem, match=r"without summary\.json"):
        read_report(tmp_path)
    with pytest.raises(ReportProblem, match="must be the folder of a report"):
        read_report(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "must hold JSON"),
        ("[]", "`schema` must be 1; got None"),
        ('{"schema": 2}', "`schema` must be 1; got 2"),
        ('{"schema": 1, "study": "x"}', "`unit` must be there"),
    ],
)
def test_a_summary_that_cannot_be_read_is_said_to_be_one(tmp_path, text, message):
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(ReportProblem, match=r"summary\.json") as caught:
        read_report(tmp_path)
    assert message in str(caught.value)


def test_a_summary_without_a_key_of_a_workload_names_it(tmp_path):
    folder = written(tmp_path, "less")
    change_summary(folder, workloads=[{"name": "digits_mlp"}])
    with pytest.raises(ReportProblem, match=r"`workloads\[0\]\.metric` must be there"):
        read_report(folder)


def test_tables_that_are_missing_or_damaged_are_named(tmp_path):
    folder = written(tmp_path, "damaged")
    trials = folder / "tables" / "trials.csv"
    text = trials.read_text()
    for damaged, message in (
        (text.replace(",cost,", ",price,", 1), "must have the columns"),
        (text.replace('"{""lr""', '"{lr', 1), "`settings` must be JSON"),
        (text.replace(",50,", ",fifty,", 1), "must be a table of a report"),
    ):
        assert damaged != text
        trials.write_text(damaged)
        with pytest.raises(ReportProblem, match=r"trials\.csv") as caught:
            read_report(folder)
        assert message in str(caught.value)
    trials.unlink()
    with pytest.raises(ReportProblem, match="got no file"):
        read_report(folder)


def test_units_must_agree_and_reports_be_two_or_more(tmp_path):
    report = read_report(QUICKSTART)
    flops = dataclasses.replace(report, unit="FLOPs")
    with pytest.raises(ReportProblem, match="`unit` must be the same"):
        compare_reports([report, flops])
    for few in ([], [report], [report] * 27):
        with pytest.raises(ReportProblem, match="must be given 2 to 26 times"):
            compare_reports(few)


# How sure a change is


def test_bills_over_the_same_seeds_are_paired():
    first, other = single([100, 200, 300]), single([60, 90, 150], name="b")
    change = bill_bounds(first, other)
    assert (change.first, change.other, change.change) == (200, 100, 0.5)
    assert change.paired == 3
    # influences c / mean - 1: (-0.5, 0, 0.5) and (-0.4, -0.1, 0.5); the differences
    # 0.1, -0.1, 0 have a sum of squares of 0.02, so se^2 = 0.02 / (3 * 2)
    away = stats.t.ppf(0.975, 2) * math.sqrt(0.02 / 6)
    assert change.bounds(0.95) == pytest.approx(
        (0.5 * math.exp(-away), 0.5 * math.exp(away))
    )


def test_bills_in_proportion_for_every_seed_have_an_interval_without_width():
    change = bill_bounds(single([100, 200, 300]), single([50, 100, 150], name="b"))
    assert change.bounds(0.95) == pytest.approx((0.5, 0.5))


def test_bills_over_other_seeds_are_independent_and_agree_with_reference_ratios():
    first = single([100, 200, 300, math.inf])
    other = single([60, 90, 150, 80, 70], seeds=range(5, 10), name="b")
    change = bill_bounds(first, other)
    both = pd.concat([first.assign(arm="one"), other.assign(arm="two")])
    ratios = reference_ratios(both, "one", samples=200_000).set_index("arm")
    assert change.paired == 0
    assert change.change == pytest.approx(ratios.loc["two", "ratio"])
    low, high = change.bounds(0.95)
    assert low == pytest.approx(ratios.loc["two", "low"], rel=0.05)
    assert high == pytest.approx(ratios.loc["two", "high"], rel=0.05)


def test_streams_whose_trials_have_seeds_of_their_own_are_not_paired():
    tuned = {"by": "random", "kind": "tuned", "stream": [0, 0, 1, 1]}
    first, other = single([10, 20, 30, 40]), single([11, 22, 33, 44], name="b")
    fresh = bill_bounds(first.assign(**tuned), other.assign(**tuned))
    assert fresh.paired == 0
    shared = {**tuned, "seed": [0, 0, 1, 1]}
    assert bill_bounds(first.assign(**shared), other.assign(**shared)).paired == 2


def test_a_single_pass_tells_nothing_of_the_noise():
    change = bill_bounds(single([100]), single([50], name="b"))
    assert change.change == 0.5
    assert all(math.isnan(bound) for bound in change.bounds(0.95))


def test_best_metrics_have_students_interval_paired_or_welchs():
    rng = np.random.default_rng(0)
    ours, theirs = rng.lognormal(1, 1, 6), rng.lognormal(2, 0.3, 6)
    first, other = single(list(ours)), single(list(theirs), name="b")
    paired = best_change(*sides(first, other))
    expected = stats.ttest_rel(np.log(theirs), np.log(ours)).confidence_interval(0.9)
    assert paired.bounds(0.9) == pytest.approx(tuple(expected))
    apart = single(list(theirs), seeds=range(10, 16), name="b")
    welch = best_change(*sides(first, apart))
    test = stats.ttest_ind(np.log(theirs), np.log(ours), equal_var=False)
    assert welch.bounds(0.9) == pytest.approx(tuple(test.confidence_interval(0.9)))
    assert (paired.paired, welch.paired) == (6, 0)
    assert welch.change == pytest.approx(np.log(theirs).mean() - np.log(ours).mean())


def test_shares_of_hits_have_newcombes_interval():
    # Newcombe 1998, table II, (a): 56/70 - 48/80 = 0.2, method 10: 0.0524 to 0.3339
    first = single([1.0] * 48 + [math.inf] * 32)
    other = single([1.0] * 56 + [math.inf] * 14, name="b")
    change = hits_change(*sides(first, other))
    assert change.change == pytest.approx(0.2)
    assert change.bounds(0.95) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@pytest.mark.parametrize("cost", [1.0, math.inf])
def test_where_all_hit_or_none_no_difference_of_shares_could_show(cost):
    change = hits_change(*sides(single([cost] * 3), single([cost] * 5, name="b")))
    assert change.change == 0
    assert all(math.isnan(bound) for bound in change.bounds(0.95))


@pytest.mark.slow  # thousands of trials
def test_luck_alone_leaves_one_interval_in_twenty():
    rng = np.random.default_rng(5)

    def draw(name: str) -> pd.DataFrame:
        costs = rng.lognormal(5, 0.5, (400, 5))
        arms = [
            single(list(own), name=name).assign(arm=f"{i}")
            for i, own in enumerate(costs)
        ]
        return pd.concat(arms, ignore_index=True)

    first, other = draw(""), draw("b")
    paired = paired_bounds(first, other)
    modes = {"w": "max"}
    ours, theirs = arm_trials(first, modes), arm_trials(other, modes)
    bills, bests = [], []
    for place, one in ours.items():
        low, high = paired(place, 0.95)
        bills.append(not low <= 1 <= high)
        low, high = best_change(one, theirs[place]).bounds(0.95)
        bests.append(not low <= 0 <= high)
    # binomial, 400 of 5 %: 99.9 % lie between 7 and 36; bills are a little too narrow
    assert 7 <= sum(bests) <= 36
    assert 7 <= sum(bills) <= 45


# What is found


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """The report of an imagined study with five seeds."""
    return written(tmp_path_factory.mktemp("before"), "before", seeds=range(5))


def copied(before: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(before, tmp_path / "after"))


@pytest.fixture(scope="module")
def after(tmp_path_factory):
    """The same with another rate of Adam."""
    folder = tmp_path_factory.mktemp("after")
    return written(folder, "after", arms=arms(3e-3), seeds=range(5))


def arms(adam: float = 1e-3) -> list[Any]:
    return [
        builder.grid_arm(),
        builder.optuna_arm(),
        builder.fixed_arm(lr=adam),
        builder.adaptive_arm(),
    ]


def test_a_better_setting_differs_beyond_noise_and_the_rest_is_the_same(before, after):
    comparison = compared(before, after)
    bill = row(comparison, "adam-default", "bill")
    assert bill["finding"] == "differs"
    assert bill["change"] == pytest.approx(bill["other"] / bill["first"])
    assert bill["all_low"] < bill["low"] < bill["change"] < bill["high"] < 1
    assert bill["verdict"] == "2.1 times as cheap [1.9, 2.4]"
    assert bill["paired"] == 5
    best = row(comparison, "adam-default", "best")
    assert (best["finding"], comparison.tested) == ("differs", 2)
    assert best["verdict"] == "0.014 better [0.0066, 0.022]"
    others = comparison.changes[comparison.changes["arm"] != "adam-default"]
    assert set(others["finding"]) == {"same"}


def test_a_difference_is_called_perhaps_once_more_is_compared(before, after, tmp_path):
    elsewhere = written(tmp_path, "elsewhere", seeds=range(5, 10))
    comparison = compared(before, after, elsewhere)
    assert comparison.tested > 8
    table = comparison.changes[comparison.changes["report"] == "B"]
    best = row(dataclasses.replace(comparison, changes=table), "adam-default", "best")
    assert best["finding"] == "perhaps"
    assert best["all_low"] < 0 < best["low"]
    assert best["verdict"] == "perhaps 0.014 better [0.0066, 0.022]"


def test_the_intervals_that_hold_together_are_bonferronis(before, after):
    bill = row(compared(before, after), "adam-default", "bill")
    widths = [
        math.log(bill[f"{kind}high"] / bill[f"{kind}low"]) for kind in ("", "all_")
    ]
    expected = stats.t.ppf(1 - 0.025 / 2, 4) / stats.t.ppf(0.975, 4)
    assert widths[1] / widths[0] == pytest.approx(expected)


def test_the_other_way_round_cheap_is_dear_and_better_is_worse(before, after):
    there, back = compared(before, after), compared(after, before)
    one, two = (row(each, "adam-default", "bill") for each in (there, back))
    assert one["change"] * two["change"] == pytest.approx(1)
    assert one["low"] * two["high"] == pytest.approx(1)
    assert two["verdict"] == "2.1 times as dear [1.9, 2.4]"
    assert "worse [0.0066, " in row(back, "adam-default", "best")["verdict"]


def test_a_lower_metric_is_better_where_the_mode_is_min(tmp_path):
    loss = [builder.workload(target=0.3, metric=builder.LOSS)]
    folders = [
        written(tmp_path, name, arms=arms(lr), workloads=loss, seeds=range(5))
        for name, lr in (("one", 1e-3), ("two", 3e-3))
    ]
    best = row(compared(*folders), "adam-default", "best")
    assert best["change"] < 0
    assert " better [" in best["verdict"]


def test_more_seeds_of_the_same_share_trials_and_do_not_differ(before, tmp_path):
    after = written(tmp_path, "after", seeds=range(8))
    comparison = compared(before, after)
    bill = row(comparison, "adam-default", "bill")
    assert (bill["shared"], bill["paired"]) == (5, 0)
    assert bill["finding"] == "noise"
    assert bill["verdict"].startswith("no difference beyond noise: ")
    assert "seeds: [0, 1, 2, 3, 4] → [0, 1, 2, 3, 4, 5, 6, 7]" in notes(
        comparison, "Defined otherwise"
    )


def test_a_target_that_is_met_no_more_is_shown_with_its_hits(before, tmp_path):
    worse = arms()
    worse[2] = builder.fixed_arm(lr=1e-6)
    after = written(tmp_path, "after", arms=worse, seeds=range(5))
    there, back = compared(before, after), compared(after, before)
    bill, hits = (row(there, "adam-default", kind) for kind in ("bill", "hits"))
    assert (bill["finding"], bill["verdict"]) == ("gone", "met in A, never in B")
    assert math.isnan(bill["other"])
    assert math.isnan(bill["change"])
    assert bill["shown"]
    assert hits["shown"]
    assert (hits["first"], hits["other"]) == (1, 0)
    assert hits["verdict"].startswith(f"met less often: {MINUS}1 [{MINUS}1")
    gained = row(back, "adam-default", "bill")
    assert (gained["finding"], gained["verdict"]) == ("new", "met in B, never in A")
    neither = row(compared(after, after), "adam-default", "bill")
    assert neither["finding"] == "same"


def test_the_same_trials_at_another_target_are_not_tested(before, tmp_path):
    after = copied(before, tmp_path)
    summary = json.loads((after / "summary.json").read_text())
    summary["workloads"][0]["target"] = 0.95
    change_summary(after, workloads=summary["workloads"])
    costs = pd.read_csv(after / "tables" / "trials.csv")["cost_to_target"]
    change_table(after, "trials", cost_to_target=costs * 2)
    comparison = compared(before, after)
    bill = row(comparison, "clara", "bill")
    assert (bill["finding"], bill["shown"]) == ("asked", True)
    assert bill["verdict"] == "same trials, another target"
    assert row(comparison, "clara", "best")["finding"] == "same"
    assert comparison.tested == 0
    assert notes(comparison, "Defined otherwise") == ("digits_mlp: target 0.9 → 0.95",)


def test_the_same_trials_with_other_numbers_were_trained_elsewhere(before, tmp_path):
    after = copied(before, tmp_path)
    best = pd.read_csv(after / "tables" / "trials.csv")["best_metric"]
    change_table(after, "trials", best_metric=best + 1e-4)
    moved = row(compared(before, after), "clara", "best")
    assert moved["finding"] == "moved"
    assert moved["verdict"] == "same trials, other numbers"


def test_another_metric_is_another_question(before, tmp_path):
    after = copied(before, tmp_path)
    summary = json.loads((after / "summary.json").read_text())
    summary["workloads"][0]["metric"] = "balanced accuracy"
    change_summary(after, workloads=summary["workloads"])
    comparison = compared(before, after)
    assert set(comparison.changes["verdict"]) == {"another metric"}
    assert comparison.tested == 0


def test_records_that_changed_with_the_code_are_told(before, tmp_path):
    after = copied(before, tmp_path)
    trials = pd.read_csv(after / "tables" / "trials.csv", dtype={"key": str})
    keys = trials["key"].where(trials["arm"] != "clara", "f" + trials["key"])
    change_table(after, "trials", key=keys)
    comparison = compared(before, after)
    count = int((trials["arm"] == "clara").sum())
    assert notes(comparison, "Same settings and seeds") == (
        f"digits_mlp: {count} trials of clara",
    )
    assert row(comparison, "clara", "bill")["verdict"] == "equal"


def test_definitions_are_compared_key_by_key(tmp_path):
    told = {
        "one": "optimizer: {rule: sgd}, tune: {by: grid, retrain: 3}",
        "two": "optimizer: {rule: sgd, momentum: 0.9}, tune: {by: grid}",
    }
    for name, arm in told.items():
        folder = written(tmp_path, name, arms=[builder.grid_arm()], sweep=False)
        text = f"workloads: [digits_mlp]\narms:\n  - {{name: sgd-grid, {arm}}}\n"
        (folder / "study.yaml").write_text(text)
    comparison = compared(tmp_path / "one", tmp_path / "two")
    assert notes(comparison, "Defined otherwise") == (
        "sgd-grid: tune.retrain 3 → default; optimizer.momentum default → 0.9",
    )


def test_what_only_one_report_has_is_named_and_long_lists_are_cut(tmp_path):
    many = [builder.fixed_arm(f"arm-{number}") for number in range(12)]
    workloads = [builder.workload(), builder.workload("wine_mlp")]
    one = written(tmp_path, "one", arms=many, workloads=workloads, sweep=False)
    two = written(
        tmp_path, "two", arms=[*many[:2], builder.fixed_arm("new")], sweep=False
    )
    comparison = compared(one, two)
    assert notes(comparison, "Only in A") == (
        "workloads wine_mlp",
        "arms arm-2, arm-3, arm-4, arm-5, arm-6, arm-7, arm-8 and 3 others",
    )
    assert notes(comparison, "Only in B") == ("arms new",)
    assert set(comparison.changes["arm"]) == {"arm-0", "arm-1"}
    assert set(comparison.changes["workload"]) == {"digits_mlp"}


def test_an_unfinished_report_is_compared_by_the_trials_it_has(before, tmp_path):
    after = copied(before, tmp_path)
    path = after / "tables" / "trials.csv"
    trials = pd.read_csv(path, dtype={"key": str})
    gone = (trials["arm"] == "clara") | (trials["seed"] == 4)
    trials[~gone].to_csv(path, index=False)
    progress = pd.read_csv(after / "tables" / "progress.csv")
    done = progress["done"].where(progress["arm"] != "clara", 0)
    change_table(after, "progress", done=done)
    comparison = compared(before, after)
    assert notes(comparison, "Not finished in B") == (
        "digits_mlp, clara: 0 of 5 trials",
    )
    assert "clara" not in set(comparison.changes["arm"])
    assert row(comparison, "adam-default", "bill")["shared"] == 4


def test_a_report_without_trials_shares_nothing(before, tmp_path):
    after = copied(before, tmp_path)
    path = after / "tables" / "trials.csv"
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    comparison = compared(before, after)
    assert comparison.changes.empty
    assert tuple(comparison.changes.columns) == CHANGE_COLUMNS
    assert list(comparison.firsts["report"]) == ["A"]


def test_the_order_of_rows_in_a_table_changes_nothing(before, after):
    report = read_report(after)
    turned = dataclasses.replace(report, trials=report.trials.iloc[::-1])
    first: Report = read_report(before)
    one, two = (compare_reports([first, each]).changes for each in (report, turned))
    pd.testing.assert_frame_equal(one, two)


@pytest.mark.slow  # it draws all figures
def test_a_report_as_it_is_written_can_be_read(before, tmp_path):
    page = write_report(builder.finished(builder.study(seeds=range(5))), tmp_path / "x")
    comparison = compared(before, page.parent)
    assert set(comparison.changes["finding"]) == {"same"}
    assert comparison.notes == {"B": []}


def test_every_report_is_compared_with_the_first(before, after):
    comparison = compared(before, before, after)
    assert list(comparison.reports) == ["A", "B", "C"]
    findings = comparison.changes.groupby("report")["finding"].agg(set).to_dict()
    assert findings["B"] == {"same"}
    assert "differs" in findings["C"]
