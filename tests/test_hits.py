"""A hit is said once, and nobody else compares by a metric's mode."""

import ast
import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

import hpo_vs_adapt
from hpo_vs_adapt.metrics.basics.hits import first_hit
from hpo_vs_adapt.observers.dashboard.figures import learning_curves
from hpo_vs_adapt.observers.terminal.race import Race
from hpo_vs_adapt.plan.plan import Plan
from hpo_vs_adapt.records.serving import serves
from hpo_vs_adapt.records.store import RecordStore
from hpo_vs_adapt.records.trials import EndReason
from hpo_vs_adapt.schedule.worker import crash_record
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.tables.collect import make_study_tables
from tests.record_examples import make_record

PACKAGE = Path(hpo_vs_adapt.__file__).parent
TARGET = 0.5
CURVES = {
    "never": ([0.1, 0.2, 0.3, 0.4], None),
    "at the first evaluation": ([0.6, 0.2, 0.1, 0.1], 0),
    "at the last, by equality": ([0.1, 0.2, 0.3, 0.5], 3),
    "at the only one": ([0.9], 0),
    "behind NaN": ([0.1, math.nan, 0.7, 0.8], None),
    "before NaN": ([0.1, 0.6, math.nan, 0.1], 1),
    "behind NaN at the start": ([math.nan, 0.7, 0.8, 0.9], None),
    "by inf": ([0.1, math.inf, 0.2, 0.1], None),
    "behind inf": ([0.1, math.inf, 0.7, 0.8], None),
    "behind -inf": ([0.1, -math.inf, 0.7, 0.8], None),
    "in nothing but NaN": ([math.nan, math.nan], None),
    "in no evaluation": ([], None),
}
"""Validation metrics of trials, where high is good, and where they hit."""

WORKLOADS = {"iris_logreg": "max", "sphere": "min"}


def turned(values, mode):
    return values if mode == "max" else [1 - value for value in values]


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """A study whose searches, told of costs, have tried every curve above."""
    rates = [10.0**-n for n in range(len(CURVES))]
    tune = {"by": "grid", "grid": {"lr": rates}, "objective": "cost"}
    study = Study.from_dict(
        {
            "name": "hits",
            "seeds": [0],
            "workloads": [{"name": name, "target": TARGET} for name in WORKLOADS],
            "arms": [{"name": "sgd", "optimizer": {"rule": "sgd"}, "tune": tune}],
            "storage": {"records": str(tmp_path_factory.mktemp("hits"))},
        }
    )
    plan = Plan(study, RecordStore(study.storage.records))
    plan.advance()
    while (job := plan.next_pack(1, lambda request: 100)) is not None:
        for key, spec in zip(job.keys, job.specs, strict=True):
            number = rates.index(dict(spec.settings)["lr"])
            values = turned(list(CURVES.values())[number][0], WORKLOADS[spec.workload])
            record = crash_record(key, spec, "no evaluation", 1 / 3)
            if values:
                record = make_record(metric=values, key=key, spec=spec)
            plan.finish(record)
    plan.advance()
    return plan


@pytest.fixture(params=[(w, c) for w in WORKLOADS for c in CURVES], ids=str)
def case(request, plan):
    """Return how a trial was answered, its row of the tables, and where it hits."""
    workload, curve = request.param
    rate = 10.0 ** -list(CURVES).index(curve)
    answer = next(
        a
        for a in plan.answered
        if a.record.spec.workload == workload
        and dict(a.record.spec.settings)["lr"] == rate
    )
    return answer, WORKLOADS[workload], CURVES[curve][1]


def test_a_curve_hits_where_it_says(case):
    answer, mode, hit = case
    assert first_hit(answer.record.curve["validation_metric"], TARGET, mode) == hit


def test_the_plan_counts_it_and_tells_the_tuner_its_cost(case):
    answer, _, hit = case
    assert answer.hit == (hit is not None)
    told, record = answer.outcome.value, answer.record
    if hit is not None:
        assert told == record.curve["cost"].iloc[hit]
    elif record.end is EndReason.CRASHED:
        assert math.isnan(told)
    else:  # made-up records have two gradients a sample
        budget = answer.request.track.prepared.budget(record.spec.batch_size)
        assert told == pytest.approx(2 * budget)


def test_the_bill_counts_it(case, plan):
    answer, _, hit = case
    tables = make_study_tables(plan.study, plan.tracks, [answer], {})
    row = tables.records.iloc[0]
    assert row["hit"] == (hit is not None)
    cost = answer.record.curve["cost"]
    assert row["cost_to_target"] == (math.inf if hit is None else cost.iloc[hit])


def test_the_live_view_counts_it(case):
    answer, _, hit = case
    race = Race()
    race.add(answer.request.track)
    race.take(answer)
    (arm,) = race.arms()
    assert arm.hits == (hit is not None)
    assert arm.bill == (None if hit is None else answer.record.curve["cost"].iloc[hit])


def test_the_dashboard_draws_it_as_one(case):
    answer, _, hit = case
    drawn = learning_curves(answer.request.track, [answer])["data"]
    names = {trace["name"] for trace in drawn}
    assert ("met the target" in names) == (hit is not None)


def test_a_record_is_cut_there(case):
    answer, mode, hit = case
    asked = dataclasses.replace(answer.record.spec, stop_at=TARGET)
    served = serves(answer.record, asked, mode)
    assert (served.end is EndReason.TARGET) == (hit is not None)
    rows = len(answer.record.curve) if hit is None else hit + 1
    assert served.curve.equals(answer.record.curve.iloc[:rows])


@pytest.mark.parametrize(("in_a_row", "hit"), [(1, 1), (2, 3), (3, 3), (4, None)])
def test_a_hit_may_have_to_last(in_a_row, hit):
    values = [0.1, 0.6, 0.2, 0.5, 0.7, 0.6]
    assert first_hit(values, TARGET, "max", in_a_row) == hit
    assert first_hit([*values, math.nan, 1.0], TARGET, "max", in_a_row) == hit


def test_nothing_meets_a_target_that_is_no_number():
    assert first_hit([0.1, math.nan], math.nan, "max") is None


def comparisons(file: Path) -> Iterator[int]:
    """Yield the lines that compare a mode, or anything with one."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            words = {leaf.value for s in sides for leaf in leaves(s)}
            named = {getattr(s, "id", getattr(s, "attr", "")) for s in sides}
            if words & {"max", "min"} or "mode" in named:
                yield node.lineno


def leaves(side: ast.expr) -> list[ast.Constant]:
    parts = side.elts if isinstance(side, ast.Tuple | ast.List | ast.Set) else [side]
    return [part for part in parts if isinstance(part, ast.Constant)]


def test_nobody_else_compares_by_the_mode_of_a_metric():
    # `workloads` import nothing of `metrics`; `optim` has a `mode` of another meaning.
    mine = PACKAGE / "metrics" / "basics" / "direction.py"
    found = [
        f"{file.relative_to(PACKAGE)}:{line}"
        for file in PACKAGE.rglob("*.py")
        if file != mine
        and file.relative_to(PACKAGE).parts[0] not in ("workloads", "optim")
        for line in comparisons(file)
    ]
    assert not found, "ask `Direction` instead: " + ", ".join(found)


def test_a_comparison_by_mode_is_found_however_it_is_written(tmp_path):
    file = tmp_path / "module.py"
    file.write_text(
        "a = metric.mode == 'max'\n"
        "b = 'min' == x\n"
        "c = mode not in ('max', 'min')\n"
        "d = mode in MODES\n"
        "e = x.agg('max') == 1\n"
    )
    assert list(comparisons(file)) == [1, 2, 3, 4]
