"""The live view: its rows from real trials, and what fits into a terminal."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import replace
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from hpo_vs_adapt.observers.terminal.monitor import (
    HIDDEN_SECONDS,
    SHOW_SECONDS,
    Monitor,
)
from hpo_vs_adapt.observers.terminal.progress import (
    ArmProgress,
    Progress,
    Snapshot,
    WorkloadProgress,
)
from hpo_vs_adapt.observers.terminal.race_view import race_view
from hpo_vs_adapt.plan.events import Training
from hpo_vs_adapt.plan.plan import Plan
from hpo_vs_adapt.records.store import RecordStore
from hpo_vs_adapt.run import run_study
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.wording import UNKNOWN
from tests.running import grid, make_study, ray_here

RATE = {"lr": {"low": 1e-4, "high": 1.0, "log": True}}
ARMS = [
    grid(1e-4, 0.01, 0.3, retrain=2),
    {
        "name": "random",
        "optimizer": {"rule": "sgd", "momentum": 0.9},
        "tune": {"by": "random", "trials": 4, "space": RATE, "retrain": 1},
    },
    {
        "name": "tpe",
        "optimizer": {"rule": "adam"},
        "tune": {
            "by": "optuna",
            "sampler_args": {"n_startup_trials": 2},
            "trials": 6,
            "batch": 2,
            "space": RATE,
        },
    },
    {"name": "adam", "optimizer": {"rule": "adam", "lr": 0.05}},
    {"name": "frozen", "optimizer": {"rule": "sgd", "lr": 1e-6}},
    {"name": "wild", "optimizer": {"rule": "sgd", "lr": 1e4}},
    {"name": "portfolio", "any_of": ["frozen", "adam"]},
]
WORKLOADS = [
    {"name": "iris_logreg", "budget": {"epochs": 20}, "target": 0.8},
    {"name": "quadratic", "budget": {"epochs": 30}},
]


class Recorder(Progress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []
        self.closed = 0

    def update(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)

    def close(self) -> None:
        self.closed += 1


def text(snapshot: Snapshot, width: int = 80, height: int | None = 23) -> list[str]:
    """Return the lines that a terminal shows."""
    console = Console(record=True, width=width, file=StringIO())
    console.print(race_view(snapshot, width, height))
    return console.export_text().splitlines()


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A real study, its results, and what was told of it while it ran."""
    folder = tmp_path_factory.mktemp("race")
    study = make_study(
        folder,
        ARMS,
        WORKLOADS,
        seeds=[0, 1],
        sensitivity=[{"arms": ["adam"], "vary": {"lr": [1e-5, 0.5]}}],
        resources={"lanes": 4, "packs": 2},
    )
    recorder = Recorder()
    with ray_here():
        results = run_study(study, progress=recorder)
    return study, results, recorder


@pytest.mark.slow
def test_the_race_ends_with_the_bills_of_the_report(ran):
    _, results, recorder = ran
    last = recorder.snapshots[-1]
    bills = results.costs().set_index(["workload", "arm"])
    assert len(bills) == len(last.arms) == 14
    met = 0
    for arm in last.arms:
        row = bills.loc[arm.workload, arm.arm]
        assert arm.hits == row["hits"]
        assert arm.failed == row["failures"]
        if arm.bill is None:
            assert math.isnan(row["bill"])
        else:
            met += 1
            assert arm.bill == pytest.approx(row["bill"], rel=1e-12)
    assert met >= 5  # grid, random, Optuna, one without `tune` and the portfolio


@pytest.mark.slow
def test_the_race_counts_all_trials_and_what_those_of_the_policies_cost(ran):
    _, results, recorder = ran
    last = recorder.snapshots[-1]
    records, progress = results.records, results.progress
    assert last.done == last.planned == len(records)
    assert last.planned == progress["planned"].sum()
    assert last.diverged == (records["end"] == "diverged").sum() > 0
    assert last.crashed == 0
    policy = records[records["role"] == "policy"].groupby(["workload", "arm"])
    for arm in last.arms:
        rows = policy.get_group((arm.workload, arm.arm))
        assert arm.spent == pytest.approx(rows["cost"].sum())
        assert arm.path[0][0] == 0.0
        assert arm.path[-1][0] <= arm.spent
        assert arm.best == arm.path[-1][1]


@pytest.mark.slow
@pytest.mark.long
def test_the_race_is_told_while_it_runs_and_never_goes_back(ran):
    _, _, recorder = ran
    snapshots = recorder.snapshots
    assert snapshots[0].done == 0
    assert recorder.closed == 1
    assert any(0 < s.done < s.planned and s.lanes for s in snapshots)
    for before, after in itertools.pairwise(snapshots):
        assert before.done <= after.done
        for one, other in zip(before.arms, after.arms, strict=True):
            assert one.path == other.path[: len(one.path)]


@pytest.mark.slow
def test_the_lanes_of_the_workloads_are_those_of_the_study(ran):
    _, _, recorder = ran
    for snapshot in recorder.snapshots:
        assert sum(goal.training for goal in snapshot.workloads) == snapshot.lanes


@pytest.mark.slow
def test_every_frame_of_a_run_fits_into_24_lines_of_80_columns(ran):
    _, _, recorder = ran
    for snapshot in recorder.snapshots:
        lines = text(snapshot)
        assert len(lines) <= 23
        assert max(map(cell_len, lines)) <= 80
        assert not any("\x1b" in line for line in lines)


@pytest.mark.slow
def test_the_cheapest_arm_leads_and_a_full_block_means_that_it_has_met_the_target(ran):
    _, results, recorder = ran
    lines = text(recorder.snapshots[-1], width=120, height=None)
    begin = next(i for i, line in enumerate(lines) if line.startswith("iris_logreg: "))
    rows = lines[begin + 1 : begin + 8]
    bills = results.costs().query("workload == 'iris_logreg'").set_index("arm")["bill"]
    assert [row.split()[0] for row in rows][: bills.count()] == list(
        bills.dropna().sort_values(kind="stable").index
    )
    for row in rows:
        assert ("█" in row) == (not math.isnan(bills[row.split()[0]]))


@pytest.mark.slow
def test_a_replay_ends_with_the_race_of_the_run(ran):
    study, _, recorder = ran
    again = Recorder()
    run_study(study, progress=again)
    first, last = recorder.snapshots[-1], again.snapshots[-1]
    assert last.found == last.done == first.done
    for one, other in zip(first.arms, last.arms, strict=True):
        # The order of the trials is another one, and with it the path.
        assert replace(other, path=one.path) == replace(
            one, spent=pytest.approx(one.spent), bill=pytest.approx(one.bill)
        )


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """Results of a run whose packs report more than once, and what was told of it."""
    study = make_study(
        tmp_path_factory.mktemp("long"),
        [grid(0.01, 0.1), *ARMS[3:5], ARMS[6]],
        [{"name": "iris_logreg", "budget": {"epochs": 400}}],
        sensitivity=[{"arms": ["adam"], "vary": {"lr": [0.05, 0.1]}}],
        resources={"lanes": 4, "packs": 1},
    )
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch, ray_here():
        # However busy the machine is, no pack goes by between two snapshots.
        patch.setattr("hpo_vs_adapt.observers.terminal.monitor.SHOW_SHARE", 1.0)
        results = run_study(study, progress=recorder)
    return results, recorder


@pytest.mark.slow
def test_a_trial_in_training_is_shown_with_every_arm_that_has_asked_for_it(long):
    _, recorder = long
    seen = set()
    for snapshot in recorder.snapshots:
        lanes = {arm.arm: arm.training for arm in snapshot.arms}
        seen.add((*lanes.values(), snapshot.workloads[0].training))
    # The arms of the study in order, then the trials that their packs have.
    sgd, adam, portfolio_again = (2, 0, 1, 1, 3), (0, 3, 0, 1, 2), (0, 0, 0, 1, 1)
    assert seen == {(0, 0, 0, 0, 0), sgd, adam, portfolio_again}


@pytest.mark.slow
def test_the_latest_metric_of_an_arm_is_the_best_among_its_trials_in_training(long):
    results, recorder = long
    metrics = results.curves.merge(results.records[["key", "arm", "role"]], on="key")
    heard = Counter()
    for snapshot in recorder.snapshots:
        arms = {arm.arm: arm for arm in snapshot.arms}
        for name, now in arms.items():
            if now.latest is not None:
                assert now.training > 0
                known = metrics.loc[metrics["arm"] == name, "validation_metric"]
                assert now.latest in set(known)
                heard[name] += 1
        if arms["frozen"].training:
            assert arms["portfolio"].latest == arms["frozen"].latest
        elif arms["adam"].latest is not None:
            assert arms["adam"].latest >= arms["portfolio"].latest
    assert heard.keys() == arms.keys()


def arm(name: str, workload: str = "w", **fields) -> ArmProgress:
    return ArmProgress(workload, name, **{"done": 1, "planned": 3, "hits": 0, **fields})


def snapshot(arms, workloads=("w",), training=(), **fields) -> Snapshot:
    goals = tuple(
        WorkloadProgress(name, "accuracy", "max", 0.9, 4 if name in training else 0)
        for name in workloads
    )
    counts = {"packs": 0, "lanes": 0, "done": 1, "planned": 9, "found": 0}
    return Snapshot(
        **{**counts, "arms": tuple(arms), "elapsed": 9.0, "workloads": goals, **fields}
    )


FORTY = [arm(f"arm-{i}", best=i / 50, path=((0.0, i / 50),)) for i in range(40)]


def test_of_forty_arms_the_leaders_are_shown_and_the_others_counted():
    lines = text(snapshot(FORTY))
    assert len(lines) == 23
    shown = [line.split()[0] for line in lines if line.startswith("arm-")]
    assert shown == [f"arm-{i}" for i in range(39, 39 - len(shown), -1)]
    rest = 40 - len(shown)
    assert f"and {rest} more arms: {rest}/{3 * rest} trials, 0 hits" in lines


def test_a_higher_terminal_shows_more_arms_and_a_wider_one_longer_curves():
    low, high = text(snapshot(FORTY)), text(snapshot(FORTY), height=60)
    assert sum(line.startswith("arm-") for line in low) < 40
    assert sum(line.startswith("arm-") for line in high) == 40
    assert not any("more arms:" in line for line in high)
    wide = text(snapshot(FORTY), width=140)
    assert max(map(len, low)) <= 80 < max(map(len, wide)) <= 140


def test_workloads_at_work_have_the_room_and_the_others_are_counted():
    names = [f"w{i}" for i in range(12)]
    arms = [arm(f"a{i}", name) for name in names for i in range(5)]
    lines = text(snapshot(arms, names, training=["w9", "w11"]))
    assert len(lines) <= 23
    titles = [line.split(":")[0] for line in lines if "accuracy" in line]
    assert {"w9", "w11"} <= set(titles)
    hidden = 12 - len(titles)
    assert (
        f"and {hidden} more workloads: {5 * hidden}/{15 * hidden} trials, 0 hits"
        in (lines)
    )


def names_in(lines: list[str]) -> list[str]:
    """Return the arms that have a row."""
    return [line.split()[0] for line in lines if line.startswith("arm-")]


def test_an_arm_at_work_has_a_row_however_far_behind_it_is():
    arms = [replace(arm, training=2, latest=0.123) for arm in FORTY[:3]] + FORTY[3:]
    lines = text(snapshot(arms, training=["w"], lanes=6))
    shown = names_in(lines)
    assert shown[0] == "arm-39"
    assert shown[-3:] == ["arm-2", "arm-1", "arm-0"]
    assert len(shown) > 4  # the others have what room is left
    [row] = [line for line in lines if line.startswith("arm-1 ")]
    assert row.split()[1:5] == ["1/3", "+2", "0.123", "0.02"]


def test_arms_at_work_that_have_no_room_are_counted():
    arms = [replace(arm, training=2) for arm in FORTY]
    lines = text(snapshot(arms, training=["w"], lanes=80))
    rest = 40 - len(names_in(lines))
    counted = f"{rest}/{3 * rest} trials, 0 hits, {2 * rest} in training"
    assert f"and {rest} more arms: {counted}" in lines


def test_forty_arms_on_nine_workloads_leave_those_at_work_the_most_room():
    names = [f"w{i}" for i in range(9)]
    arms = [
        arm(
            f"arm-{i}",
            name,
            best=i / 50,
            done=3 if name < "w4" else int(name == "w4"),
            training=3 if name == "w4" and i < 12 else 0,
        )
        for name in names
        for i in range(40)
    ]
    lines = text(snapshot(arms, names, training=["w4"], lanes=36), 100, 39)
    assert len(lines) == 39
    begins = [i for i, line in enumerate(lines) if "accuracy" in line]
    assert [lines[i].split(":")[0] for i in begins] == names[:5]
    for i in begins[:4]:
        assert lines[i + 1].startswith("arm-39 ")
        assert lines[i + 2] == "and 39 more arms: 117/117 trials, 0 hits"
    rows = names_in(lines[begins[4] :])
    assert {f"arm-{i}" for i in range(12)} < set(rows)
    assert lines[-2] == "and 4 more workloads: 0/480 trials, 0 hits"


@pytest.mark.parametrize("height", [4, 6, 9, 12, 23])
@pytest.mark.parametrize("workloads", [1, 2, 7])
def test_a_view_never_is_higher_than_its_terminal_as_long_as_it_has_eight_lines(
    height, workloads
):
    names = [f"w{i}" for i in range(workloads)]
    arms = [arm(f"a{i}", name) for name in names for i in range(9)]
    assert len(text(snapshot(arms, names), height=height)) <= max(height, 8)


def test_long_names_are_cut_and_wide_letters_keep_the_columns_in_line():
    names = ["x" * 200, "名前" * 40, "🚀 rocket", "plain"]
    lines = text(snapshot([arm(name, best=0.5) for name in names]))
    rows = [line for line in lines if " 1/3 " in line]
    assert len(rows) == 4
    assert len({cell_len(row.partition(" 1/3 ")[0]) for row in rows}) == 1
    assert max(map(cell_len, lines)) <= 80


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (90, ["trials", "now", "best", "hits", "failed", "spent", "bill", "best"]),
        (65, ["trials", "now", "best", "hits", "failed", "bill", "best"]),
        (55, ["trials", "now", "best", "hits", "bill", "best"]),
        (40, ["trials", "best", "bill"]),
    ],
)
def test_a_narrow_terminal_goes_without_some_columns_and_at_last_without_curves(
    width, columns
):
    one = arm("a", best=0.5, path=((0.0, 0.5),), training=2, latest=0.25)
    lines = text(snapshot([one], training=["w"], lanes=2), width)
    assert max(map(cell_len, lines)) <= width
    header = next(line for line in lines if " trials " in line and "bill" in line)
    assert header.partition("(")[0].partition(" by")[0].split() == columns
    assert any("▁" in line for line in lines) == (width > 40)


def test_an_arm_without_a_trial_has_a_row_without_numbers():
    row = next(
        line for line in text(snapshot([arm("a", done=0)])) if line.startswith("a ")
    )
    assert row.split() == ["a", "0/3", "-", "0", "0", "0", UNKNOWN]


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class SlowTerminal(Recorder):
    """Takes its time to show something."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        super().__init__()
        self._clock = clock
        self._seconds = seconds

    def update(self, snapshot: Snapshot) -> None:
        super().update(snapshot)
        self._clock.now += self._seconds


class IdleBoard:
    """A board with nothing on it."""

    def __init__(self) -> None:
        self.training: dict[str, Training] = {}
        self.latest: dict[str, float] = {}


@pytest.mark.parametrize(
    ("seconds", "frames"),
    [(0.0, 1 + 10 / SHOW_SECONDS), (0.005, 1 + 10), (1.0, 1 + 10 / HIDDEN_SECONDS)],
)
def test_a_slow_terminal_gets_fewer_frames(tmp_path, monkeypatch, seconds, frames):
    clock = Clock()
    monkeypatch.setattr("hpo_vs_adapt.observers.terminal.monitor.time", clock)
    study = make_study(tmp_path, ARMS[3:4], WORKLOADS[:1])
    terminal = SlowTerminal(clock, seconds)
    monitor = Monitor(terminal)
    Plan(study, RecordStore(study.storage.records, writable=False), [monitor])
    begun = clock.now
    while clock.now < begun + 10:
        monitor.changed(IdleBoard())
        clock.now += 0.01
    assert len(terminal.snapshots) == pytest.approx(frames, abs=2)


def test_a_study_without_a_trial_has_a_view(tmp_path):
    study: Study = make_study(tmp_path, ARMS, WORKLOADS, seeds=[0])
    recorder = Recorder()
    store = RecordStore(study.storage.records, writable=False)
    plan = Plan(study, store, [Monitor(recorder)])
    plan.advance()
    plan.listeners.changed(None)
    lines = text(recorder.snapshots[0])
    assert lines[0] == f"0 of {recorder.snapshots[0].planned} trials, 0 hits"
    assert "time left unknown" in lines[1]
    assert any(line.startswith("quadratic: distance ≤ ") for line in lines)
