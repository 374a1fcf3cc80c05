"""Settings chosen once across workloads: which, at what cost, and how they are used."""

import dataclasses
import json
import math

import pytest
from typer.testing import CliRunner

from hpo_vs_adapt.cli.app import app
from hpo_vs_adapt.report.sentences.asides import make_asides
from hpo_vs_adapt.study import Study, calibrations
from hpo_vs_adapt.study.calibrations import Calibration
from hpo_vs_adapt.tables.calibrate import MISS, CalibrationProblem, choose
from tests.running import make_study, ray_here, train
from tests.studies import changed, problems

WORKLOADS = [
    {"name": "iris_logreg", "budget": {"epochs": 6}, "target": 0.8},
    {"name": "wine_logreg", "budget": {"epochs": 6}, "target": 0.9},
]
RATES = [1e-5, 0.05, 0.5]
ARMS = [
    {
        "name": "sgd-once",
        "optimizer": {"rule": "sgd", "momentum": 0.9},
        "tune": {"by": "grid", "grid": {"lr": RATES}, "retrain": 0},
    },
    {"name": "tlr", "optimizer": {"rule": "tlr"}},
]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibrate")
    parts = {"seeds": [0, 1], "resources": {"packs": 1, "lanes": 8}}
    study = make_study(folder, ARMS, WORKLOADS, **parts)
    with ray_here():
        return train(study)[0].given


@pytest.mark.slow
def test_the_point_with_the_least_mean_cost_over_workloads_and_seeds_is_chosen(results):
    rows = results.records[results.records["arm"] == "sgd-once"]
    means = {}
    for lr in RATES:
        own = rows[[settings["lr"] == lr for settings in rows["settings"]]]
        assert len(own) == 4
        shares = [
            min(row.cost_to_target / row.cost, MISS) if row.hit else MISS
            for row in own.itertuples()
        ]
        means[lr] = math.fsum(map(math.log, shares)) / 4
    found = choose(results)
    assert list(found) == ["sgd"]  # the arm that is not tuned is not calibrated
    best = min(means, key=lambda lr: means[lr])
    assert best != RATES[0]
    assert found["sgd"].settings == {"lr": best, "momentum": 0.9}


@pytest.mark.slow
def test_a_calibration_says_what_it_cost_and_on_what(results):
    rows = results.records[results.records["arm"] == "sgd-once"]
    found = choose(results)["sgd"]
    assert found.workloads == ("iris_logreg", "wine_logreg")
    assert found.trials == 3 * 2 * 2
    assert found.cost == rows["cost"].sum() > 0


@pytest.mark.slow
def test_missing_trials_and_other_points_elsewhere_are_refused(results):
    records = results.records
    first = records["workload"] == "iris_logreg"
    other = records["settings"].where(~first, records["settings"].map(_doubled))
    uneven = dataclasses.replace(results, records=records.assign(settings=other))
    with pytest.raises(
        CalibrationProblem, match="must try the same points on every workload"
    ):
        choose(uneven)
    progress = results.progress.assign(done=results.progress["done"] - 1)
    with pytest.raises(
        CalibrationProblem, match="every trial of 'sgd-once' must be done"
    ):
        choose(dataclasses.replace(results, progress=progress))


def _doubled(settings):
    return {**settings, "lr": 2 * settings.get("lr", 1.0)}


@pytest.mark.slow
def test_the_command_writes_what_a_study_can_use(tmp_path):
    study = make_study(tmp_path, ARMS[:1], WORKLOADS[:1], resources={"packs": 1})
    out = tmp_path / "chosen.json"
    out.write_text(json.dumps({"other": {}}))
    with ray_here():
        args = ["calibrate", str(study.source), "--out", str(out)]
        result = CliRunner().invoke(app, args, env={"COLUMNS": "300"})
    assert result.exit_code == 0, result.output
    assert f"Written to {out}." in result.stdout
    assert set(json.loads(out.read_text())) == {"other", "sgd"}
    chosen = json.loads(out.read_text())["sgd"]
    assert chosen["workloads"] == ["iris_logreg"]
    assert chosen["trials"] == 3
    assert chosen["settings"]["lr"] in RATES


CHOSEN = Calibration("adam", {"lr": 0.02}, ("iris_logreg", "wine_logreg"), 40, 1.3e6)


@pytest.fixture
def chosen(monkeypatch):
    from hpo_vs_adapt.study import arms

    monkeypatch.setattr(arms, "calibrations", lambda: {"adam": CHOSEN})


def test_a_calibrated_arm_has_the_settings_that_were_chosen(chosen):
    study = Study.from_dict(
        changed("arms.3.optimizer", {"rule": "adam", "calibrated": True, "eps": 1e-6})
    )
    arm = study.arms[3]
    assert arm.settings == {"eps": 1e-6, "lr": 0.02}
    assert arm.calibration is CHOSEN
    assert make_asides(study) == [
        (
            "adam",
            "Its settings (lr 0.02) were chosen once, by 40 trials on iris_logreg and "
            "wine_logreg, which cost 1.3 M sample gradients beside the bill.",
        )
    ]


def test_what_was_not_calibrated_or_is_set_twice_is_refused(chosen):
    (found,) = problems(
        changed("arms.2.optimizer", {"rule": "tlr", "calibrated": True})
    )
    assert found == (
        "`arms[2].optimizer.calibrated`: no settings were calibrated for `tlr`; "
        "there are some for adam."
    )
    twice = {"rule": "adam", "calibrated": True, "lr": 0.1}
    (found,) = problems(changed("arms.3.optimizer", twice))
    assert found.startswith("`arms[3].optimizer.lr` is among the calibrated settings")
    word = {"rule": "adam", "calibrated": "maybe"}
    (found,) = problems(changed("arms.3.optimizer", word))
    assert found.startswith("`arms[3].optimizer.calibrated` must be")


def test_the_frozen_settings_are_those_of_rules_that_take_them():
    from hpo_vs_adapt.optim import RULES, check_settings

    for rule, one in calibrations.calibrations().items():
        check_settings(RULES[rule], one.settings)
        assert one.trials > 0
        assert one.cost > 0
