"""Which packs a study's trials form; nothing is trained but where a test says so."""

import pytest

from hpo_vs_adapt import run_study
from hpo_vs_adapt.plan.plan import Plan
from hpo_vs_adapt.records.ledger import Purpose, Spending
from hpo_vs_adapt.records.store import RecordStore
from hpo_vs_adapt.records.trials import EndReason
from hpo_vs_adapt.run import plan_study
from hpo_vs_adapt.schedule.worker import PackWorker, crash_record
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.workloads.checks import ModelProblem
from tests.running import make_study, records_of, write

RATES = [1e-4, 1e-3, 1e-2, 1e-1]


@pytest.fixture
def plan(tmp_path):
    """Make the plan of a study with these arms, all its streams asked."""

    def make(*arms, **more):
        study = Study.from_dict(
            {
                "name": "plan",
                "seeds": [0, 1],
                "workloads": [{"name": "iris_logreg", "budget": {"epochs": 1}}],
                "arms": list(arms),
                "storage": {"records": str(tmp_path / "runs")},
                **more,
            }
        )
        made = Plan(study, RecordStore(study.storage.records))
        made.advance()
        return made

    return make


def grid(name="grid", rule="sgd", retrain=0, **tune):
    tune = {"by": "grid", "grid": {"lr": RATES}, "retrain": retrain, **tune}
    return {"name": name, "optimizer": {"rule": rule}, "tune": tune}


def single(name="single", rule="clara", **settings):
    return {"name": name, "optimizer": {"rule": rule, **settings}}


def tpe():
    tune = {"by": "optuna", "trials": 3, "space": {"lr": {"low": 1e-4, "high": 1}}}
    return {"name": "tpe", "optimizer": {"rule": "adam"}, "tune": tune}


def lanes(plan, idle, most=100):
    """Take packs until none is left; return how many lanes each has."""
    sizes = []
    while (job := plan.next_pack(idle, lambda request: most)) is not None:
        sizes.append(len(job.specs))
    return sizes


def train(plan, job):
    """Train a pack in this process and give its records back."""
    arrays = {name: p.arrays for name, p in plan.prepared.items()}
    worker = PackWorker(arrays, "cpu", 1)
    worker.begin(job)
    while not worker.done:
        for record in worker.work(60).finished:
            plan.finish(record)
    plan.advance()


def test_lanes_of_a_pack_share_a_rule_and_its_words_and_differ_in_numbers(plan):
    made = plan(
        grid(),
        single("sgd", "sgd", momentum=0.5),
        single("nesterov", "sgd", momentum=0.5, nesterov=True),
        single("clara-sgd", base="sgd"),
        single("clara-adam", base="adam"),
    )
    packs = []
    while (job := made.next_pack(1, lambda request: 100)) is not None:
        packs.append({(s.rule, dict(s.settings).get("base")) for s in job.specs})
    assert len(packs) == 4  # sgd with its grid; nesterov; CLARA over each base
    assert all(len(kinds) == 1 for kinds in packs)


def test_a_group_is_shared_out_over_the_idle_workers(plan):
    assert lanes(plan(grid()), idle=1) == [8]
    job = plan(grid()).next_pack(2, lambda request: 100)
    assert len(job.specs) == 4


def test_a_group_is_not_shared_out_where_other_groups_wait_for_the_workers(plan):
    assert sorted(lanes(plan(grid(), grid("other", "adam")), idle=2))[-1] == 8


def test_a_pack_is_no_larger_than_measured_and_the_rest_is_even(plan):
    assert lanes(plan(grid()), idle=1, most=3) == [3, 3, 2]
    assert lanes(plan(grid()), idle=1, most=1) == [1] * 8


def test_trials_on_which_a_sequential_stream_waits_come_first(plan):
    made = plan(grid(), tpe())
    job = made.next_pack(1, lambda request: 100)
    assert {spec.rule for spec in job.specs} == {"adam"}
    assert len(job.specs) == 2  # one trial of each tuner seed


def test_two_arms_that_ask_for_the_same_trial_have_it_trained_once(plan):
    made = plan(grid("one"), grid("two"))
    assert lanes(made, idle=1) == [8]


def test_a_record_answers_everybody_who_asked(plan):
    made = plan(grid("one"), grid("two"))
    train(made, made.next_pack(1, lambda request: 100))
    assert made.finished
    assert len(made.answered) == 16


def test_the_winner_is_retrained_once_its_stream_has_ended(plan):
    made = plan(grid(retrain=2))
    train(made, made.next_pack(1, lambda request: 100))
    assert not made.finished
    job = made.next_pack(1, lambda request: 100)
    assert {spec.seed for spec in job.specs}.isdisjoint(made.study.seeds)
    train(made, job)
    assert made.finished


def test_a_failed_pack_is_tried_again_in_halves(plan):
    made = plan(grid())
    job = made.next_pack(1, lambda request: 100)
    made.split(job)
    assert lanes(made, idle=1) == [4, 4]


def test_lost_work_is_charged_and_a_crash_is_told(plan):
    made = plan(grid())
    job = made.next_pack(1, lambda request: 1)
    made.charge({job.keys[0]: Spending(64)})
    made.finish(crash_record(job.keys[0], job.specs[0], "ValueError: no", 0.3))
    answer = made.answered[0]
    assert answer.record.end is EndReason.CRASHED
    assert answer.record.ledger.spent[Purpose.LOST].sample_gradients == 64
    assert answer.outcome.failed
    assert not answer.hit
    assert answer.request.track.stream.best() is None


def test_arms_that_stop_at_the_target_share_trials_with_those_that_do_not(plan):
    stops = {**grid("stops"), "stop_at_target": True}
    made = plan(grid("runs"), stops)
    job = made.next_pack(1, lambda request: 100)
    assert len(job.specs) == 8
    assert all(spec.stop_at is None for spec in job.specs)
    made = plan(stops)
    job = made.next_pack(1, lambda request: 100)
    assert {spec.stop_at for spec in job.specs} == {made.study.workloads[0].target}


def test_a_sweep_asks_on_its_workloads_only(plan):
    both = ["iris_logreg", "wine_logreg"]
    sweep = {"arms": ["single"], "vary": {"lr": RATES}, "workloads": both[1:]}
    made = plan(single(), workloads=both, sensitivity=[sweep])
    swept = {
        track.prepared.entry.name for track in made.tracks if track.role == "sweep"
    }
    assert swept == {"wine_logreg"}


FROZEN = """\
from torch import nn

from hpo_vs_adapt.workloads.tabular import IrisLogreg


class Frozen(IrisLogreg):
    flops = (24.0, 72.0)

    def model(self):
        model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3))
        model[0].requires_grad_(False)
        return model
"""


@pytest.mark.parametrize("command", [run_study, plan_study])
def test_frozen_parameters_are_refused_before_anything_is_trained(tmp_path, command):
    own = write(tmp_path, "own.py", FROZEN)
    study = make_study(tmp_path, [single()], ["iris_logreg", f"{own}:Frozen"])
    with pytest.raises(ModelProblem, match=r"^The model of Frozen .* `0\.weight`, `0"):
        command(study)
    assert records_of(study) == []
